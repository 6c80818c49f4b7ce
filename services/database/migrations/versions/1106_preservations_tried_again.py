"""Which items could not be preserved, and when each is tried again

Those that had failed before, and whose case has not ended, are tried at once.
"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Moment, Whole

revision = "1106"
down_revision = "1105"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "failed_preservations",
        sa.Column("item_id", sa.String(), nullable=False),
        sa.Column("application_id", sa.String(), nullable=False),
        sa.Column("job_key", Whole, nullable=False),
        sa.Column("failures", Whole, nullable=False),
        sa.Column("failed_at", Moment(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("next_try_at", Moment(), nullable=True),
        sa.Column("claimed_until", Moment(), nullable=True),
        sa.ForeignKeyConstraint(
            ["application_id"], ["applications.id"], name=op.f("fk_failed_preservations_application_id")
        ),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name=op.f("fk_failed_preservations_item_id")),
        sa.PrimaryKeyConstraint("item_id", name=op.f("pk_failed_preservations")),
    )
    op.create_index(op.f("ix_failed_preservations_application_id"), "failed_preservations", ["application_id"])
    where = sa.text("next_try_at IS NOT NULL")
    op.create_index(
        "ix_failed_preservations_due",
        "failed_preservations",
        ["next_try_at"],
        sqlite_where=where,
        postgresql_where=where,
    )
    op.execute(
        "INSERT INTO failed_preservations"
        " (item_id, application_id, job_key, failures, failed_at, code, next_try_at)"
        " SELECT p.item_id, p.application_id,"
        " coalesce((SELECT max(u.job_key) FROM upload_attempts u"
        " WHERE u.item_id = p.item_id AND u.purpose = 'quarantine'), 0),"
        " p.attempts, p.last_error_at, p.last_error, p.last_error_at"
        " FROM progress p JOIN applications a ON a.id = p.application_id"
        " WHERE p.purpose = 'quarantine' AND p.last_error IS NOT NULL AND p.last_error_at IS NOT NULL"
        " AND a.closed_at IS NULL AND a.withdrawn_at IS NULL"
    )
