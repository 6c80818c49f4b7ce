"""Whom copies are offered to where another custodian was named than the form's, or had those that are replaced"""

import sqlalchemy as sa
from alembic import op

revision = "1204"
down_revision = "1203"
branch_labels = None
depends_on = None

NAMED = sa.text("named_custodian_id IS NOT NULL")


def upgrade() -> None:
    # in the column itself: SQLite would make the table anew, which others refer to
    person = sa.ForeignKey("people.id", name=op.f("fk_applications_named_custodian_id"))
    column = sa.Column("named_custodian_id", sa.String(), person, nullable=True)
    op.add_column("applications", column, inline_references=True)
    op.create_index(
        "ix_applications_named_custodian",
        "applications",
        ["named_custodian_id"],
        sqlite_where=NAMED,
        postgresql_where=NAMED,
    )
