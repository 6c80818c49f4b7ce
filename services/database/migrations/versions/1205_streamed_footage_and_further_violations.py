"""What the player has read of a redacted copy, and violations beside an open one, each in a column of its own

Of a viewing of before the player has read all that was read: stills and thumbnails were counted a byte short there, so
that none of their fragments is whole. A violation beside an open one had its own matter in ``problem_id``, which is
that of the matter that it came from.
"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Json

revision = "1205"
down_revision = "1204"
branch_labels = None
depends_on = None

UNDATED = sa.text("due_at IS NULL AND problem_id IS NULL AND closed_at IS NULL AND NOT further")


def upgrade() -> None:
    op.add_column("derivative_viewings", sa.Column("streamed", Json, server_default="[]", nullable=False))
    op.execute("UPDATE derivative_viewings SET streamed = ranges")
    op.add_column("violations", sa.Column("further", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.drop_index("uq_violations_undated", table_name="violations")
    op.execute("UPDATE violations SET further = true, problem_id = NULL WHERE problem_id = matter_id")
    op.create_index(
        *("uq_violations_undated", "violations", ["hand_over_id", "kind"]),
        unique=True,
        sqlite_where=UNDATED,
        postgresql_where=UNDATED,
    )
