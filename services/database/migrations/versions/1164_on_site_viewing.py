"""On-site viewing: sittings, which viewing belongs to which, and why more than viewing on site is asked for

No viewing before belongs to a sitting. Applications of before were not asked why, and are not asked any more.
"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Json, Moment, Whole

revision = "1164"
down_revision = "1163"
branch_labels = None
depends_on = None

NOT_CLOSED = sa.text("closed_at IS NULL")


def upgrade() -> None:
    op.add_column("applications", sa.Column("way_of_use_because", sa.String(), nullable=True))
    op.create_table(
        "sittings",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        *(
            sa.Column(name, sa.String(), nullable=False)
            for name in ("application_id", "hand_over_id", "companion_id", "station", "address", "purpose")
        ),
        sa.Column("present", Json, nullable=False),
        sa.Column("opened_at", Moment(), nullable=False),
        sa.Column("confirmed_at", Moment(), nullable=False),
        sa.Column("interval_seconds", Whole, nullable=False),
        sa.Column("closed_at", Moment(), nullable=True),
        sa.Column("closed_by", sa.String(), nullable=True),
        sa.Column("closed_as", sa.String(), nullable=True),
        sa.Column("departure", Json, nullable=True),
        sa.Column("statement_sha256", sa.String(), nullable=True),
        sa.Column("signature", Json, nullable=True),
        sa.ForeignKeyConstraint(["application_id"], ["applications.id"], name=op.f("fk_sittings_application_id")),
        sa.ForeignKeyConstraint(["hand_over_id"], ["hand_overs.id"], name=op.f("fk_sittings_hand_over_id")),
        sa.ForeignKeyConstraint(["companion_id"], ["people.id"], name=op.f("fk_sittings_companion_id")),
        sa.ForeignKeyConstraint(["closed_by"], ["people.id"], name=op.f("fk_sittings_closed_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sittings")),
        sa.UniqueConstraint("number", name=op.f("uq_sittings_number")),
    )
    for name in ("application_id", "hand_over_id", "companion_id"):
        op.create_index(op.f(f"ix_sittings_{name}"), "sittings", [name])
    op.create_index(
        "ix_sittings_not_closed",
        "sittings",
        ["hand_over_id"],
        unique=True,
        sqlite_where=NOT_CLOSED,
        postgresql_where=NOT_CLOSED,
    )
    op.add_column(
        "viewings",
        sa.Column(
            "sitting_id", sa.String(), sa.ForeignKey("sittings.id", name=op.f("fk_viewings_sitting_id")), nullable=True
        ),
        inline_references=True,
    )
    op.create_index(op.f("ix_viewings_sitting_id"), "viewings", ["sitting_id"])
    op.add_column("viewings", sa.Column("ended_at", Moment(), nullable=True))
