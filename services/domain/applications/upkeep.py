"""What the books do by the passing of time alone: consents that do not come are reminded, and lapse (R17)."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from services.database.unit_of_work import Actor, Database
from services.domain.applications import joint
from services.runtime.errors import Retryable
from services.runtime.waiting import set_within

ACTOR = Actor("system", "upkeep")
EVERY = timedelta(minutes=1)


async def keep_tending(database: Database, on_turn: list[Callable[[], None]]) -> None:
    """Tend the books every minute, and at once when the clock is turned, until cancelled.

    Several processes that do so disturb each other as little as several relays: what is done is done once.
    """
    turned = asyncio.Event()
    on_turn.append(turned.set)
    while True:
        turned.clear()
        with suppress(Retryable):
            await database.run(ACTOR, joint.tend)
        await set_within(turned, EVERY.total_seconds())
