"""What runs beside the portal: relay, notices, consents, recorders, figures, and the signed heads of the log."""

from collections.abc import Mapping
from datetime import timedelta
from functools import partial

from services.app.container import Container
from services.database.unit_of_work import Actor, Database
from services.domain.applications.joint import consent_deadlines
from services.domain.audit.checkpoint_publisher import CheckpointPublisher
from services.domain.cameras.recorder_monitor import RecorderMonitor
from services.domain.cases import metrics
from services.domain.cases.stage_times import add_up
from services.domain.notifications.channels.sender import Sender, channels_of
from services.domain.process.instances import check_instances
from services.domain.process.relay import Relay
from services.runtime.engine_client import PyzeebeEngineClient
from services.runtime.models import Model
from services.runtime.periodic import Periodic

COUNT_EVERY = timedelta(seconds=30)
CHECK_EVERY = timedelta(minutes=5)
ADD_UP_EVERY = timedelta(minutes=10)


def open_log_head(container: Container) -> CheckpointPublisher:
    """Make or read the log's key."""
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
        RecorderMonitor(container.database, container.recorders, container.settings.recorders.probe_interval),
    ]


def count(database: Database) -> Periodic:
    """Return the task that counts what the metrics say of the database."""
    return Periodic("metrics", COUNT_EVERY, partial(database.run, Actor("system", "metrics"), metrics.update_gauges))


def add_up_stages(database: Database, models: Mapping[str, Model]) -> Periodic:
    """Return the task that adds up the stages of cases that have ended."""
    return Periodic("stage-times", ADD_UP_EVERY, partial(database.run, Actor("system", "metrics"), add_up, models))


def check_cases(database: Database, client: PyzeebeEngineClient) -> Periodic:
    """Return the task that looks for open cases which the engine does not have."""

    async def check() -> None:
        await check_instances(database, client)

    return Periodic("instances", CHECK_EVERY, check, at_once=False)
