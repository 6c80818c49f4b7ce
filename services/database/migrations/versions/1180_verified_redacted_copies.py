"""Redacted copies are read again as masters are: when each was, and what was found damaged"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Json, Moment

revision = "1180"
down_revision = "1179"
branch_labels = None
depends_on = None

KEPT = sa.text("made_at IS NOT NULL AND discarded_at IS NULL")


def upgrade() -> None:
    op.add_column("derivatives", sa.Column("last_verified_at", Moment(), nullable=True))
    op.add_column("derivatives", sa.Column("damaged_at", Moment(), nullable=True))
    op.add_column("derivatives", sa.Column("damaged_as", Json, nullable=True))
    op.execute("UPDATE derivatives SET last_verified_at = made_at WHERE made_at IS NOT NULL")
    op.create_index(
        "ix_derivatives_verified",
        "derivatives",
        ["last_verified_at", "id"],
        sqlite_where=KEPT,
        postgresql_where=KEPT,
    )
