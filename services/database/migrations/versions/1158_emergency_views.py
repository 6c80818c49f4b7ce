"""Emergency views of urgent retrievals: copies under keys of their own, grants to see them, and each look"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Json, Moment, Whole

revision = "1158"
down_revision = "1157"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "emergency_copies",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("matter_id", sa.String(), nullable=False),
        sa.Column("application_id", sa.String(), nullable=False),
        sa.Column("item_id", sa.String(), nullable=False),
        sa.Column("attempt_id", sa.String(), nullable=False),
        sa.Column("made_at", Moment(), nullable=False),
        sa.Column("sealed", Json, nullable=False),
        sa.Column("key_destroyed_at", Moment(), nullable=True),
        sa.Column("discarded_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["matter_id"], ["matters.id"], name=op.f("fk_emergency_copies_matter_id")),
        sa.ForeignKeyConstraint(
            ["application_id"], ["applications.id"], name=op.f("fk_emergency_copies_application_id")
        ),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name=op.f("fk_emergency_copies_item_id")),
        sa.ForeignKeyConstraint(["attempt_id"], ["upload_attempts.id"], name=op.f("fk_emergency_copies_attempt_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_emergency_copies")),
        sa.UniqueConstraint("item_id", name=op.f("uq_emergency_copies_item_id")),
        sa.UniqueConstraint("attempt_id", name=op.f("uq_emergency_copies_attempt_id")),
    )
    op.create_table(
        "emergency_grants",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("matter_id", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("since", Moment(), nullable=False),
        sa.Column("until", Moment(), nullable=False),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.Column("ended_because", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["matter_id"], ["matters.id"], name=op.f("fk_emergency_grants_matter_id")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_emergency_grants_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_emergency_grants")),
        sa.UniqueConstraint("matter_id", "person_id", name=op.f("uq_emergency_grants_matter_id")),
    )
    op.create_table(
        "emergency_viewings",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("copy_id", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("opened_at", Moment(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("last_read_at", Moment(), nullable=True),
        sa.Column("reads", Whole, nullable=False),
        sa.Column("bytes_read", Whole, nullable=False),
        sa.Column("ranges", Json, nullable=False),
        sa.ForeignKeyConstraint(["copy_id"], ["emergency_copies.id"], name=op.f("fk_emergency_viewings_copy_id")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_emergency_viewings_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_emergency_viewings")),
    )
    for table, column in (
        ("emergency_copies", "matter_id"),
        ("emergency_copies", "application_id"),
        ("emergency_grants", "matter_id"),
        ("emergency_grants", "person_id"),
        ("emergency_viewings", "copy_id"),
        ("emergency_viewings", "person_id"),
    ):
        op.create_index(op.f(f"ix_{table}_{column}"), table, [column])
