"""Open violations, lifted holds and what was fetched of a copy by an index: each list and count read all of them

The order of lifted holds of one moment turns round with it, which nobody relies on.
"""

import sqlalchemy as sa
from alembic import op

revision = "1163"
down_revision = "1159"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name, table, columns, condition in (
        ("ix_violations_open", "violations", ["severity"], "closed_at IS NULL"),
        ("ix_holds_lifted", "holds", ["lifted_at", "id"], "lifted_at IS NOT NULL"),
    ):
        where = sa.text(condition)
        op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)
    op.create_index(op.f("ix_disclosure_downloads_copy_id"), "disclosure_downloads", ["copy_id"])
