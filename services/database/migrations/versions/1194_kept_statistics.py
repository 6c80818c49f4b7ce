"""Totals of the statistics

Months that are over are counted by the portal, and so are the stages of cases that have ended, a part at a time; until
then the statistics read what was written before.
"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Moment, Whole

revision = "1194"
down_revision = "1193"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "counted_months",
        sa.Column("month", sa.String(), nullable=False),
        sa.Column("counted_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("month", name=op.f("pk_counted_months")),
    )
    op.create_table(
        "month_counts",
        *(sa.Column(name, sa.String(), nullable=False) for name in ("month", "measure", "department_id", "kind")),
        sa.Column("number", Whole, nullable=False),
        sa.ForeignKeyConstraint(["month"], ["counted_months.month"], name=op.f("fk_month_counts_month")),
        sa.ForeignKeyConstraint(["department_id"], ["departments.id"], name=op.f("fk_month_counts_department_id")),
        sa.PrimaryKeyConstraint("month", "measure", "department_id", "kind", name=op.f("pk_month_counts")),
    )
    op.create_table(
        "stage_totals",
        *(sa.Column(name, sa.String(), nullable=False) for name in ("month", "stage", "department_id")),
        sa.Column("ended", Whole, nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("longest", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["department_id"], ["departments.id"], name=op.f("fk_stage_totals_department_id")),
        sa.PrimaryKeyConstraint("month", "stage", "department_id", name=op.f("pk_stage_totals")),
    )
    op.create_index("ix_stage_totals_department", "stage_totals", ["department_id", "month"])
    op.add_column("stage_visits", sa.Column("totalled", sa.Boolean(), server_default=sa.false(), nullable=False))
    where = sa.text("NOT totalled")
    op.create_index(
        "ix_stage_visits_to_total", "stage_visits", ["application_id"], sqlite_where=where, postgresql_where=where
    )
