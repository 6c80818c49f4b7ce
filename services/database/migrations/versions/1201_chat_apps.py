"""Apps of chat services that write to single persons"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Moment

revision = "1201"
down_revision = "1198"
branch_labels = None
depends_on = None

OPEN = sa.text("ended_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "chat_apps",
        *(sa.Column(name, sa.String(), nullable=False) for name in ("id", "kind", "address", "account")),
        *(sa.Column(name, sa.String(), nullable=True) for name in ("agent", "id_type")),
        sa.Column("secret", sa.String(), nullable=False),
        sa.Column("token", sa.String(), nullable=True),
        sa.Column("token_until", Moment(), nullable=True),
        sa.Column("set_by", sa.String(), nullable=False),
        sa.Column("set_at", Moment(), nullable=False),
        sa.Column("next_at", Moment(), nullable=False),
        sa.Column("ended_by", sa.String(), nullable=True),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.CheckConstraint("kind IN ('wecom', 'dingtalk', 'feishu')", name=op.f("ck_chat_apps_kind")),
        sa.ForeignKeyConstraint(["set_by"], ["people.id"], name=op.f("fk_chat_apps_set_by")),
        sa.ForeignKeyConstraint(["ended_by"], ["people.id"], name=op.f("fk_chat_apps_ended_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chat_apps")),
    )
    op.create_index("ix_chat_apps_open", "chat_apps", ["ended_at"], sqlite_where=OPEN, postgresql_where=OPEN)
