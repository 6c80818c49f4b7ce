"""From when a text of the agreement counts, and which version it replaces

Texts that are there counted at once.
"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Moment

revision = "1060"
down_revision = "1050"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("agreement_texts", sa.Column("replaces", sa.String(), nullable=True))
    op.add_column("agreement_texts", sa.Column("counts_from", Moment(), nullable=True))
