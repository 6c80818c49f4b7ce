"""Findings of reconciliations become work orders; when a store's access log last arrived"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Moment

revision = "1179"
down_revision = "1184"
branch_labels = None
depends_on = None

OPEN = sa.text("state IN ('open', 'work-order')")


def upgrade() -> None:
    op.drop_index("ix_reconciliation_findings_open", "reconciliation_findings")
    op.create_index(
        "ix_reconciliation_findings_open",
        "reconciliation_findings",
        ["kind", "place"],
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    )
    op.create_index(op.f("ix_reconciliation_findings_work_order_id"), "reconciliation_findings", ["work_order_id"])
    op.create_table(
        "store_log_feeds",
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("first_at", Moment(), nullable=False),
        sa.Column("last_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_store_log_feeds")),
    )
