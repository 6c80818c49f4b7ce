"""Disclosures: what was allowed to be handed to outsiders, what left for them, and their receipt

Nothing was provided outside before.
"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Json, Moment, Whole

revision = "1157"
down_revision = "1156"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "disclosures",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("matter_id", sa.String(), nullable=False),
        sa.Column("application_id", sa.String(), nullable=False),
        sa.Column("hand_over_id", sa.String(), nullable=False),
        sa.Column("outsider_ids", Json, nullable=False),
        sa.Column("copy_ids", Json, nullable=False),
        sa.Column("ends_loan", sa.Boolean(), nullable=False),
        sa.Column("allowed_at", Moment(), nullable=False),
        sa.Column("received_at", Moment(), nullable=True),
        sa.Column("received", Json, nullable=True),
        sa.Column("recorded_by", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["matter_id"], ["matters.id"], name=op.f("fk_disclosures_matter_id")),
        sa.ForeignKeyConstraint(["application_id"], ["applications.id"], name=op.f("fk_disclosures_application_id")),
        sa.ForeignKeyConstraint(["hand_over_id"], ["hand_overs.id"], name=op.f("fk_disclosures_hand_over_id")),
        sa.ForeignKeyConstraint(["recorded_by"], ["people.id"], name=op.f("fk_disclosures_recorded_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disclosures")),
        sa.UniqueConstraint("matter_id", name=op.f("uq_disclosures_matter_id")),
    )
    for name in ("application_id", "hand_over_id"):
        op.create_index(op.f(f"ix_disclosures_{name}"), "disclosures", [name])
    op.create_table(
        "disclosure_downloads",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("disclosure_id", sa.String(), nullable=False),
        sa.Column("copy_id", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("opens_with", "medium", "address")),
        sa.Column("asked_at", Moment(), nullable=False),
        sa.Column("reads", Whole, nullable=False),
        sa.Column("finished_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(
            ["disclosure_id"], ["disclosures.id"], name=op.f("fk_disclosure_downloads_disclosure_id")
        ),
        sa.ForeignKeyConstraint(["copy_id"], ["copies.id"], name=op.f("fk_disclosure_downloads_copy_id")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_disclosure_downloads_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disclosure_downloads")),
    )
    op.create_index(op.f("ix_disclosure_downloads_disclosure_id"), "disclosure_downloads", ["disclosure_id"])
