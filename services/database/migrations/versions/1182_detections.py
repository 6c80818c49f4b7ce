"""Detections: boxes that the face detector proposes for a copy"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Json, Moment, Whole

revision = "1182"
down_revision = "1178"
branch_labels = None
depends_on = None

TO_MAKE = sa.text("made_at IS NULL AND failed_at IS NULL AND ended_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "detections",
        *(sa.Column(name, sa.String(), nullable=False) for name in ("id", "application_id", "copy_id", "asked_by")),
        sa.Column("tool", Json, nullable=False),
        sa.Column("queued_at", Moment(), nullable=False),
        *(sa.Column(name, Whole, nullable=False) for name in ("runs", "excused", "pictures", "reached_ms")),
        sa.Column("made_at", Moment(), nullable=True),
        sa.Column("proposals", Json, nullable=True),
        sa.Column("facts", Json, nullable=True),
        sa.Column("failed_at", Moment(), nullable=True),
        sa.Column("failed_because", sa.String(), nullable=True),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["application_id"], ["applications.id"], name=op.f("fk_detections_application_id")),
        sa.ForeignKeyConstraint(["copy_id"], ["copies.id"], name=op.f("fk_detections_copy_id")),
        sa.ForeignKeyConstraint(["asked_by"], ["people.id"], name=op.f("fk_detections_asked_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_detections")),
    )
    for name in ("application_id", "copy_id"):
        op.create_index(op.f(f"ix_detections_{name}"), "detections", [name])
    op.create_index(
        "ix_detections_to_make",
        "detections",
        ["queued_at", "id"],
        sqlite_where=TO_MAKE,
        postgresql_where=TO_MAKE,
    )
