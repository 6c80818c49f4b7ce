"""Disposal: the items of each batch, and what became of them

Masters that were re-archived before stay until a batch lists them; nothing was disposed of after a loan.
"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Json, Moment, Whole

revision = "1174"
down_revision = "1173"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "disposal_items",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("matter_id", sa.String(), nullable=False),
        sa.Column("position", Whole, nullable=False),
        sa.Column("master_id", sa.String(), nullable=False),
        sa.Column("application_id", sa.String(), nullable=False),
        sa.Column("facts", Json, nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("because", sa.String(), nullable=True),
        sa.Column("marked_by", sa.String(), nullable=True),
        sa.Column("results", Json, nullable=True),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["matter_id"], ["matters.id"], name=op.f("fk_disposal_items_matter_id")),
        sa.ForeignKeyConstraint(["master_id"], ["masters.id"], name=op.f("fk_disposal_items_master_id")),
        sa.ForeignKeyConstraint(["application_id"], ["applications.id"], name=op.f("fk_disposal_items_application_id")),
        sa.ForeignKeyConstraint(["marked_by"], ["people.id"], name=op.f("fk_disposal_items_marked_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disposal_items")),
        sa.UniqueConstraint("matter_id", "position", name=op.f("uq_disposal_items_matter_id")),
    )
    for name in ("master_id", "application_id"):
        op.create_index(op.f(f"ix_disposal_items_{name}"), "disposal_items", [name])
    op.create_index("ix_disposal_items_of_state", "disposal_items", ["matter_id", "state"])
    for name, columns, which, unique in (
        ("ix_disposal_items_open", ["master_id"], sa.text("state IN ('listed', 'left-out', 'due')"), True),
        ("ix_disposal_items_due", ["id"], sa.text("state = 'due'"), False),
    ):
        op.create_index(name, "disposal_items", columns, unique=unique, sqlite_where=which, postgresql_where=which)
    archived = sa.text("discarded_at IS NULL AND archived_at IS NOT NULL")
    op.create_index(
        "ix_masters_archived", "masters", ["dispose_after", "id"], sqlite_where=archived, postgresql_where=archived
    )
