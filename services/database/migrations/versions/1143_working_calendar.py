"""The working calendar, and of each review why it is due when it is

Open reviews keep the moment that they were opened with; nothing is known of its reason.
"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Json, Moment, Whole

revision = "1143"
down_revision = "1142"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "calendar_years",
        sa.Column("seq", Whole, autoincrement=True, nullable=False),
        sa.Column("year", Whole, nullable=False),
        sa.Column("days", Json, nullable=False),
        sa.Column("imported_at", Moment(), nullable=False),
        sa.Column("imported_by", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["imported_by"], ["people.id"], name=op.f("fk_calendar_years_imported_by")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_calendar_years")),
    )
    op.create_index(op.f("ix_calendar_years_year"), "calendar_years", ["year"])
    op.add_column("reviews", sa.Column("first_reminder_at", Moment(), nullable=True))
    op.add_column("reviews", sa.Column("due_reason", Json, nullable=True))
