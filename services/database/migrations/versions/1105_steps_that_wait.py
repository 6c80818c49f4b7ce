"""For what a process step waits, since when and until when

Steps that are there wait for nothing.
"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Moment

revision = "1105"
down_revision = "1100"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("process_steps", sa.Column("waiting_for", sa.String(), nullable=True))
    for name in ("waiting_since", "next_try_at", "waiting_until"):
        op.add_column("process_steps", sa.Column(name, Moment(), nullable=True))
    where = sa.text("waiting_since IS NOT NULL")
    op.create_index(
        "ix_process_steps_waiting", "process_steps", ["waiting_for"], sqlite_where=where, postgresql_where=where
    )
