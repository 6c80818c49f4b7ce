"""The health of devices as it was last read, which store a device carries, and accesses that were refused"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Json, Moment

revision = "1178"
down_revision = "1185"
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
    op.create_table(
        "access_refusals",
        *(sa.Column(name, sa.String(), nullable=False) for name in ("id", "person_id", "cause", "code", "asked")),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("application_id", sa.String(), nullable=True),
        sa.Column("told", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_access_refusals_person_id")),
        sa.ForeignKeyConstraint(
            ["application_id"], ["applications.id"], name=op.f("fk_access_refusals_application_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_refusals")),
    )
    op.create_index("ix_access_refusals_of_person", "access_refusals", ["person_id", "at"])
    op.create_index(op.f("ix_access_refusals_application_id"), "access_refusals", ["application_id"])
