"""What became of downloads of loans that ended without an attestation"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Moment, Whole

revision = "1184"
down_revision = "1177"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "download_accounts",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("work_order_id", sa.String(), nullable=False),
        sa.Column("attempt", Whole, nullable=False),
        sa.Column("download_id", sa.String(), nullable=False),
        sa.Column("fate", sa.String(), nullable=False),
        sa.Column("medium", sa.String(), nullable=True),
        sa.Column("how", sa.String(), nullable=True),
        sa.Column("happened_at", Moment(), nullable=True),
        sa.Column("witness_id", sa.String(), nullable=True),
        sa.Column("said_by", sa.String(), nullable=False),
        sa.Column("said_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["work_order_id"], ["work_orders.id"], name=op.f("fk_download_accounts_work_order_id")),
        sa.ForeignKeyConstraint(["download_id"], ["downloads.id"], name=op.f("fk_download_accounts_download_id")),
        sa.ForeignKeyConstraint(["witness_id"], ["people.id"], name=op.f("fk_download_accounts_witness_id")),
        sa.ForeignKeyConstraint(["said_by"], ["people.id"], name=op.f("fk_download_accounts_said_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_download_accounts")),
        sa.UniqueConstraint("work_order_id", "attempt", "download_id", name=op.f("uq_download_accounts_work_order_id")),
    )
    op.create_index("ix_download_accounts_of_download", "download_accounts", ["download_id", "said_at"])
