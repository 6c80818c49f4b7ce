"""Applications on behalf of people outside, with the letter and the people who bring it

Every application that is there was made for the organisation itself, so that the new columns stay empty.
"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Moment, Whole

revision = "1156"
down_revision = "1153"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("on_behalf", "letter_title", "letter_number", "letter_date"):
        op.add_column("applications", sa.Column(name, sa.String(), nullable=True))
    op.add_column("applications", sa.Column("letter_seal_checked", sa.Boolean(), nullable=True))
    op.create_table(
        "outsiders",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("application_id", sa.String(), nullable=False),
        sa.Column("position", Whole, nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("name", "unit", "card_kind", "card_tail")),
        sa.Column("card_sealed", sa.String(), nullable=False),
        sa.Column("contact", sa.String(), nullable=False),
        sa.Column("added_by", sa.String(), nullable=False),
        sa.Column("added_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["application_id"], ["applications.id"], name=op.f("fk_outsiders_application_id")),
        sa.ForeignKeyConstraint(["added_by"], ["people.id"], name=op.f("fk_outsiders_added_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outsiders")),
    )
    op.create_index(op.f("ix_outsiders_application_id"), "outsiders", ["application_id"])
