"""Violations that a problem report has found, once for each report

A violation that is there was found by none.
"""

import sqlalchemy as sa
from alembic import op

revision = "1152"
down_revision = "1151"
branch_labels = None
depends_on = None

UNDATED = sa.text("due_at IS NULL AND problem_id IS NULL")


def upgrade() -> None:
    op.drop_index("uq_violations_undated", table_name="violations")
    with op.batch_alter_table("violations", reflect_kwargs={"resolve_fks": False}) as table:
        table.add_column(sa.Column("problem_id", sa.String(), nullable=True))
        table.create_foreign_key(op.f("fk_violations_problem_id"), "matters", ["problem_id"], ["id"])
        table.create_unique_constraint(op.f("uq_violations_problem_id"), ["problem_id"])
    op.create_index(
        *("uq_violations_undated", "violations", ["hand_over_id", "kind"]),
        unique=True,
        sqlite_where=UNDATED,
        postgresql_where=UNDATED,
    )
