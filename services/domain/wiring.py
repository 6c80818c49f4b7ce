"""What the domain adds to every unit of work: the audit trail's tree, the rules that hold, what has attachments.

And what a stage of review wants to be true before it is answered.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from services.database.engine import UNLIMITED
from services.database.unit_of_work import Database
from services.domain.applications import attached
from services.domain.attachments import subjects
from services.domain.audit import tree
from services.domain.custody import derivative_viewings
from services.domain.matters import attached as matters_attached
from services.domain.process import subjects as process_subjects
from services.domain.reviews import readiness
from services.domain.rules.overrides import RuleOverrides
from services.domain.storage import wiring as storage_wiring
from services.domain.supervision import wiring as supervision_wiring
from services.domain.work_orders import attached as work_orders_attached
from services.domain.work_orders import follow_ups
from services.runtime.clock import Clock
from services.runtime.rules import Rules, rules_of
from services.runtime.secret_box import SecretBox
from services.runtime.settings import Settings
from services.runtime.settings.database import DatabaseSettings


def open_database(
    url: str,
    clock: Clock,
    rules: Rules,
    *,
    secrets: SecretBox | None = None,
    recorder_secrets: SecretBox | None = None,
    real: Clock | None = None,
    connections: DatabaseSettings = UNLIMITED,
) -> Database:
    """Open the database at ``url`` (an SQLAlchemy address); ``rules`` are the environment's."""
    subjects.register("application", attached.SUBJECT)
    subjects.register("matter", matters_attached.SUBJECT)
    readiness.register(derivative_viewings.STAGE, derivative_viewings.require_ready)
    subjects.register("work-order", work_orders_attached.SUBJECT)
    process_subjects.register("work-order", work_orders_attached.is_over)
    follow_ups.register()
    storage_wiring.register()
    supervision_wiring.register()
    return Database(
        url,
        clock,
        rules,
        append_events=tree.append,
        read_rules=RuleOverrides().rules,
        secrets=secrets,
        recorder_secrets=recorder_secrets,
        real=real,
        connections=connections,
    )


@contextmanager
def command_database(settings: Settings, clock: Clock) -> Iterator[Database]:
    """Open the database for the block, of a command that an operator waits for: no statement has a limit."""
    connections = settings.database.without_limits
    database = open_database(settings.database_address, clock, rules_of(settings), connections=connections)
    try:
        yield database
    finally:
        database.close()
