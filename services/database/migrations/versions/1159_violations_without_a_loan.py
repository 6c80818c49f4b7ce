"""Violations of a case that has no loan, such as an urgent retrieval that nobody has approved afterwards"""

import sqlalchemy as sa
from alembic import op

revision = "1159"
down_revision = "1158"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # the tables that violations refer to stay as they are, and are not read
    with op.batch_alter_table("violations", reflect_kwargs={"resolve_fks": False}) as table:
        table.alter_column("hand_over_id", existing_type=sa.String(), nullable=True)
