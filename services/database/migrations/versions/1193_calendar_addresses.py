"""Addresses of personal calendars of due dates"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Moment

revision = "1193"
down_revision = "1191"
branch_labels = None
depends_on = None

OPEN = sa.text("ended_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "calendar_addresses",
        *(sa.Column(name, sa.String(), nullable=False) for name in ("id", "person_id", "secret_sha256")),
        sa.Column("made_at", Moment(), nullable=False),
        sa.Column("fetched_at", Moment(), nullable=True),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_calendar_addresses_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendar_addresses")),
        sa.UniqueConstraint("secret_sha256", name=op.f("uq_calendar_addresses_secret_sha256")),
    )
    op.create_index(
        "ix_calendar_addresses_open",
        "calendar_addresses",
        ["person_id"],
        unique=True,
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    )
