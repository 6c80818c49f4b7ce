"""Who does what one process does at a time, what it counted for all, and the request that wrote a message"""

import sqlalchemy as sa
from alembic import op

revision = "1115"
down_revision = "1106"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "leases",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("until", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "counted_metrics",
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("task", name=op.f("pk_counted_metrics")),
    )
    op.add_column("outbox", sa.Column("request_id", sa.String(), nullable=True))
    op.add_column("outbox", sa.Column("trace_parent", sa.String(), nullable=True))
