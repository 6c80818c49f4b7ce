"""What runs beside the portal: relay, notices, consents, recorders, figures, and the signed heads of the log."""

from datetime import timedelta
from functools import partial
from itertools import islice

from prometheus_client import CollectorRegistry, generate_latest

from services.app.container import Container
from services.database.leases import Lease, Leased, keep_counted, list_counted
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.agreements.renewals import agreement_reminders
from services.domain.applications.joint import consent_deadlines
from services.domain.applications.outside_deadlines import outside_deadlines
from services.domain.audit import checkpoints
from services.domain.audit.checkpoint_publisher import CheckpointPublisher
from services.domain.cameras.recorder_monitor import RecorderMonitor
from services.domain.cases import metrics
from services.domain.cases.stage_times import add_up
from services.domain.holds.reminders import hold_reviews
from services.domain.matters import held
from services.domain.notifications.channels.apps import Apps
from services.domain.notifications.channels.mail import Mailer
from services.domain.notifications.channels.robots import Robots
from services.domain.notifications.channels.sender import Sender, channels_of
from services.domain.notifications.digest import daily_digests
from services.domain.notifications.ended_work import ended_notices
from services.domain.process import deployed_models
from services.domain.process.engine_models import keep_models
from services.domain.process.engine_view import EngineInspection
from services.domain.process.instances import check_instances
from services.domain.process.model_library import ModelLibrary
from services.domain.process.relay import Relay
from services.domain.reviews.ending import EndedBranches, close_of_ended_instances
from services.domain.staffing.leaving import account_ends
from services.domain.storage.sites import site_keepers
from services.domain.supervision.due import inspections
from services.domain.supervision.month_keeping import kept_statistics
from services.domain.supervision.use_reports import use_reports
from services.runtime import metrics as runtime_metrics
from services.runtime.engine_client import PyzeebeEngineClient
from services.runtime.periodic import Periodic

COUNT_EVERY = timedelta(seconds=30)
CHECK_EVERY = timedelta(minutes=5)
ADD_UP_EVERY = timedelta(minutes=10)
KEEP_EVERY = timedelta(hours=1)
ENDS_AT_ONCE, MOST_ENDS = 500, 20_000  # keys of ended process instances, in a statement and kept
ACTOR = Actor("system", "metrics")


def open_log_head(container: Container) -> CheckpointPublisher:
    """Return what signs the heads of the audit trail; the log's key is made or read first."""
    settings = container.settings
    publisher = CheckpointPublisher(
        container.database,
        container.log_key,
        container.store,
        every=settings.audit.checkpoint_interval,
        anchor_every=settings.audit.anchor_interval,
        time_stamper=container.time_stamper,
    )
    container.database.on(checkpoints.WANTED, publisher.wake)
    return publisher


def follow_clock(
    container: Container, client: PyzeebeEngineClient
) -> list[Relay | Sender | Periodic | RecorderMonitor]:
    """List the tasks that are due by the clock, and woken when it is turned."""
    return [
        Relay(container.database, client),
        Sender(
            container.database,
            channels_of(container.settings, container.database),
            Robots(container.settings).send,
            Apps(container.settings, container.database).send,
            ended_mail=Mailer(container.settings, container.database).send_by,
        ),
        consent_deadlines(container.database),
        ended_notices(container.database),
        daily_digests(container.database),
        hold_reviews(container.database, held.open_asked_lifts),
        inspections(container.database),
        kept_statistics(container.database),
        use_reports(container.database),
        site_keepers(container.database),
        outside_deadlines(container.database),
        agreement_reminders(container.database),
        account_ends(container.database),
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


def add_up_stages(database: Database, library: ModelLibrary) -> Periodic:
    """Return the task that adds up the stages of cases that have ended."""
    lease = Lease.between_runs(database, "stage-times", ADD_UP_EVERY)
    return Leased(lease, ADD_UP_EVERY, partial(database.run, ACTOR, add_up, library))


def check_cases(database: Database, client: PyzeebeEngineClient, engine: EngineInspection | None) -> Periodic:
    """Return the task that looks for open cases which the engine does not have, and for reviews of ended branches."""

    branches = EndedBranches(database, client, engine)

    async def check() -> None:
        await check_instances(database, client)
        await branches.close_ended()
        await database.run(ACTOR, _keep, "instances", runtime_metrics.INSTANCE_REGISTRY)

    return Leased(Lease.between_runs(database, "instances", CHECK_EVERY), CHECK_EVERY, check, at_once=False)


def keep_engine_models(database: Database, engine: EngineInspection) -> Periodic:
    """Return the task that keeps the models of the engine of this process which nobody has deployed on record."""
    task = Periodic("engine-models", KEEP_EVERY, partial(keep_models, database, engine))
    database.on(deployed_models.UNKNOWN, task.wake)
    return task


def close_reviews(database: Database, engine: EngineInspection) -> Periodic:
    """Return the task that closes the reviews of branches that the engine of this process ends, as it ends them."""
    ended = set[int]()

    async def close() -> bool:
        keys = set(islice(ended, ENDS_AT_ONCE))
        if keys:
            await close_of_ended_instances(database, keys)
        ended.difference_update(keys)
        return bool(ended)

    task = Periodic("ended-reviews", CHECK_EVERY, close, at_once=False)

    def note(keys: set[int]) -> None:
        if len(ended) < MOST_ENDS:  # beyond, ``check_cases`` finds them
            ended.update(keys)
        task.wake()

    engine.follow_ends(note)
    return task


def _count(uow: UnitOfWork) -> None:
    metrics.update_gauges(uow)
    uow.write(partial(_keep, task="metrics", registry=runtime_metrics.DATABASE_REGISTRY))


def _keep(uow: UnitOfWork, task: str, registry: CollectorRegistry) -> None:
    keep_counted(uow, task, generate_latest(registry).decode())
