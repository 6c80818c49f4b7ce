"""What the domain adds to every unit of work: the audit trail's tree, the rules that hold, what has attachments.

And what a stage of review wants to be true before it is answered, and what its answer does at once.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from services.database.engine import UNLIMITED
from services.database.unit_of_work import Database
from services.domain.audit import tree
from services.domain.rules.overrides import RuleOverrides
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
    _register()
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


def _register() -> None:
    """Register what capabilities add to those before them; again is no error."""
    from services.domain.applications import attached  # noqa: PLC0415 - these load the whole domain, which a command that opens no database does without
    from services.domain.attachments import subjects  # noqa: PLC0415 - as above
    from services.domain.custody import derivative_viewings, unaccounted  # noqa: PLC0415 - as above
    from services.domain.matters import attached as matters_attached  # noqa: PLC0415 - as above
    from services.domain.matters.kinds import custody_transfer, recall  # noqa: PLC0415 - as above
    from services.domain.process import subjects as process_subjects  # noqa: PLC0415 - as above
    from services.domain.reviews import effects, readiness  # noqa: PLC0415 - as above
    from services.domain.storage import wiring as storage_wiring  # noqa: PLC0415 - as above
    from services.domain.supervision import attached as groups_attached  # noqa: PLC0415 - as above
    from services.domain.supervision import wiring as supervision_wiring  # noqa: PLC0415 - as above
    from services.domain.work_orders import access_reviews, downloads, follow_ups  # noqa: PLC0415 - as above
    from services.domain.work_orders import attached as work_orders_attached  # noqa: PLC0415 - as above

    subjects.register("application", attached.SUBJECT)
    subjects.register("matter", matters_attached.SUBJECT)
    readiness.register(derivative_viewings.STAGE, derivative_viewings.require_ready)
    readiness.register(custody_transfer.STAGE, custody_transfer.require_ready)
    effects.register(recall.STAGE, recall.keep_closed)
    subjects.register("work-order", work_orders_attached.SUBJECT)
    subjects.register("supervision-group", groups_attached.SUBJECT)
    process_subjects.register("work-order", work_orders_attached.is_over)
    follow_ups.register()
    downloads.register()
    unaccounted.register(downloads.KIND, downloads.ask)
    access_reviews.register()
    storage_wiring.register()
    supervision_wiring.register()


@contextmanager
def command_database(settings: Settings, clock: Clock) -> Iterator[Database]:
    """Open the database for the block, of a command that an operator waits for: no statement has a limit."""
    connections = settings.database.without_limits
    database = open_database(settings.database_address, clock, rules_of(settings), connections=connections)
    try:
        yield database
    finally:
        database.close()
