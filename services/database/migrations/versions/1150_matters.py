"""Matters: what is decided about a case besides its application, with the reviews, decisions and messages about them

Every review, decision and message that is there is about an application, so that its ``matter_id`` stays empty.
"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Json, Moment, Whole

revision = "1150"
down_revision = "1149"
branch_labels = None
depends_on = None

UNDER_WAY = sa.text("closed_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "matters",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("application_id", sa.String(), nullable=False),
        sa.Column("hand_over_id", sa.String(), nullable=True),
        sa.Column("opened_by", sa.String(), nullable=True),
        sa.Column("opened_at", Moment(), nullable=False),
        sa.Column("counterpart_id", sa.String(), nullable=True),
        sa.Column("facts", Json, nullable=False),
        sa.Column("facts_sha256", sa.String(), nullable=False),
        sa.Column("process_instance_key", Whole, nullable=True),
        sa.Column("route", Json, nullable=True),
        sa.Column("applied_at", Moment(), nullable=True),
        sa.Column("closed_at", Moment(), nullable=True),
        sa.Column("closed_as", sa.String(), nullable=True),
        sa.Column("outcome", Json, nullable=True),
        sa.ForeignKeyConstraint(["application_id"], ["applications.id"], name=op.f("fk_matters_application_id")),
        sa.ForeignKeyConstraint(["hand_over_id"], ["hand_overs.id"], name=op.f("fk_matters_hand_over_id")),
        sa.ForeignKeyConstraint(["opened_by"], ["people.id"], name=op.f("fk_matters_opened_by")),
        sa.ForeignKeyConstraint(["counterpart_id"], ["people.id"], name=op.f("fk_matters_counterpart_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_matters")),
        sa.UniqueConstraint("number", name=op.f("uq_matters_number")),
    )
    for name in ("application_id", "opened_by", "counterpart_id"):
        op.create_index(op.f(f"ix_matters_{name}"), "matters", [name])
    op.create_index(
        "ix_matters_under_way", "matters", ["opened_at", "id"], sqlite_where=UNDER_WAY, postgresql_where=UNDER_WAY
    )
    op.create_index("ix_matters_opened", "matters", ["opened_at", "id"])
    op.create_index("ix_matters_of_hand_over", "matters", ["hand_over_id", "kind"])
    for name in ("purpose", "way_of_use"):
        op.add_column("hand_overs", sa.Column(name, sa.String(), nullable=True))
    for table in ("reviews", "decisions", "outbox"):
        op.add_column(table, sa.Column("matter_id", sa.String(), nullable=True))
        op.create_index(op.f(f"ix_{table}_matter_id"), table, ["matter_id"])
