"""Matters that the system opens itself, which nobody has asked for"""

import sqlalchemy as sa
from alembic import op

revision = "1151"
down_revision = "1150"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # the tables that matters refer to stay as they are, and are not read
    with op.batch_alter_table("matters", reflect_kwargs={"resolve_fks": False}) as table:
        table.alter_column("opened_by", existing_type=sa.String(), nullable=True)
