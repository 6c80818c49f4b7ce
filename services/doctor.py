"""What is wrong with a set-up, part by part, and what to do about it."""

import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from services import bootstrap
from services.recorders.registry import open_recorder
from services.register.cameras import Recorder
from services.register.schema import migrations
from services.register.unit import Actor, Register, Unit
from services.runtime.channel import open_channel
from services.runtime.clock import SystemClock
from services.runtime.engine_client import PyzeebeEngineClient
from services.runtime.errors import Fatal, Retryable
from services.runtime.settings import Settings, SettingsError, variable
from services.runtime.stores import StoreSettings
from services.runtime.threads import run_in_thread
from services.vault.keys import ensure_keys
from services.vault.stores import open_store

ACTOR = Actor("system", "doctor")


@dataclass(frozen=True)
class Line:
    """One part: whether it is well, and a sentence that says what it is or what to do."""

    part: str
    well: bool
    sentence: str


async def examine(settings: Settings, unknown: Sequence[str]) -> list[Line]:
    """Look at every part; none of the looks changes anything but the folders and buckets that are missing."""
    lines = [Line("settings", False, sentence) for sentence in unknown] or [
        Line("settings", True, "every variable is known and can be used")
    ]
    lines.append(_use_period(settings))
    for part, look in _looks(settings):
        try:
            lines.append(Line(part, True, await look()))
        except (Fatal, Retryable, SettingsError) as error:
            lines.append(Line(part, False, str(error)))
    return [*lines, *await _recorders(settings)]


def _looks(settings: Settings) -> list[tuple[str, Callable[[], Awaitable[str]]]]:
    async def store() -> str:
        return await _store(settings.store)

    async def replica() -> str:
        return await _store(settings.replica)

    async def keys() -> str:
        await run_in_thread(ensure_keys, settings.keys / "vault")
        return f"keys in {settings.keys}, readable by this account alone; keep the escrow identity offline"

    return [
        ("database", lambda: _database(settings)),
        ("store", store),
        ("replica", replica),
        ("keys", keys),
        ("engine", lambda: _engine(settings)),
    ]


def _use_period(settings: Settings) -> Line:
    if settings.max_use_days is None:
        name = variable("max_use_days")
        return Line(
            "use period", False, f"{name} is not set: set the longest use period in days, or nothing is handed over"
        )
    return Line("use period", True, f"at most {settings.max_use_days} days")


async def _database(settings: Settings) -> str:
    register = await run_in_thread(Register, settings.database, SystemClock(), bootstrap.rules_of(settings))
    try:
        return await register.run(ACTOR, _revision)
    finally:
        register.close()


def _revision(unit: Unit) -> str:
    newest = ScriptDirectory(str(migrations())).get_current_head()
    present = MigrationContext.configure(unit.session.connection()).get_current_revision()
    if present != newest:
        raise Fatal(f"the schema is {present or 'empty'} and not {newest}: run footage-desk migrate")
    return f"{unit.session.get_bind().dialect.name}, schema {present}"


async def _store(place: StoreSettings) -> str:
    store = open_store(place)
    await run_in_thread(store.ensure)
    return store.describe()


async def _engine(settings: Settings) -> str:
    if settings.embedded and not _in_use(settings):
        return "embedded; it starts with footage-desk run"
    channel = open_channel(settings)
    try:
        topology = await PyzeebeEngineClient(channel, call_seconds=5).topology()
    finally:
        await channel.close()
    return f"{settings.gateway_address}, gateway {topology.gateway_version}, {topology.partitions} partition(s)"


def _in_use(settings: Settings) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((settings.engine_host, settings.engine_port)) == 0


async def _recorders(settings: Settings) -> list[Line]:
    register = Register(settings.database, SystemClock(), bootstrap.rules_of(settings))
    try:
        rows = await register.run(ACTOR, lambda unit: list(unit.session.query(Recorder)))
    except (Retryable, Fatal):
        return []
    finally:
        register.close()
    lines = []
    for row in rows:
        try:
            facts = await open_recorder(row.kind, row.configuration).probe()
        except (Fatal, Retryable) as error:
            lines.append(Line(f"recorder {row.name}", False, str(error)))
            continue
        sentence = (
            f"{facts.make} {facts.model}, {len(facts.oldest_frame)} channel(s)"
            if facts.reachable
            else "does not answer: check that it runs and that its folder or address can be reached from here"
        )
        lines.append(Line(f"recorder {row.name}", facts.reachable, sentence))
    return lines
