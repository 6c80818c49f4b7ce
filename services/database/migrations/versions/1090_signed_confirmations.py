"""The signature of who confirms a change, or that somebody signs again

Those that are there were given with a session alone.
"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Json

revision = "1090"
down_revision = "1080"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("change_requests", sa.Column("signature", Json, nullable=True))
    op.add_column("signature_holds", sa.Column("signature", Json, nullable=True))
