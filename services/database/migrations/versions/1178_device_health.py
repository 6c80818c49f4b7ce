"""The health of devices as it was last read, and which store of footage a device carries"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Json, Moment

revision = "1178"
down_revision = "1176"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("devices", sa.Column("store", sa.String(), nullable=True))
    op.create_table(
        "device_health",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("recorder_id", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("since", Moment(), nullable=False),
        sa.Column("told_at", Moment(), nullable=True),
        sa.Column("asked_at", Moment(), nullable=False),
        *(sa.Column(name, Json, nullable=False) for name in ("findings", "figures", "disks")),
        sa.Column("failure", Json, nullable=True),
        sa.ForeignKeyConstraint(["recorder_id"], ["recorders.id"], name=op.f("fk_device_health_recorder_id")),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_device_health")),
        sa.UniqueConstraint("recorder_id", name=op.f("uq_device_health_recorder_id")),
    )
