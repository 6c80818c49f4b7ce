"""Changes that need a second person, waiting signatures, and the address of a mail to a former address"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Json, Moment

revision = "1030"
down_revision = "1020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "change_requests",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=True),
        sa.Column("payload", Json, nullable=False),
        sa.Column("requested_by", sa.String(), nullable=False),
        sa.Column("requested_at", Moment(), nullable=False),
        sa.Column("effective_at", Moment(), nullable=False),
        sa.Column("confirmed_by", sa.String(), nullable=True),
        sa.Column("confirmed_at", Moment(), nullable=True),
        sa.Column("objected_by", sa.String(), nullable=True),
        sa.Column("objected_at", Moment(), nullable=True),
        sa.Column("applied_at", Moment(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["confirmed_by"], ["people.id"], name=op.f("fk_change_requests_confirmed_by")),
        sa.ForeignKeyConstraint(["objected_by"], ["people.id"], name=op.f("fk_change_requests_objected_by")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_change_requests_person_id")),
        sa.ForeignKeyConstraint(["requested_by"], ["people.id"], name=op.f("fk_change_requests_requested_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_change_requests")),
    )
    op.create_index(op.f("ix_change_requests_outcome"), "change_requests", ["outcome"])
    op.create_index(op.f("ix_change_requests_person_id"), "change_requests", ["person_id"])
    op.create_table(
        "signature_holds",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("since", Moment(), nullable=False),
        sa.Column("until", Moment(), nullable=False),
        sa.Column("lifted_by", sa.String(), nullable=True),
        sa.Column("lifted_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["lifted_by"], ["people.id"], name=op.f("fk_signature_holds_lifted_by")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_signature_holds_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signature_holds")),
    )
    op.create_index(op.f("ix_signature_holds_person_id"), "signature_holds", ["person_id"])
    op.add_column("deliveries", sa.Column("address", sa.String(), nullable=True))
