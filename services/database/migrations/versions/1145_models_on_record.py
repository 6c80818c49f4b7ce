"""The versions of models that are on record, sets of models from the portal, and why somebody objected

What runs in the engine now is on no record and goes on: the record begins with the next deployment.
"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Json, Moment, Whole

revision = "1145"
down_revision = "1144"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "model_versions",
        sa.Column("definition_key", Whole, autoincrement=False, nullable=False),
        sa.Column("process_id", sa.String(), nullable=False),
        sa.Column("version", Whole, nullable=False),
        sa.Column("first_seen_at", Moment(), nullable=False),
        sa.Column("last_seen_at", Moment(), nullable=False),
        sa.Column("recorded_at", Moment(), nullable=True),
        sa.Column("result", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("definition_key", name=op.f("pk_model_versions")),
    )
    op.create_index(op.f("ix_model_versions_process_id"), "model_versions", ["process_id"])
    op.create_table(
        "model_sets",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("uploaded_by", sa.String(), nullable=False),
        sa.Column("uploaded_at", Moment(), nullable=False),
        sa.Column("files", Json, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("base", sa.String(), nullable=False),
        sa.Column("tries", Whole, nullable=False),
        sa.Column("check_began_at", Moment(), nullable=True),
        sa.Column("checked_at", Moment(), nullable=True),
        sa.Column("result", Json, nullable=True),
        sa.Column("approved_at", Moment(), nullable=True),
        sa.Column("approved_by", sa.String(), nullable=True),
        sa.Column("confirmed_by", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("unchecked", sa.String(), nullable=True),
        sa.Column("deployed_at", Moment(), nullable=True),
        sa.Column("failure", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["uploaded_by"], ["people.id"], name=op.f("fk_model_sets_uploaded_by")),
        sa.ForeignKeyConstraint(["approved_by"], ["people.id"], name=op.f("fk_model_sets_approved_by")),
        sa.ForeignKeyConstraint(["confirmed_by"], ["people.id"], name=op.f("fk_model_sets_confirmed_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_sets")),
    )
    op.create_index(op.f("ix_model_sets_uploaded_at"), "model_sets", ["uploaded_at"])
    op.add_column("change_requests", sa.Column("objection_reason", sa.String(), nullable=True))
