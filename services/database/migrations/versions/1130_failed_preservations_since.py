"""Since when an item could not be preserved

Of those that are there, the last failure is taken for the first.
"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Moment

revision = "1130"
down_revision = "1120"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("failed_preservations", sa.Column("since", Moment(), nullable=True))
    op.execute("UPDATE failed_preservations SET since = failed_at")
