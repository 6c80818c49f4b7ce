"""Open violations, lifted holds and what was fetched of a copy by an index: each list and count read all of them

A leak that comes after an earlier one was decided is another violation, so the key of those without a due date holds
for the open ones alone. The order of lifted holds of one moment turns round, which nobody relies on.
"""

import sqlalchemy as sa
from alembic import op

revision = "1163"
down_revision = "1161"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("uq_violations_undated", table_name="violations")
    undated = "due_at IS NULL AND problem_id IS NULL AND closed_at IS NULL"
    for name, table, columns, condition in (
        ("uq_violations_undated", "violations", ["hand_over_id", "kind"], undated),
        ("ix_violations_open", "violations", ["severity"], "closed_at IS NULL"),
        ("ix_holds_lifted", "holds", ["lifted_at", "id"], "lifted_at IS NOT NULL"),
    ):
        where = sa.text(condition)
        unique = name.startswith("uq_")
        op.create_index(name, table, columns, unique=unique, sqlite_where=where, postgresql_where=where)
    op.create_index(op.f("ix_disclosure_downloads_copy_id"), "disclosure_downloads", ["copy_id"])
