"""Run the roles of one process, built from the settings."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

import anyio
from lxml import etree

from services.app import deployments, store_watch
from services.app.container import START, Container, models
from services.app.listeners import listen_as
from services.backup import belongings
from services.database import leases
from services.database.leases import Leased
from services.database.unit_of_work import Database
from services.designers.inclusive_joins import uneven_joins
from services.domain.deployments import uploads
from services.domain.deployments.job_gate import RecordedModels
from services.domain.process.steps import StepJournal
from services.engine.errors import DataDirectoryInUse, GatewayError, UnusableDataFile
from services.runtime import confined
from services.runtime.addresses import is_loopback
from services.runtime.channel import open_channel
from services.runtime.disk_space import DiskSpace
from services.runtime.engine_client import Deployment, PyzeebeEngineClient
from services.runtime.errors import Fatal, Retryable
from services.runtime.health import HUNG_SECONDS, Health, serve_health
from services.runtime.http import address_of, serve
from services.runtime.jobs.parking import Parking
from services.runtime.jobs.runner import PLACES, JobRunner
from services.runtime.jobs.worker import Worker, choose, discover
from services.runtime.logs import get_logger
from services.runtime.periodic import Periodic, keep_running, report_failure, run_each
from services.runtime.settings import Settings, variable
from services.runtime.threads import run_in_thread
from services.runtime.waiting import signalled

if TYPE_CHECKING:
    from services.domain.audit.checkpoint_publisher import CheckpointPublisher
    from services.engine.server import EngineServer

log = get_logger(__name__)

SWEEP_EVERY = timedelta(minutes=15)
LOCK_EVERY = timedelta(seconds=30)
REDACT_EVERY, REDACT_PAUSE = timedelta(seconds=20), timedelta(seconds=5)
PACKAGE_EVERY = timedelta(seconds=20)
PACKAGE_KEYS = {"vault_keys", "loan_keys", "signer"}  # of a process that makes packages: its jobs use them anyway
RETURNS_EVERY = timedelta(seconds=15)
PRESERVES = "preserve-footage"  # the job type whose process tries again what it could not preserve
ENGINE_WAIT = timedelta(seconds=60)

Ready: TypeAlias = Callable[["Addresses"], Awaitable[None]]


@dataclass(frozen=True)
class Addresses:
    """The addresses of a running process."""

    portal: str | None
    health: str
    engine: str


@asynccontextmanager
async def _traced(container: Container) -> AsyncIterator[None]:
    """Send traces while the block runs, if the settings say where to."""
    endpoint = container.settings.tracing.endpoint
    if endpoint is None:
        yield
        return
    from services.database.tracing import trace_statements  # noqa: PLC0415 - off by default, and slow to import
    from services.runtime import trace_export  # noqa: PLC0415 - as above

    provider = trace_export.start(container.settings, endpoint)
    trace_statements(container.database.engine, provider)
    try:
        yield
    finally:
        with anyio.CancelScope(shield=True):
            await run_in_thread(provider.shutdown)


@asynccontextmanager
async def engine_of(
    container: Container, given: "EngineServer | None" = None, health: Health | None = None
) -> AsyncIterator[str]:
    """Yield the engine's address; start ``given`` or the embedded engine unless it is a cluster.

    ``health`` exports the metrics of an engine that is started here.
    """
    settings = container.settings
    if given is None and not settings.embedded:
        yield settings.gateway_address
        return
    retention = timedelta(days=settings.engine.records_days)
    from services.engine.access import Credentials  # noqa: PLC0415 - a process apart starts no engine
    from services.engine.server import EngineServer  # noqa: PLC0415 - as above

    server = given or EngineServer(
        _engine_folder(settings),
        container.clock,
        *_engine_addresses(settings),
        credentials=Credentials(token=settings.engine_token_file),
        retention=retention,
    )
    try:
        address = await server.start()
    except GatewayError as error:
        cause, _, advice = str(error).partition("; ")
        raise Fatal(f"could not start the engine | {settings.gateway_address} | {cause} | {advice}") from error
    except UnusableDataFile as error:
        cause, _, advice = str(error).partition("; ")
        raise Fatal(f"could not start the engine | {settings.data_dir} | {cause} | {advice}") from error
    except (DataDirectoryInUse, RuntimeError) as error:
        cause = str(error).partition(";")[0]
        raise Fatal(
            f"could not start the engine | {settings.data_dir} | {cause} | stop that process, or set "
            f"{variable('engine.port')} to a free port"
        ) from error
    container.on_turn.append(server.on_clock_changed)
    container.engine = server.inspector
    if health is not None:
        health.exporters.append(server.metrics.exposition)
    try:
        if given is None:
            identity = await server.writer.read(lambda store: store.identity)
            belongings.save_engine(settings.data_dir, identity)
        yield address
    finally:
        await server.stop()


def _engine_folder(settings: Settings) -> Path:
    """Return the engine's folder, which from now on its user alone may enter."""
    folder = settings.data_dir / "engine"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder


def _engine_addresses(settings: Settings) -> list[str]:
    """Return the socket and, if one is set, the port; raises Fatal if other machines could reach it."""
    address = settings.engine.tcp_address
    if address is None:
        return [settings.gateway_address]
    if not is_loopback(settings.engine.host or "127.0.0.1"):
        raise Fatal(
            f"could not start the engine | {variable('engine.host')} is {settings.engine.host} | other machines could "
            "reach it, and its calls would travel in the open | unset it, or run footage-desk engine by itself with "
            f"--certificate and --key, and set {variable('zeebe_address')}"
        )
    return [settings.gateway_address, address]


async def deploy(client: PyzeebeEngineClient, folder: Path | None = None) -> Deployment:
    """Deploy the models of a folder, or those shipped, once the engine answers.

    Warns of inclusive joins at which a cluster can wait for ever.
    """
    for path in models(folder):
        for uneven in uneven_joins(etree.parse(path)) if path.suffix == ".bpmn" else []:
            log.warning("a case can wait for ever on a cluster", model=path.name, cause=str(uneven))
    deadline = asyncio.get_running_loop().time() + ENGINE_WAIT.total_seconds()
    while True:
        try:
            return await client.deploy(models(folder))
        except Retryable as error:
            if asyncio.get_running_loop().time() > deadline:
                raise
            log.warning("the engine does not answer yet", cause=str(error))
            await asyncio.sleep(1)


async def _deploy_known(container: Container, client: PyzeebeEngineClient) -> None:
    """Deploy the models at the start if they are the shipped ones, or were deployed on record before.

    A set that was deployed from the portal stays in use, whatever the folder has. In a demo others are deployed
    unchecked, to try them.
    """
    folder, database = container.settings.models_dir, container.database
    from_portal = await database.read(START, deployments.find_from_portal)
    if from_portal is not None:
        with uploads.written(from_portal[0]) as written:
            deployed = await deploy(client, written)
        log.info("deployed, as from the portal", versions=dict(deployed.versions))
        await database.run(START, deployments.enter, from_portal[1], from_portal[0], deployed, by="start")
        return
    files = deployments.digests(folder)
    shipped = deployments.Examined(files, "shipped") if deployments.are_shipped(files) else None
    examined = shipped or await database.read(START, deployments.find_recorded, files)
    if examined is None and container.settings.demo:
        examined = deployments.Examined(files, "unchecked", "tried in the demo")
    if examined is None:
        log.error(
            "the models are not deployed, what was deployed before goes on",
            folder=str(folder or "those shipped"),
            cause="they were changed after they were checked",
            next="run footage-desk deploy, which checks and deploys them",
        )
        return
    deployed = await deploy(client, folder)
    log.info("deployed", versions=dict(deployed.versions))
    await database.run(START, deployments.enter, examined, deployments.contents(folder), deployed, by="start")


class PeriodicTask(Protocol):
    """A task that runs periodically until it is cancelled."""

    name: str

    async def run(self) -> None: ...

    def wake(self) -> None: ...


@dataclass(frozen=True)
class Roles:
    """The roles of one process."""

    workers: Sequence[Worker] = ()
    portal: bool = False
    relay: bool = False
    sweeper: bool = False
    deploy: bool = False


def all_roles() -> Roles:
    return Roles(workers=discover(), portal=True, relay=True, sweeper=True, deploy=True)


def roles_for(job_types: Sequence[str]) -> Roles:
    """Return the roles of a process for these job types; raises WorkerError for an unknown one.

    The one that issues copies sweeps for all: only it has the loan keys, which an interrupted issue leaves too.
    """
    workers = choose(job_types)
    return Roles(workers=workers, sweeper=any(worker.heavy and "loan_keys" in worker.needs for worker in workers))


async def run(
    container: Container, roles: Roles, ready: Ready | None = None, *, engine: "EngineServer | None" = None
) -> None:
    """Run the roles until cancelled, then let running jobs finish within the drain time.

    ``ready`` gets the addresses once everything answers; ``engine`` is run instead of the settings' one.
    """
    settings = container.settings
    health = Health()
    async with _traced(container), engine_of(container, engine, health) as engine_address:
        channel = open_channel(settings, engine_address)
        container.engine_client = client = PyzeebeEngineClient(channel)
        health.checks["database"] = container.database.readiness.check
        health.hung_seconds = container.database.hung_seconds
        health.hung_limit = max(HUNG_SECONDS, 2.0 * settings.database.statement_seconds)
        if settings.embedded or settings.database_address.startswith("sqlite"):
            health.checks["disk"] = DiskSpace(settings.data_dir).check
        if roles.workers:
            health.checks["engine"] = lambda: _check_engine(client)
        health_listener = listen_as(settings, "health")
        portal_listener = listen_as(settings, "portal") if roles.portal else None
        dependencies = container.for_workers(roles.workers)
        if container.database.engine.dialect.name == "sqlite":
            # No other process uses it: one that was killed leaves nothing to wait for.
            await container.database.run(START, leases.end_all)
        log_head = _open_log_head(container) if roles.portal else None
        runner = JobRunner(
            settings,
            roles.workers,
            dependencies,
            channel,
            health=health,
            journal=RecordedModels(container.database, StepJournal(container.database)),
            clock=container.clock,
        )
        container.places.freed.append(partial(runner.parking.wake, most=1))
        container.on_turn.append(runner.parking.wake)
        try:
            if roles.deploy:
                await _deploy_known(container, client)
            if roles.sweeper:
                await sweep(container, all_open=settings.embedded)
            async with anyio.create_task_group() as group:
                group.start_soon(serve_health, health, health_listener)
                if portal_listener is not None:
                    group.start_soon(serve, container.portal(), portal_listener)
                for task in _periodic_tasks(container, roles, client, log_head, runner.parking):
                    group.start_soon(keep_running, task.name, task.run)
                if container.opened_stores:
                    stores = store_watch.watch_of(container.opened_stores, health)
                    group.start_soon(keep_running, stores.name, stores.run)
                group.start_soon(_run_jobs, runner, bool(roles.workers))
                group.start_soon(keep_running, "walls", confined.report_missing_walls)
                if ready is not None:
                    await ready(
                        Addresses(
                            portal=address_of(portal_listener) if portal_listener else None,
                            health=address_of(health_listener),
                            engine=engine_address,
                        )
                    )
        finally:
            if log_head is not None:
                with anyio.CancelScope(shield=True):
                    await _sign_last(log_head)
            await channel.close()


async def run_until_signalled(container: Container, roles: Roles, ready: Ready | None = None) -> None:
    """Run the roles until SIGINT or SIGTERM."""
    stop = signalled()

    async def started(addresses: Addresses) -> None:
        keep_what_is_loaded()
        if ready is not None:
            await ready(addresses)

    running = asyncio.create_task(run(container, roles, started))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not running.done():
        running.cancel()
    with suppress(asyncio.CancelledError):
        await running


def keep_what_is_loaded() -> None:
    """Leave what is loaded out of later collections: it lives as long as the process.

    Half a million objects of the portal, which a collection looked through in 0.3 s, while no page was answered.
    """
    gc.collect()
    gc.freeze()


async def sweep(container: Container, *, all_open: bool) -> None:
    """Remove what interrupted uploads left; the periodic task retries if a store is down."""
    try:
        await _sweep(container, all_open=all_open)
    except Retryable as error:
        log.warning("could not sweep", cause=str(error))


async def _sweep(container: Container, *, all_open: bool) -> None:
    from services.workers import attachment_sweep  # noqa: PLC0415 - a portal sweeps nothing
    from services.workers.vault_actions import sweep_abandoned  # noqa: PLC0415 - as above

    async def sweep_attachments() -> int:
        return await attachment_sweep.sweep(container.database, container.store, all_open=all_open)

    async def sweep_uploads() -> int:
        stores = container.store, container.replica_store
        return await sweep_abandoned(container.database, *stores, container.loan_keys, all_open=all_open)

    # first what may not be kept any longer, such as copies of identity cards
    swept = sum(await run_each("sweeper", (sweep_attachments, sweep_uploads)))
    if swept:
        log.info("removed what interrupted uploads had left", keys=swept)


async def _sign_last(log_head: "CheckpointPublisher") -> None:
    """Sign what was done since the last checkpoint; the next start does it where that fails."""
    try:
        await log_head.sign()
    except Exception as error:  # noqa: BLE001  # the channel has to be closed, and what ended the process is raised
        report_failure("checkpoints", error)


def _keep_locks(container: Container) -> Periodic:
    """Return the task that locks, files and disposes of what the database says; commits that leave some wake it."""
    from services.domain.documents import retention  # noqa: PLC0415 - a portal locks nothing of a case
    from services.workers.vault_locks import LockKeeper  # noqa: PLC0415 - as above

    keeper = LockKeeper(container.database, container.store, container.replica_store, lambda: container.signer)
    task = Periodic("locks", LOCK_EVERY, keeper.run)
    container.database.on(retention.TOPIC, task.wake)
    return task


def _discard_leftovers(container: Container) -> Periodic:
    """Return the task that discards what closed cases have kept; commits that replace copies wake it for their keys."""
    from services.domain.custody import discards  # noqa: PLC0415 - a portal discards nothing
    from services.workers.discards import Discarder  # noqa: PLC0415 - as above

    task = Periodic("discards", LOCK_EVERY, Discarder(container.database, container.store, container.loan_keys).run)
    container.database.on(discards.TOPIC, task.wake)
    return task


def _make_redactions(container: Container) -> Periodic:
    """Return the task that makes redacted copies; the commit that queues one wakes it where it is in this process."""
    from services.domain.custody import derivatives  # noqa: PLC0415 - a portal makes none
    from services.workers.redactions import RedactionMaker  # noqa: PLC0415 - as above

    maker = RedactionMaker(container.database, container.store, container.loan_keys, lambda: container.signer)
    task = Leased(maker.lease, REDACT_EVERY, maker.run, pause=REDACT_PAUSE)
    container.database.on(derivatives.QUEUED, task.wake)
    return task


def _read_store_health(container: Container) -> list[PeriodicTask]:
    """Return the task that reads the health of the stores; none where they are given, and the settings name others."""
    if container.given_store is not None or container.given_replica is not None:
        return []
    from services.workers.store_health import EVERY, StoreHealthReader  # noqa: PLC0415 - a portal reads none

    settings = container.settings
    places = {"vault": settings.store_place, "replica": settings.replica_place}
    percent = settings.maintenance.least_free_percent
    reader = StoreHealthReader(container.database, places, least_free_percent=percent)
    return [Leased(reader.lease, EVERY, reader.run)]


def _propose_boxes(container: Container) -> Periodic:
    """Return the task that looks for faces where boxes are to be proposed; the commit that asks for it wakes it."""
    from services.domain.custody import detections  # noqa: PLC0415 - a portal looks for none
    from services.workers.detections import DetectionMaker  # noqa: PLC0415 - as above

    maker = DetectionMaker(container.database, container.store, container.loan_keys)
    task = Leased(maker.lease, REDACT_EVERY, maker.run, pause=REDACT_PAUSE)
    container.database.on(detections.QUEUED, task.wake)
    return task


def _make_packages(container: Container) -> Periodic:
    """Return the task that makes evidence packages; the commit that queues one wakes it where it is in this process."""
    from services.domain.packages import service as packages  # noqa: PLC0415 - a portal makes none
    from services.evidence.maker import PackageMaker  # noqa: PLC0415 - as above

    maker = PackageMaker(
        container.database,
        container.store,
        container.loan_keys,
        lambda: container.vault_keys,
        lambda: container.signer,
    )
    task = Leased(maker.lease, PACKAGE_EVERY, maker.run, pause=REDACT_PAUSE)
    container.database.on(packages.QUEUED, task.wake)
    return task


def _dispose(container: Container) -> Periodic:
    """Return the task that deletes what two people have agreed to dispose of."""
    from services.workers.disposals import Disposer  # noqa: PLC0415 - a portal deletes nothing

    disposer = Disposer(container.database, container.store, container.replica_store, lambda: container.loan_keys)
    return Periodic("disposals", LOCK_EVERY, disposer.run)


def _retry_preservations(container: Container) -> PeriodicTask:
    """Return the task that tries again what could not be preserved; for processes that preserve."""
    from services.domain.cameras import measurements  # noqa: PLC0415 - as above
    from services.workers.preservation_retries import PreservationRetries  # noqa: PLC0415 - as above

    task = PreservationRetries(
        container.database,
        container.store,
        container.vault_keys,
        recorders=container.recorders,
        places=container.places,
        at_once=container.places.limit + 1,
    )
    container.database.on(measurements.BACK, task.wake)
    return task


def follow_recorders(database: Database, parking: Parking) -> PeriodicTask:
    """Return the task that wakes the jobs of this process whose recorder answers again, to whoever asked it."""
    from services.domain.cameras import measurements  # noqa: PLC0415 - a process without such jobs asks no recorder

    async def wake() -> None:
        if awaited := parking.awaited:
            for recorder_id in await database.read(START, measurements.list_answering, awaited):
                parking.wake(recorder_id)

    task = Periodic("returned-recorders", RETURNS_EVERY, wake)
    database.on(measurements.BACK, task.wake)
    return task


def _open_log_head(container: Container) -> "CheckpointPublisher":
    from services.app import portal_tasks  # noqa: PLC0415 - a worker starts faster without pages and lists

    return portal_tasks.open_log_head(container)


def _periodic_tasks(
    container: Container,
    roles: Roles,
    client: PyzeebeEngineClient,
    log_head: "CheckpointPublisher | None",
    parking: Parking,
) -> list[PeriodicTask]:
    """List the periodic tasks of these roles; those that depend on the clock are woken when it is turned."""
    by_clock: list[PeriodicTask] = [log_head] if log_head is not None else []
    others: list[PeriodicTask] = []
    if roles.relay:
        from services.app import model_deployer, portal_tasks  # noqa: PLC0415 - as above

        by_clock += portal_tasks.follow_clock(container, client)
        others += [
            portal_tasks.count(container.database),
            portal_tasks.add_up_stages(container.database, container.process_models),
            portal_tasks.check_cases(container.database, client, container.engine),
            model_deployer.check_and_deploy(container, client),
        ]
        if container.engine is not None:
            others += [
                portal_tasks.close_reviews(container.database, container.engine),
                portal_tasks.keep_engine_models(container.database, container.engine),
            ]
    if roles.sweeper:
        by_clock += [_keep_locks(container), _discard_leftovers(container), _dispose(container)]
        by_clock += [_make_redactions(container), _propose_boxes(container)]
        others += _read_store_health(container)
        # The first sweep was before the workers began.
        others.append(Periodic("sweeper", SWEEP_EVERY, partial(_sweep, container, all_open=False), at_once=False))
    if roles.sweeper and {name for worker in roles.workers for name in worker.needs} >= PACKAGE_KEYS:
        by_clock.append(_make_packages(container))
    if any(worker.job_type == PRESERVES for worker in roles.workers):
        by_clock.append(_retry_preservations(container))
    if any(PLACES in worker.needs for worker in roles.workers):
        others.append(follow_recorders(container.database, parking))
    container.on_turn.extend(task.wake for task in by_clock)
    return by_clock + others


async def _run_jobs(runner: JobRunner, has_work: bool) -> None:
    if not has_work:
        return
    try:
        await runner.run()
    finally:
        with anyio.CancelScope(shield=True):
            await runner.stop()


async def _check_engine(client: PyzeebeEngineClient) -> str | None:
    return None if await client.healthy() else "the engine does not answer"
