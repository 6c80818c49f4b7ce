"""Appeals of violations, and sanctions that they revoke

No violation that is there was appealed.
"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Moment

revision = "1161"
down_revision = "1160"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("violations", sa.Column("appeal_id", sa.String(), nullable=True))
    op.create_index(op.f("ix_violations_appeal_id"), "violations", ["appeal_id"], unique=True)
    op.add_column("sanctions", sa.Column("revoked_at", Moment(), nullable=True))
