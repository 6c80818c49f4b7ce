"""Redacted copies: what is made of which copy by which recipe, and each run that makes one"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Json, Moment, Whole

revision = "1171"
down_revision = "1170"
branch_labels = None
depends_on = None

TO_MAKE = sa.text("made_at IS NULL AND failed_at IS NULL AND ended_at IS NULL")
KEPT = sa.text("made_at IS NOT NULL AND discarded_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "derivatives",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("matter_id", sa.String(), nullable=False),
        sa.Column("application_id", sa.String(), nullable=False),
        sa.Column("item_id", sa.String(), nullable=False),
        sa.Column("copy_id", sa.String(), nullable=False),
        sa.Column("master_id", sa.String(), nullable=False),
        sa.Column("recipe", Json, nullable=False),
        sa.Column("recipe_sha256", sa.String(), nullable=False),
        sa.Column("queued_at", Moment(), nullable=False),
        sa.Column("attempt_id", sa.String(), nullable=True),
        sa.Column("made_at", Moment(), nullable=True),
        sa.Column("sealed", Json, nullable=True),
        sa.Column("facts", Json, nullable=True),
        sa.Column("label_sha256", sa.String(), nullable=True),
        sa.Column("failed_at", Moment(), nullable=True),
        sa.Column("failed_because", sa.String(), nullable=True),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.Column("approved_at", Moment(), nullable=True),
        sa.Column("retain_until", Moment(), nullable=True),
        sa.Column("key_destroyed_at", Moment(), nullable=True),
        sa.Column("discarded_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["matter_id"], ["matters.id"], name=op.f("fk_derivatives_matter_id")),
        sa.ForeignKeyConstraint(["application_id"], ["applications.id"], name=op.f("fk_derivatives_application_id")),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name=op.f("fk_derivatives_item_id")),
        sa.ForeignKeyConstraint(["copy_id"], ["copies.id"], name=op.f("fk_derivatives_copy_id")),
        sa.ForeignKeyConstraint(["master_id"], ["masters.id"], name=op.f("fk_derivatives_master_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_derivatives")),
        sa.UniqueConstraint("matter_id", name=op.f("uq_derivatives_matter_id")),
    )
    op.create_index(
        "ix_derivatives_to_make", "derivatives", ["queued_at", "id"], sqlite_where=TO_MAKE, postgresql_where=TO_MAKE
    )
    op.create_index(
        "ix_derivatives_kept", "derivatives", ["retain_until", "id"], sqlite_where=KEPT, postgresql_where=KEPT
    )
    op.create_table(
        "derivative_attempts",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("derivative_id", sa.String(), nullable=False),
        sa.Column("bucket", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("started_at", Moment(), nullable=False),
        sa.Column("pictures", Whole, nullable=False),
        sa.Column("reached_ms", Whole, nullable=False),
        sa.Column("finished_at", Moment(), nullable=True),
        sa.Column("abandoned_at", Moment(), nullable=True),
        sa.Column("abandoned_because", sa.String(), nullable=True),
        sa.Column("swept_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(
            ["derivative_id"], ["derivatives.id"], name=op.f("fk_derivative_attempts_derivative_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_derivative_attempts")),
        sa.UniqueConstraint("key", name=op.f("uq_derivative_attempts_key")),
    )
    for table, column in (
        ("derivatives", "application_id"),
        ("derivatives", "copy_id"),
        ("derivative_attempts", "derivative_id"),
    ):
        op.create_index(op.f(f"ix_{table}_{column}"), table, [column])
