"""Whether losses of an item were accepted in advance, and when a camera's oldest picture was seen to move

Cameras that have measurements count as before: their oldest picture is believed to be their limit.
"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Moment

revision = "1080"
down_revision = "1072"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("items", sa.Column("loss_accepted", sa.Boolean(), nullable=True))
    op.add_column("cameras", sa.Column("oldest_moved_at", Moment(), nullable=True))
    op.execute("UPDATE cameras SET oldest_moved_at = oldest_measured_at WHERE oldest_frame_at IS NOT NULL")
