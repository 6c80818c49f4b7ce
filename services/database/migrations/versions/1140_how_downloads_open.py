"""What each download opens with; those that are there open with the custodian's own age key"""

import sqlalchemy as sa
from alembic import op

revision = "1140"
down_revision = "1135"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("downloads", sa.Column("opens_with", sa.String(), server_default="age-key", nullable=False))
