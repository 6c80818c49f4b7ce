"""Robots of chat groups to which notices go"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Moment

revision = "1185"
down_revision = "1176"
branch_labels = None
depends_on = None

OPEN = sa.text("ended_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "notice_robots",
        *(
            sa.Column(name, sa.String(), nullable=False)
            for name in ("id", "kind", "name", "language", "address", "shown")
        ),
        sa.Column("secret", sa.String(), nullable=True),
        sa.Column("added_by", sa.String(), nullable=False),
        sa.Column("added_at", Moment(), nullable=False),
        sa.Column("next_at", Moment(), nullable=False),
        sa.Column("ended_by", sa.String(), nullable=True),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.CheckConstraint("kind IN ('wecom', 'dingtalk', 'feishu')", name=op.f("ck_notice_robots_kind")),
        sa.ForeignKeyConstraint(["added_by"], ["people.id"], name=op.f("fk_notice_robots_added_by")),
        sa.ForeignKeyConstraint(["ended_by"], ["people.id"], name=op.f("fk_notice_robots_ended_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice_robots")),
    )
    op.create_index("ix_notice_robots_open", "notice_robots", ["ended_at"], sqlite_where=OPEN, postgresql_where=OPEN)
