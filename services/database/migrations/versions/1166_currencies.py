"""The currency of sanctions, and an index of the loans whose copies were replaced

An amount that was recorded before has none: nobody has said in which currency it was.
"""

import sqlalchemy as sa
from alembic import op

revision = "1166"
down_revision = "1165"
branch_labels = None
depends_on = None

REPLACED = sa.text("replaced_at IS NOT NULL")


def upgrade() -> None:
    op.add_column("sanctions", sa.Column("currency", sa.String(), nullable=True))
    op.create_index(
        "ix_hand_overs_replaced", "hand_overs", ["application_id"], sqlite_where=REPLACED, postgresql_where=REPLACED
    )
