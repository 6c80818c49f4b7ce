"""Messages to processes that belong to no case, such as an inspection: they have a subject instead of an application"""

import sqlalchemy as sa
from alembic import op

revision = "1167"
down_revision = "1166"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # nothing refers to the outbox, so that SQLite can make it anew
    with op.batch_alter_table("outbox", reflect_kwargs={"resolve_fks": False}) as table:
        table.alter_column("application_id", existing_type=sa.String(), nullable=True)
        table.add_column(sa.Column("subject_kind", sa.String(), nullable=True))
        table.add_column(sa.Column("subject_id", sa.String(), nullable=True))
    op.create_index(op.f("ix_outbox_subject_id"), "outbox", ["subject_id"])
