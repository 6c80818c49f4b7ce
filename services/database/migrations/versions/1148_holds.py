"""Legal holds, and what a closed case keeps for an appeal or while it is held

A case that has ended has left nothing: what it had in the quarantine was discarded when it ended.
"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Json, Moment

revision = "1148"
down_revision = "1147"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "holds",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("application_id", sa.String(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("placed_by", sa.String(), nullable=False),
        sa.Column("placed_at", Moment(), nullable=False),
        sa.Column("owner_id", sa.String(), nullable=False),
        sa.Column("review_at", Moment(), nullable=False),
        sa.Column("reminded_at", Moment(), nullable=True),
        sa.Column("lift_asked_by", sa.String(), nullable=True),
        sa.Column("lift_asked_at", Moment(), nullable=True),
        sa.Column("lifted_at", Moment(), nullable=True),
        sa.Column("lifted_by", sa.String(), nullable=True),
        sa.Column("lifted_because", sa.String(), nullable=True),
        sa.Column("lift_signature", Json, nullable=True),
        sa.Column("matter_id", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["application_id"], ["applications.id"], name=op.f("fk_holds_application_id")),
        sa.ForeignKeyConstraint(["placed_by"], ["people.id"], name=op.f("fk_holds_placed_by")),
        sa.ForeignKeyConstraint(["owner_id"], ["people.id"], name=op.f("fk_holds_owner_id")),
        sa.ForeignKeyConstraint(["lift_asked_by"], ["people.id"], name=op.f("fk_holds_lift_asked_by")),
        sa.ForeignKeyConstraint(["lifted_by"], ["people.id"], name=op.f("fk_holds_lifted_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holds")),
    )
    op.create_index(op.f("ix_holds_application_id"), "holds", ["application_id"])
    for name, column in (("ix_holds_open", "application_id"), ("ix_holds_review", "review_at")):
        is_open = sa.text("lifted_at IS NULL")
        op.create_index(name, "holds", [column], sqlite_where=is_open, postgresql_where=is_open)
    op.add_column("applications", sa.Column("appeal_until", Moment(), nullable=True))
    op.add_column("applications", sa.Column("discard_after", Moment(), nullable=True))
    for table in ("masters", "documents"):
        op.add_column(table, sa.Column("held_since", Moment(), nullable=True))
    for name, columns, where in (
        ("ix_applications_to_discard", ["discard_after", "id"], sa.text("discard_after IS NOT NULL")),
        ("ix_applications_appeals", ["previous_id"], sa.text("previous_id IS NOT NULL")),
    ):
        op.create_index(name, "applications", columns, sqlite_where=where, postgresql_where=where)
