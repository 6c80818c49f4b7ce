"""The currency of sanctions, the signature of who asks for a matter, an index of loans whose copies were replaced

An amount that was recorded before has none: nobody has said in which currency it was. Nor has what was asked before a
signature.
"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Json

revision = "1166"
down_revision = "1165"
branch_labels = None
depends_on = None

REPLACED = sa.text("replaced_at IS NOT NULL")


def upgrade() -> None:
    op.add_column("sanctions", sa.Column("currency", sa.String(), nullable=True))
    op.add_column("matters", sa.Column("signature", Json, nullable=True))
    op.create_index(
        "ix_hand_overs_replaced", "hand_overs", ["application_id"], sqlite_where=REPLACED, postgresql_where=REPLACED
    )
