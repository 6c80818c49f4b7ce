"""What reviewers ask the applicant while a review is open, and the answers"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Moment

revision = "1142"
down_revision = "1141"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "applicant_questions",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("review_id", sa.String(), nullable=False),
        sa.Column("application_id", sa.String(), nullable=False),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.Column("asked_at", Moment(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("answered_by", sa.String(), nullable=True),
        sa.Column("answered_at", Moment(), nullable=True),
        sa.Column("answer", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["review_id"], ["reviews.id"]),
        sa.ForeignKeyConstraint(["application_id"], ["applications.id"]),
        sa.ForeignKeyConstraint(["asked_by"], ["people.id"]),
        sa.ForeignKeyConstraint(["answered_by"], ["people.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    for column in ("review_id", "application_id"):
        op.create_index(op.f(f"ix_applicant_questions_{column}"), "applicant_questions", [column])
