"""Rolling verification of masters and replicas; damaged versions; the runs of the daily maintenance

What was stored before was last compared with what was sealed when it was stored, or when its replica was read back.
"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Json, Moment, Whole

revision = "1175"
down_revision = "1174"
branch_labels = None
depends_on = None

TO_VERIFY = sa.text("discarded_at IS NULL AND unneeded_at IS NULL")
SUSPECT = sa.text("suspect_since IS NOT NULL")
KEPT = sa.text("removed_at IS NULL")
UNEXAMINED = sa.text("examined_at IS NULL")


def upgrade() -> None:
    for name in ("last_verified_at", "replica_last_verified_at", "suspect_since"):
        op.add_column("masters", sa.Column(name, Moment(), nullable=True))
    op.execute("UPDATE masters SET last_verified_at = retrieved_at, replica_last_verified_at = replica_verified_at")
    for name, column, which in (
        ("ix_masters_to_verify", "last_verified_at", TO_VERIFY),
        ("ix_masters_replicas_to_verify", "replica_last_verified_at", TO_VERIFY),
        ("ix_masters_suspect", "suspect_since", SUSPECT),
    ):
        op.create_index(name, "masters", [column, "id"], sqlite_where=which, postgresql_where=which)
    op.create_table(
        "maintenance_runs",
        sa.Column("day", sa.String(), nullable=False),
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("began_at", Moment(), nullable=False),
        sa.Column("heartbeat_at", Moment(), nullable=False),
        sa.Column("holder", sa.String(), nullable=True),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.Column("bytes_read", Whole, nullable=False),
        sa.Column("counts", Json, nullable=False),
        sa.PrimaryKeyConstraint("day", "task", name=op.f("pk_maintenance_runs")),
    )
    op.create_table(
        "damages",
        *(
            sa.Column(name, sa.String(), nullable=False)
            for name in ("id", "master_id", "application_id", "place", "bucket", "key", "version_id", "sha256")
        ),
        sa.Column("faults", Json, nullable=False),
        sa.Column("found_at", Moment(), nullable=False),
        sa.Column("repaired_at", Moment(), nullable=True),
        sa.Column("repaired_as", Json, nullable=True),
        sa.Column("unrepaired_because", sa.String(), nullable=True),
        sa.Column("examined_by", sa.String(), nullable=True),
        sa.Column("examined_at", Moment(), nullable=True),
        sa.Column("examined_as", sa.String(), nullable=True),
        sa.Column("removed_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["master_id"], ["masters.id"], name=op.f("fk_damages_master_id")),
        sa.ForeignKeyConstraint(["application_id"], ["applications.id"], name=op.f("fk_damages_application_id")),
        sa.ForeignKeyConstraint(["examined_by"], ["people.id"], name=op.f("fk_damages_examined_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_damages")),
        sa.UniqueConstraint("place", "key", "version_id", name=op.f("uq_damages_place")),
    )
    op.create_index(op.f("ix_damages_master_id"), "damages", ["master_id"])
    op.create_index("ix_damages_kept", "damages", ["key"], sqlite_where=KEPT, postgresql_where=KEPT)
    op.create_index(
        "ix_damages_unexamined",
        "damages",
        ["application_id"],
        sqlite_where=UNEXAMINED,
        postgresql_where=UNEXAMINED,
    )
