"""Violations that a problem report has found, once for each report

A violation that is there was found by none.
"""

import sqlalchemy as sa
from alembic import op

revision = "1152"
down_revision = "1150"
branch_labels = None
depends_on = None

UNDATED = sa.text("due_at IS NULL AND problem_id IS NULL")


def upgrade() -> None:
    op.drop_index("uq_violations_undated", table_name="violations")
    # in the column itself: SQLite would make the table anew, which others refer to
    of_matter = sa.ForeignKey("matters.id", name=op.f("fk_violations_problem_id"))
    op.add_column("violations", sa.Column("problem_id", sa.String(), of_matter, nullable=True), inline_references=True)
    op.create_index(op.f("ix_violations_problem_id"), "violations", ["problem_id"], unique=True)
    op.create_index(
        *("uq_violations_undated", "violations", ["hand_over_id", "kind"]),
        unique=True,
        sqlite_where=UNDATED,
        postgresql_where=UNDATED,
    )
