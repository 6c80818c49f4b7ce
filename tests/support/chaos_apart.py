"""A server in parts that die one by one: engine, two portals, two workers of everything, on PostgreSQL and S3.

The people are at both portals at the same time and do the same; one of the two is told that it is done already.
"""

import asyncio
import re
import signal
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import chaos_part
import httpx
from broken_gateways import free_port
from chaos_driver import Run, ServerDied, nothing_outlives
from prefork import ForkedProcess
from redated import redate
from service_process import environment
from sqlalchemy import select

from services.app import server
from services.app.container import Container, open_container
from services.database.tables.outbox import OutboxMessage
from services.database.unit_of_work import Actor, UnitOfWork
from services.demo import organisation
from services.demo.people import NoAnswer, People, PortalUser, StepFailed
from services.domain.process.relay import claim_due
from services.domain.wiring import open_database
from services.runtime.channel import open_channel
from services.runtime.clock import SystemClock
from services.runtime.engine_client import PyzeebeEngineClient
from services.runtime.rules import Rules
from services.runtime.settings import Settings

PARTS = ("engine", "portal-1", "portal-2", "worker-1", "worker-2")
PORTALS = tuple(name for name in PARTS if name.startswith("portal"))
# What the later of two who do the same is told, or what was there a moment ago.
TOO_LATE = re.compile(r" answered (404|409|422): |\"copy-returned\"")

at: ContextVar[str] = ContextVar("at")


@dataclass
class Part:
    """One process through its lives."""

    name: str
    process: ForkedProcess | None = None
    address: "asyncio.Task[str] | None" = None
    people: People | None = None
    lives: int = 0

    @property
    def dead(self) -> bool:
        return self.process is None or self.process.returncode is not None


@dataclass
class ApartRun(Run):
    """``given`` are the settings by field name, without those that this chooses."""

    given: dict[str, Any] = field(default_factory=dict)
    parts: dict[str, Part] = field(default_factory=lambda: {name: Part(name) for name in PARTS})
    _deployed: "asyncio.Task[None] | None" = None

    def __post_init__(self) -> None:
        data = self.folder / "data"
        self.given |= {
            "data_dir": data,
            "zeebe_address": f"127.0.0.1:{free_port()}",
            "recorders.roots": str(data / "recordings"),
            "rules.max_use_days": 30,
            "rules.preservation": "always",
            "portal.second_factor": "nobody",
            "workers.job_timeout": timedelta(seconds=2),
            # Two workers of everything poll for 25 job types each, and are woken when there is a job.
            "workers.poll_seconds": 5,
            "workers.drain_seconds": 2,
        }

    @property
    def env(self) -> dict[str, str]:
        told = self.given | {"workers.job_timeout": "PT2S", "store.secure": "false", "replica.secure": "false"}
        return environment(
            **{name: getattr(value, "get_secret_value", lambda v=value: v)() for name, value in told.items()}
        )

    def container(self) -> Container:
        """The books and stores of the parts, for a look into them when they have ended."""
        return open_container(Settings.load(**self.given))

    def prepare(self) -> None:
        """Lay out the demo organisation in a migrated database, with its recordings of yesterday."""
        recordings = self.folder / "data" / "recordings"
        redate(recordings, (datetime.now(UTC) - timedelta(days=1)).date())
        settings = Settings.load(**self.given)
        database = open_database(settings.database_address, SystemClock(), Rules(max_use_days=30))
        try:
            database.run_now(
                Actor("system", "test"),
                lambda uow: organisation.seed_demo(uow, recordings, zone=organisation.ZONE),
            )
        finally:
            database.close()

    async def _round(self) -> bool:
        """One look of everybody at both portals; whether all is over."""
        for part in self.parts.values():
            await self._revive(part)
        assert self._deployed is not None
        if not self._deployed.done():
            return False
        await self._deployed
        if not self.application_id:
            return await self._at(PORTALS[self.lives % 2])
        over = await asyncio.gather(*(self._at(name) for name in PORTALS))
        return any(over)

    async def _at(self, name: str) -> bool:
        """What is next, done at this portal; nothing where it is away."""
        at.set(name)
        part = self.parts[name]
        try:
            return await self._act() and self._process_ended()
        except (httpx.TransportError, NoAnswer, ServerDied):
            await _leave(part)
        except StepFailed as error:
            if not TOO_LATE.search(str(error)):
                raise
        return False

    async def _revive(self, part: Part) -> None:
        if not part.dead:
            return
        await _leave(part)
        if part.process is not None:
            if part.process.returncode != -signal.SIGKILL:
                raise StepFailed(f"{part.name} left with {part.process.returncode} and nobody had killed it")
            await nothing_outlives(part.process.pid)
        part.lives += 1
        self.lives += 1
        log = self.folder / "server.log"
        with log.open("a", encoding="utf-8") as file:
            file.write(f"--- life {part.lives} of {part.name}\n")
        kind = part.name.partition("-")[0]
        part.process = ForkedProcess(chaos_part.serve, self.folder, kind, log=log, environment=self.env)
        part.address = asyncio.create_task(part.process.announced())
        if self._deployed is None:
            self._deployed = asyncio.create_task(self._deploy())

    async def _deploy(self) -> None:
        """Deploy the models, though the engine be killed meanwhile."""
        channel = open_channel(Settings.load(**self.given), self.given["zeebe_address"])
        try:
            await server.deploy(PyzeebeEngineClient(channel))
        finally:
            await channel.close()

    async def _who(self, login: str) -> PortalUser:
        part = self.parts[at.get()]
        if part.dead or part.address is None or not part.address.done():
            raise ServerDied
        if part.people is None:
            address = part.address.result()
            if not address:
                raise ServerDied
            part.people = People(address, {one.login: one.password for one in organisation.accounts()})
        return await part.people(login)

    async def _used_up(self, custodian: PortalUser, hand_over: dict[str, Any]) -> bool:
        """The machine's clock is nobody's to turn: the copies go back when they have been seen."""
        return all(copy["id"] in self._viewed for copy in hand_over["copies"])

    def _now(self) -> datetime:
        return datetime.now(UTC)

    def settle(self, container: Container) -> None:
        """What a relay would find at its next look, for which nobody waits here: a closed case needs no message.

        A portal may book a message as published when the process has already taken it and gone on to its end.
        """

        def look(uow: UnitOfWork) -> None:
            for message in uow.session.scalars(select(OutboxMessage).where(OutboxMessage.settled_at.is_(None))):
                message.next_at = uow.now
            uow.session.flush()
            assert claim_due(uow) == []

        container.database.run_now(Actor("system", "test"), look)

    async def stop(self) -> bool:
        """End all parts as an operator does, the engine last."""
        for part in reversed(self.parts.values()):
            await _leave(part)
            if part.process is None:
                continue
            if part.process.returncode is None:
                part.process.terminate()
                try:
                    async with asyncio.timeout(20):
                        await part.process.wait()
                except TimeoutError:
                    part.process.kill()
                    await part.process.wait()
                    raise
            await nothing_outlives(part.process.pid)
        return False


async def _leave(part: Part) -> None:
    people, part.people = part.people, None
    if people is not None:
        await people.__aexit__(None, None, None)
