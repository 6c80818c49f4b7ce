"""Whose agreement ends soon is reminded once

Agreements that run are reminded of when their time comes; nobody is told of those that have expired.
"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Moment

revision = "1149"
down_revision = "1148"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("agreements", sa.Column("expiry_reminded_at", Moment(), nullable=True))
    op.add_column("agreements", sa.Column("replacement_reminded_at", Moment(), nullable=True))
    op.create_index("ix_agreements_expires_at", "agreements", ["expires_at"])
