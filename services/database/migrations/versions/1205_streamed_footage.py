"""What the player has read of a redacted copy, apart from what stills and thumbnails have

Of a viewing of before it is all that was read: stills and thumbnails were counted a byte short there, so that none of
their fragments is whole.
"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Json

revision = "1205"
down_revision = "1204"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("derivative_viewings", sa.Column("streamed", Json, server_default="[]", nullable=False))
    op.execute("UPDATE derivative_viewings SET streamed = ranges")
