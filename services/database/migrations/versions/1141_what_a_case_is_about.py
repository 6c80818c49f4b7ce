"""A case has a title in a few words"""

import sqlalchemy as sa
from alembic import op

revision = "1141"
down_revision = "1135"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("applications", sa.Column("title", sa.String(), nullable=True))
