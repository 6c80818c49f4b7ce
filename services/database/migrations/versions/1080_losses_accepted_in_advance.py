"""Whether the stage about partial footage accepted in advance that pictures of an item lack"""

import sqlalchemy as sa
from alembic import op

revision = "1080"
down_revision = "1050"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("items", sa.Column("loss_accepted", sa.Boolean(), nullable=True))
