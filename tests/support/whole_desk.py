"""All of Footage Desk in this process, for tests that take whole cases through: engine, workers, relay, books, vault.

The engine is the embedded one in memory, with everybody's clock standing still until the test turns it; or any broker
behind Zeebe's gateway, with a clock that runs and is turned on both sides.
"""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import grpc
import pytest
from demo_container import CLERK, Places, open_container, seed
from engine_trace import Trace
from pyzeebe.proto import gateway_pb2 as pb
from pyzeebe.proto import gateway_pb2_grpc as rpc
from sqlalchemy import select
from whole_broker import BARRIERS, BOUND_SECONDS, REPEATS, Broker, Works, deploy_barrier, follow, pass_barrier
from whole_footage import Footage, lay_out

from services.app import deployments, server
from services.app.container import Container
from services.app.deployments import Examined
from services.app.server import Addresses, Roles
from services.database.tables.audit import AuditEvent
from services.database.tables.outbox import OutboxMessage
from services.database.tables.reviews import Review
from services.database.unit_of_work import EVERY_COMMIT, Database, UnitOfWork
from services.domain.deployments import versions
from services.engine.server import EngineServer
from services.runtime.clock import FixedClock, TurnedClock
from services.runtime.engine_client import DeployedProcess, Deployment
from services.runtime.jobs.worker import Worker, discover
from services.runtime.settings import Settings
from services.workers.vault_locks import LockKeeper

T = TypeVar("T")

BURST_SECONDS = 0.01

_looking: ContextVar[UnitOfWork | None] = ContextVar("_looking", default=None)


@dataclass
class Desk:
    """Open one with ``open_desk``. What people do is in ``case_people.People``."""

    container: Container
    footage: Footage
    settings: Settings
    broker: Broker | None
    clock: FixedClock | TurnedClock
    engine: EngineServer | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    gateway: rpc.GatewayStub = field(init=False)
    addresses: Addresses = field(init=False)
    running: "asyncio.Task[None]" = field(init=False)

    def __post_init__(self) -> None:
        self.trace = Trace(self.changed.set)
        self.works = Works(self.changed.set)

    @property
    def database(self) -> Database:
        return self.container.database

    def look(self, what: Callable[..., T], *arguments: Any) -> T:
        """What the books say now; inside another look, what the same unit says."""
        uow = _looking.get()
        if uow is not None:
            return what(uow, *arguments)

        def within(uow: UnitOfWork) -> T:
            token = _looking.set(uow)
            try:
                return what(uow, *arguments)
            finally:
                _looking.reset(token)

        return self.database.run_now(CLERK, within)

    async def until(self, what: Callable[[UnitOfWork], T], waited_for: str = "") -> T:
        """Wait until ``what`` gives something true; asked again after each commit and whenever the engine moves.

        Fails with a picture of where things stand.
        """
        try:
            async with asyncio.timeout(BOUND_SECONDS):
                while True:
                    self.changed.clear()
                    if found := self.look(what):
                        return found
                    await self._change()
                    # A burst of commits is looked at once: to look after each took a fifth of a whole case's time.
                    await asyncio.sleep(BURST_SECONDS)
        except TimeoutError:
            raise AssertionError(f"waited in vain for {waited_for or what.__qualname__}\n{self.picture()}") from None

    async def _change(self) -> None:
        """The next commit or record; raises what has ended the installation."""
        waiting = asyncio.create_task(self.changed.wait())
        try:
            await asyncio.wait({waiting, self.running}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if self.running.done():
            await self.running
            raise AssertionError("the installation has ended")

    async def quiet(self) -> None:
        """Wait until everything that can happen now has happened."""
        try:
            async with asyncio.timeout(BOUND_SECONDS):
                while not await (self._is_quiet(self.engine) if self.engine else self._seems_quiet()):
                    pass
        except TimeoutError:
            raise AssertionError(f"it never becomes quiet\n{self.picture()}") from None

    async def _is_quiet(self, engine: EngineServer) -> bool:
        await self.until(lambda uow: self.trace.quiet and not _due(uow), "silence")
        next_due = await engine.writer.read(lambda store: store.next_due())
        return self.trace.quiet and (next_due is None or next_due > self.clock.now().timestamp() * 1000)

    async def _seems_quiet(self) -> bool:
        """A broker does not say what it has to do; it has taken what came before the answers to these."""
        await self.until(lambda uow: not self.works.running and not _due(uow), "silence")
        done = self.works.done
        for _ in range(BARRIERS):
            barrier = await pass_barrier(self.gateway)
            if self.works.running or self.works.done != done:
                return False
        if self.is_traced:  # what it did before has been told too
            await self.until(lambda _uow: barrier in self.trace.ended, "the records")
        return not self.look(_due)

    @property
    def is_traced(self) -> bool:
        """Whether the engine tells what it does; a broker alone does not."""
        return self.broker is None or self.broker.records is not None

    async def entered(self, element_id: str, times: int = 1) -> None:
        """Wait until all cases together have come to an element so often; an engine that tells nothing is not asked."""
        if self.is_traced:
            await self.until(lambda _uow: self.trace.elements[element_id] >= times, f"{element_id} to be entered")
            assert self.trace.elements[element_id] == times

    async def turn(self, **by: float) -> None:
        """Turn everybody's clock, once nothing is left to do before; what is due happens."""
        await self.quiet()
        step = timedelta(**by)
        self.clock.turn(step)
        if self.broker is not None:
            await asyncio.to_thread(self.broker.turn, step)
        for notice in self.container.on_turn:
            notice()
        await self.quiet()

    async def keep_locks(self) -> None:
        """Run the periodic task of the locks, which is not among the parts that run here, until nothing is left."""
        container = self.container
        keeper = LockKeeper(self.database, container.store, container.replica_store, lambda: container.signer)
        while await keeper.run():
            pass

    async def incident(self, element_id: str) -> Any:
        """Wait for an incident at this element; a test that needs one is skipped where nothing tells of it."""
        if not self.is_traced:
            pytest.skip("ZEEBE_RECORDS is not set: nothing tells of incidents.")
        await self.until(
            lambda _unit: any(one.element_id == element_id for one in self.trace.incidents.values()),
            f"an incident at {element_id}",
        )
        return next(one for one in self.trace.incidents.values() if one.element_id == element_id)

    async def resolve(self, incident: Any, retries: int = 5) -> None:
        """What an operator does once the cause is gone."""
        if incident.job_key > 0:
            await self.gateway.UpdateJobRetries(pb.UpdateJobRetriesRequest(jobKey=incident.job_key, retries=retries))
        await self.gateway.ResolveIncident(pb.ResolveIncidentRequest(incidentKey=incident.key))

    async def publish(self, name: str, key: str, message_id: str = "", **variables: Any) -> None:
        """A message that does not come from the outbox."""
        await self.gateway.PublishMessage(
            pb.PublishMessageRequest(
                name=name,
                correlationKey=key,
                messageId=message_id,
                timeToLive=3_600_000,
                variables=json.dumps(variables),
            )
        )

    async def deploy_on_record(self, *files: tuple[str, bytes]) -> None:
        """Deploy models by their names, and enter them as ``footage-desk deploy`` does."""
        answer = await self.deploy_past_record(*files)
        await self.database.run(CLERK, versions.enter, answer, "unchecked")

    async def deploy_past_record(self, *files: tuple[str, bytes]) -> list[DeployedProcess]:
        """Deploy models as somebody does who reaches the engine."""
        resources = [pb.Resource(name=name, content=content) for name, content in files]
        answer = await self.gateway.DeployResource(pb.DeployResourceRequest(resources=resources))
        found = [one.process for one in answer.deployments if one.HasField("process")]
        return [
            DeployedProcess(one.bpmnProcessId, one.version, one.processDefinitionKey, one.resourceName) for one in found
        ]

    def loan_keys(self) -> set[str]:
        """The ids of the copies that somebody could open."""
        return {path.stem for path in (self.settings.keys / "loans").glob("*.key")}

    def recordings_of(self, channel: str) -> list[Path]:
        """Today's files of a channel."""
        today = self.footage.start.strftime("%Y-%m-%d")
        return sorted((self.footage.root / channel).glob(f"{today}*.mp4"))

    @asynccontextmanager
    async def recorder_down(self) -> AsyncIterator[None]:
        """The recorder's folder is away meanwhile."""
        away = self.footage.root.with_suffix(".away")
        self.footage.root.rename(away)
        yield
        away.rename(self.footage.root)

    def picture(self) -> str:
        """Where things stand, for whoever reads a failure."""

        def read(uow: UnitOfWork) -> list[str]:
            reviews = uow.session.scalars(select(Review).where(Review.closed_at.is_(None)))
            messages = uow.session.scalars(select(OutboxMessage).where(OutboxMessage.settled_at.is_(None)))
            events = uow.session.scalars(select(AuditEvent).order_by(AuditEvent.seq.desc()).limit(12))
            return [
                f"now {uow.now.isoformat()}",
                *(f"open review: {one.stage} round {one.round}" for one in reviews),
                *(f"message: {one.name}, published {one.attempts} times" for one in messages),
                *(f"event: {one.at.isoformat()} {one.action} by {one.actor_id}" for one in reversed(list(events))),
            ]

        lines = self.look(read)
        lines += [f"job: {job_type} {key}" for key, job_type in self.trace.jobs.items()]
        lines += [f"failed: {one['type']}: {one.get('errorMessage')}" for one in self.trace.failures[-5:]]
        lines += [f"incident: {one.element_id} {one.error_type}: {one.text}" for one in self.trace.incidents.values()]
        return "\n".join(lines)


def _due(uow: UnitOfWork) -> bool:
    """Whether the relay has something to do now."""
    query = select(OutboxMessage.id).where(OutboxMessage.settled_at.is_(None), OutboxMessage.next_at <= uow.now)
    return uow.session.scalar(query.limit(1)) is not None


D = TypeVar("D", bound=Desk)


@asynccontextmanager
async def open_desk(
    kind: type[D],
    places: Places,
    *,
    broker: Broker | None = None,
    workers: Sequence[Worker] | None = None,
    moment: datetime,
    **settings: Any,
) -> AsyncIterator[D]:
    """A desk that runs; ``settings`` are the product's own. ``moment`` is now, for a clock that stands still."""
    loaded = Settings.load(
        **{
            "data_dir": places.root / "var",
            "zeebe_address": broker.address if broker else None,
            "database_url": places.database_url,
            "rules.max_use_days": 30,
            "portal.second_factor": "nobody",
            "recorders.roots": str(places.root / "recorder"),
            "zone": "UTC",
            "health.port": 0,
            "workers.heavy_concurrency": 6,
            "workers.drain_seconds": 5,
            **settings,
        }
    )
    clock: FixedClock | TurnedClock = FixedClock(moment)
    if broker is not None:
        clock = TurnedClock()
        clock.turn(max(await asyncio.to_thread(broker.turn, timedelta()) - clock.now(), timedelta()))
    container = open_container(loaded, clock, places)
    recorder = places.root / "recorder"  # there already where an installation is opened again
    footage = places.footage if recorder.exists() else lay_out(places.footage, recorder, clock.now())
    # A broker's clock runs far beyond the agreements of a prepared database: they are renewed.
    prepared = places.database is not None and places.database_url is None and broker is None
    container.database.run_now(CLERK, seed, footage.root, prepared=prepared)
    if loaded.models_dir is not None:  # the start deploys what was deployed on record, or shipped
        examined = Examined(deployments.digests(loaded.models_dir), "unchecked", "models of a test")
        container.database.run_now(CLERK, deployments.record, examined, Deployment(0, {}), "test")
    engine = None if broker else EngineServer(places.engine, clock, loaded.gateway_address)
    desk = kind(container, footage, loaded, broker, clock, engine)
    loop, looking = asyncio.get_running_loop(), threading.get_ident()

    def committed() -> None:
        # Only looks commit in the loop's own thread, and they change nothing.
        if threading.get_ident() != looking:
            loop.call_soon_threadsafe(desk.changed.set)

    container.database.on(EVERY_COMMIT, committed)
    if engine is not None:
        engine.writer.add_exporter(desk.trace)
    follower = None
    if broker is not None and broker.records is not None:
        follower = asyncio.create_task(follow(broker.records, desk.trace))
    ready = asyncio.Event()

    async def tell(addresses: Addresses) -> None:
        desk.addresses = addresses
        ready.set()

    works = [desk.works.counted(one) for one in workers or discover()]
    parts = Roles(workers=works, relay=True, deploy=True)
    desk.running = asyncio.create_task(server.run(container, parts, tell, engine=engine))
    started = asyncio.create_task(ready.wait())
    try:
        await asyncio.wait({started, desk.running}, return_when=asyncio.FIRST_COMPLETED)
        if desk.running.done():
            await desk.running
        async with grpc.aio.insecure_channel(desk.addresses.engine, REPEATS) as channel:
            desk.gateway = rpc.GatewayStub(channel)
            if broker is not None:
                await deploy_barrier(desk.gateway)
            yield desk
    finally:
        started.cancel()
        if follower is not None:
            follower.cancel()
        desk.running.cancel()
        with suppress(asyncio.CancelledError):
            await desk.running
        container.database.close()
