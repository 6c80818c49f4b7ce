"""What recorders were asked: their clocks, what they promise, what they protect, how far back they reach"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Json, Moment

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("recorders", schema=None) as batch_op:
        batch_op.add_column(sa.Column("clock_measured_at", Moment(), nullable=True))
    # What is known of a clock was measured when its recorder answered last.
    op.execute("UPDATE recorders SET clock_measured_at = last_seen_at WHERE clock_offset_ms IS NOT NULL")

    with op.batch_alter_table("items", schema=None) as batch_op:
        batch_op.add_column(sa.Column("promised", Json, nullable=True))

    op.create_table(
        "protections",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("application_id", sa.String(), nullable=False),
        sa.Column("item_id", sa.String(), nullable=False),
        sa.Column("recorder_id", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("span_start", Moment(), nullable=False),
        sa.Column("span_end", Moment(), nullable=False),
        sa.Column("asked_at", Moment(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.Column("released_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["application_id"], ["applications.id"], name=op.f("fk_protections_application_id")),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name=op.f("fk_protections_item_id")),
        sa.ForeignKeyConstraint(["recorder_id"], ["recorders.id"], name=op.f("fk_protections_recorder_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_protections")),
    )
    with op.batch_alter_table("protections", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_protections_application_id"), ["application_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_protections_item_id"), ["item_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_protections_recorder_id"), ["recorder_id"], unique=False)

    op.create_table(
        "reaches",
        sa.Column("camera_id", sa.String(), nullable=False),
        sa.Column("day", sa.String(), nullable=False),
        sa.Column("measured_at", Moment(), nullable=False),
        sa.Column("oldest_frame_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["camera_id"], ["cameras.id"], name=op.f("fk_reaches_camera_id")),
        sa.PrimaryKeyConstraint("camera_id", "day", name=op.f("pk_reaches")),
    )


def downgrade() -> None:
    op.drop_table("reaches")
    op.drop_table("protections")
    with op.batch_alter_table("items", schema=None) as batch_op:
        batch_op.drop_column("promised")
    with op.batch_alter_table("recorders", schema=None) as batch_op:
        batch_op.drop_column("clock_measured_at")
