"""Violations to their end: a matter for each, whom they accuse, what they reply, sanctions, referral, settlement

A violation that is open already has no matter: Security starts its handling with a button, and it gets one then.
"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Json, Moment

revision = "1153"
down_revision = "1152"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("matter_id", "severity"):
        op.add_column("violations", sa.Column(name, sa.String(), nullable=True))
    for name in ("served_at", "reply_until", "heard_at", "sanctioned_at"):
        op.add_column("violations", sa.Column(name, Moment(), nullable=True))
    for name in ("referral", "settlement"):
        op.add_column("violations", sa.Column(name, Json, nullable=True))
    op.create_index(op.f("ix_violations_matter_id"), "violations", ["matter_id"])
    op.create_table(
        "hearings",
        sa.Column("matter_id", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("part", sa.String(), nullable=False),
        sa.Column("reply", sa.String(), nullable=True),
        sa.Column("replied_at", Moment(), nullable=True),
        sa.CheckConstraint("part IN ('accused', 'department')", name=op.f("ck_hearings_part")),
        sa.ForeignKeyConstraint(["matter_id"], ["matters.id"], name=op.f("fk_hearings_matter_id")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_hearings_person_id")),
        sa.PrimaryKeyConstraint("matter_id", "person_id", name=op.f("pk_hearings")),
    )
    op.create_index(op.f("ix_hearings_person_id"), "hearings", ["person_id"])
    op.add_column("decisions", sa.Column("judgement", Json, nullable=True))
    op.create_table(
        "sanctions",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("matter_id", sa.String(), nullable=False),
        sa.Column("decision_id", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("amount", sa.String(), nullable=True),
        sa.Column("note", sa.String(), nullable=True),
        sa.Column("recorded_at", Moment(), nullable=False),
        sa.Column("dropped_because", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["matter_id"], ["matters.id"], name=op.f("fk_sanctions_matter_id")),
        sa.ForeignKeyConstraint(["decision_id"], ["decisions.id"], name=op.f("fk_sanctions_decision_id")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_sanctions_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sanctions")),
        sa.UniqueConstraint("matter_id", "person_id", "kind", name=op.f("uq_sanctions_matter_id")),
    )
    for name in ("matter_id", "person_id"):
        op.create_index(op.f(f"ix_sanctions_{name}"), "sanctions", [name])
