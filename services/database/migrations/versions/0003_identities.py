"""Who people are at the organisation's provider"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Moment

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

OPEN = sa.text("ended_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "identities",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("bound_at", Moment(), nullable=False),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.Column("ended_by", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["ended_by"], ["people.id"], name=op.f("fk_identities_ended_by")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_identities_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identities")),
    )
    with op.batch_alter_table("identities", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_identities_person_id"), ["person_id"], unique=False)
        for name, column in (("uq_identities_subject", "subject"), ("uq_identities_person", "person_id")):
            batch_op.create_index(name, ["issuer", column], unique=True, sqlite_where=OPEN, postgresql_where=OPEN)

    with op.batch_alter_table("sign_ins", schema=None) as batch_op:
        batch_op.add_column(sa.Column("issuer", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("subject", sa.String(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("sign_ins", schema=None) as batch_op:
        batch_op.drop_column("subject")
        batch_op.drop_column("issuer")

    with op.batch_alter_table("identities", schema=None) as batch_op:
        batch_op.drop_index("uq_identities_person")
        batch_op.drop_index("uq_identities_subject")
        batch_op.drop_index(batch_op.f("ix_identities_person_id"))

    op.drop_table("identities")
