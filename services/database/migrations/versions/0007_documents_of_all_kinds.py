"""Documents of all kinds: what each is about, and agreements, which belong to no case"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("documents", schema=None) as batch_op:
        batch_op.add_column(sa.Column("subject_id", sa.String(), nullable=True))
        batch_op.alter_column("application_id", existing_type=sa.String(), nullable=True)
        batch_op.create_unique_constraint(batch_op.f("uq_documents_kind"), ["kind", "subject_id"])


def downgrade() -> None:
    with op.batch_alter_table("documents", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("uq_documents_kind"), type_="unique")
        batch_op.alter_column("application_id", existing_type=sa.String(), nullable=False)
        batch_op.drop_column("subject_id")
