"""Who has watched a redacted copy, and which part of it"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Json, Moment, Whole

revision = "1172"
down_revision = "1171"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "derivative_viewings",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("derivative_id", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("opened_at", Moment(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("last_read_at", Moment(), nullable=True),
        sa.Column("reads", Whole, nullable=False),
        sa.Column("bytes_read", Whole, nullable=False),
        sa.Column("ranges", Json, nullable=False),
        sa.Column("played", Json, nullable=False),
        sa.Column("credited_ms", Whole, nullable=False),
        sa.ForeignKeyConstraint(
            ["derivative_id"], ["derivatives.id"], name=op.f("fk_derivative_viewings_derivative_id")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_derivative_viewings_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_derivative_viewings")),
    )
    for column in ("derivative_id", "person_id"):
        op.create_index(op.f(f"ix_derivative_viewings_{column}"), "derivative_viewings", [column])
