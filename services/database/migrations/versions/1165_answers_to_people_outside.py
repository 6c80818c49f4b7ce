"""Deadlines towards people outside: the original letter after a telephone call, the answer to who was filmed; the
deletion of sealed card numbers

What was submitted before has no deadline; numbers of cases that have ended get their end from the daily deletion.
"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Json, Moment

revision = "1165"
down_revision = "1164"
branch_labels = None
depends_on = None

OPEN_LETTERS = sa.text("letter_due_at IS NOT NULL AND original_letter IS NULL")
OPEN_ANSWERS = sa.text("answer_due_at IS NOT NULL AND answered_at IS NULL")


def upgrade() -> None:
    op.add_column("applications", sa.Column("letter_first", sa.String(), nullable=True))
    op.add_column("applications", sa.Column("original_letter", Json, nullable=True))
    for name in ("letter_due_at", "letter_told_at", "answer_due_at", "answered_at", "answer_told_at"):
        op.add_column("applications", sa.Column(name, Moment(), nullable=True))
    for name, column, which in (
        ("ix_applications_letters", "letter_due_at", OPEN_LETTERS),
        ("ix_applications_answers", "answer_due_at", OPEN_ANSWERS),
    ):
        op.create_index(name, "applications", [column, "id"], sqlite_where=which, postgresql_where=which)
    for name in ("purge_after", "purged_at"):
        op.add_column("outsiders", sa.Column(name, Moment(), nullable=True))
    op.create_index("ix_outsiders_purge_after", "outsiders", ["purge_after"])
