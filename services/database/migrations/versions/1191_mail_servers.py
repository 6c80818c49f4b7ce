"""The mail server that administrators set on a page"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Moment, Whole

revision = "1191"
down_revision = "1190"
branch_labels = None
depends_on = None

OPEN = sa.text("ended_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "mail_servers",
        *(sa.Column(name, sa.String(), nullable=False) for name in ("id", "host", "security", "sender", "set_by")),
        sa.Column("port", Whole, nullable=False),
        *(sa.Column(name, sa.String(), nullable=True) for name in ("username", "password", "authority", "ended_by")),
        sa.Column("set_at", Moment(), nullable=False),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.CheckConstraint("security IN ('starttls', 'tls', 'none')", name=op.f("ck_mail_servers_security")),
        sa.ForeignKeyConstraint(["set_by"], ["people.id"], name=op.f("fk_mail_servers_set_by")),
        sa.ForeignKeyConstraint(["ended_by"], ["people.id"], name=op.f("fk_mail_servers_ended_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail_servers")),
    )
    op.create_index("ix_mail_servers_open", "mail_servers", ["ended_at"], sqlite_where=OPEN, postgresql_where=OPEN)
