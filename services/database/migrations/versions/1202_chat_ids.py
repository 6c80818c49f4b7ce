"""The id of a person in the organisation's chat app"""

import sqlalchemy as sa
from alembic import op

revision = "1202"
down_revision = "1201"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("people", sa.Column("chat_id", sa.String(), nullable=True))
