"""The relay: messages from the outbox to the embedded engine; the peer publishes as many without a database."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from services.bench import submissions
from services.bench.figures import Peer, report, timed
from services.database.base import new_id
from services.database.unit_of_work import Database, UnitOfWork
from services.domain.process import outbox
from services.domain.process.relay import Relay
from services.engine.server import EngineServer
from services.runtime.channel import open_channel
from services.runtime.clock import SystemClock
from services.runtime.engine_client import PyzeebeEngineClient
from services.runtime.settings import Settings

MESSAGE = "bench"
HOUR = 3600
_PEER = "publish as many messages straight to the engine, one after another"


async def measure(url: str, folder: Path, *, messages: int, runs: int) -> dict[str, Any]:
    """Publish ``messages`` that are due at once, ``runs`` times, to an engine that writes to ``folder``."""
    engine = EngineServer(folder / "engine", SystemClock(), f"unix:{folder / 'engine' / 'gateway.socket'}")
    address = await engine.start()
    channel = open_channel(Settings.load(zeebe_address=address))
    client = PyzeebeEngineClient(channel)
    seconds, peers = [], []
    try:
        with submissions.opened(url, folder / "recordings") as database:
            application_id = submissions.apply(database).id
            relay = Relay(database, client)
            await _drain(relay)
            for _ in range(runs):
                database.run_now(submissions.ACTOR, _fill, application_id, messages)
                seconds.append(await timed(lambda: _drain(relay)))
                peers.append(await timed(lambda: _publish_directly(client, messages)))
            return report("relay", seconds, Peer(_PEER, peers), **_figures(database, messages, seconds))
    finally:
        await channel.close()
        await engine.stop()


def _figures(database: Database, messages: int, seconds: list[float]) -> dict[str, Any]:
    median = sorted(seconds)[len(seconds) // 2]
    return {
        "database": database.engine.dialect.name,
        "messages": messages,
        "messages_per_second": messages / median,
        "messages_per_hour": int(messages / median * HOUR),
    }


def _fill(uow: UnitOfWork, application_id: str, messages: int) -> None:
    for _ in range(messages):
        name = new_id()
        outbox.publish(uow, MESSAGE, name, application_id=application_id, message_id=name, variables={"stage": "x"})


async def _drain(relay: Relay) -> None:
    while await relay.publish_due():
        pass


async def _publish_directly(client: PyzeebeEngineClient, messages: int) -> None:
    for _ in range(messages):
        name = new_id()
        await client.publish_message(MESSAGE, name, {"stage": "x"}, name, timedelta(hours=1))
