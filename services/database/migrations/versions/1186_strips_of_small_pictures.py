"""Viewings count the rows of small pictures that were made for them"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Whole

revision = "1186"
down_revision = "1181"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("viewings", "derivative_viewings", "emergency_viewings"):
        op.add_column(table, sa.Column("strips", Whole, nullable=False, server_default="0"))
