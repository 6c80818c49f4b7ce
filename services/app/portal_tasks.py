"""What runs beside the portal: relay, notices, consents, recorders, figures, and the signed heads of the log."""

from collections.abc import Mapping
from datetime import timedelta
from functools import partial

from prometheus_client import CollectorRegistry, generate_latest

from services.app.container import Container
from services.database.leases import Lease, Leased, keep_counted, list_counted
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.applications.joint import consent_deadlines
from services.domain.audit.checkpoint_publisher import CheckpointPublisher
from services.domain.cameras.recorder_monitor import RecorderMonitor
from services.domain.cases import metrics
from services.domain.cases.stage_times import add_up
from services.domain.notifications.channels.sender import Sender, channels_of
from services.domain.notifications.digest import daily_digests
from services.domain.process.instances import check_instances
from services.domain.process.relay import Relay
from services.runtime import metrics as runtime_metrics
from services.runtime.engine_client import PyzeebeEngineClient
from services.runtime.models import Model
from services.runtime.periodic import Periodic

COUNT_EVERY = timedelta(seconds=30)
CHECK_EVERY = timedelta(minutes=5)
ADD_UP_EVERY = timedelta(minutes=10)
ACTOR = Actor("system", "metrics")


def open_log_head(container: Container) -> CheckpointPublisher:
    """Return what signs the heads of the audit trail; the log's key is made or read first."""
    settings = container.settings
    return CheckpointPublisher(
        container.database,
        container.log_key,
        container.store,
        every=settings.audit.checkpoint_interval,
        anchor_every=settings.audit.anchor_interval,
        time_stamper=container.time_stamper,
    )


def follow_clock(
    container: Container, client: PyzeebeEngineClient
) -> list[Relay | Sender | Periodic | RecorderMonitor]:
    """List the tasks that are due by the clock, and woken when it is turned."""
    return [
        Relay(container.database, client),
        Sender(container.database, channels_of(container.settings)),
        consent_deadlines(container.database),
        daily_digests(container.database),
        RecorderMonitor(container.database, container.recorders, container.settings.recorders.probe_interval),
    ]


def count(database: Database, *, lease: Lease | None = None) -> Periodic:
    """Return the task that counts what the metrics say of the database, and exports it.

    One process counts, and all export what it has counted.
    """

    async def show() -> None:
        runtime_metrics.export_counted(await database.read(ACTOR, list_counted))

    async def count_and_show() -> None:
        await database.read(ACTOR, _count)
        await show()

    return Leased(
        lease or Lease.between_runs(database, "metrics", COUNT_EVERY), COUNT_EVERY, count_and_show, otherwise=show
    )


def add_up_stages(database: Database, models: Mapping[str, Model]) -> Periodic:
    """Return the task that adds up the stages of cases that have ended."""
    lease = Lease.between_runs(database, "stage-times", ADD_UP_EVERY)
    return Leased(lease, ADD_UP_EVERY, partial(database.run, ACTOR, add_up, models))


def check_cases(database: Database, client: PyzeebeEngineClient) -> Periodic:
    """Return the task that looks for open cases which the engine does not have."""

    async def check() -> None:
        await check_instances(database, client)
        await database.run(ACTOR, _keep, "instances", runtime_metrics.INSTANCE_REGISTRY)

    return Leased(Lease.between_runs(database, "instances", CHECK_EVERY), CHECK_EVERY, check, at_once=False)


def _count(uow: UnitOfWork) -> None:
    metrics.update_gauges(uow)
    uow.write(partial(_keep, task="metrics", registry=runtime_metrics.DATABASE_REGISTRY))


def _keep(uow: UnitOfWork, task: str, registry: CollectorRegistry) -> None:
    keep_counted(uow, task, generate_latest(registry).decode())
