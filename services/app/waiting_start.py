"""The start of a process while something that it needs is away: it waits, alive and not ready."""

import itertools
from collections.abc import Callable
from datetime import timedelta

import anyio

from services.app.container import Container
from services.app.listeners import listen_as
from services.runtime.errors import Retryable
from services.runtime.health import Health, serve_health
from services.runtime.jobs.failures import Backoff
from services.runtime.logs import get_logger
from services.runtime.settings import Settings
from services.runtime.threads import run_in_thread
from services.runtime.waiting import set_within, signalled

log = get_logger(__name__)

PAUSES = Backoff(first=timedelta(seconds=1), factor=2, longest=timedelta(seconds=30))


async def open_when_back(
    settings: Settings, attempt: Callable[[], Container], error: Retryable, backoff: Backoff = PAUSES
) -> Container | None:
    """Call ``attempt`` in a thread until nothing that the start needs is away; None if a signal comes first.

    Meanwhile the process is alive and not ready. Raises what a wait does not mend, such as a wrong password.
    """
    health, stop, opened = Health(), signalled(), list[Container]()
    cause = str(error)

    async def check() -> str:
        return cause

    health.checks["start"] = check
    async with anyio.create_task_group() as group:
        group.start_soon(serve_health, health, listen_as(settings, "health"))
        for number_of_try in itertools.count():
            pause = backoff.delay(number_of_try).total_seconds()
            log.warning("waits to start until a part is back", cause=cause, retry_in_seconds=pause)
            if await set_within(stop, pause):
                break
            try:
                opened.append(await run_in_thread(attempt))
            except Retryable as again:
                if again.away is None:
                    raise
                cause = str(again)
            else:
                break
        group.cancel_scope.cancel()
    return opened[0] if opened and not stop.is_set() else None
