"""How long each case that has ended stayed in each stage

The portal adds up those that have ended before, a part at a time; until then they are derived as before.
"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Moment, Whole

revision = "1071"
down_revision = "1070"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "stage_visits",
        sa.Column("application_id", sa.String(), nullable=False),
        sa.Column("place", Whole, autoincrement=False, nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("since", Moment(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["application_id"], ["applications.id"], name=op.f("fk_stage_visits_application_id")),
        sa.PrimaryKeyConstraint("application_id", "place", name=op.f("pk_stage_visits")),
    )
    op.create_index("ix_stage_visits_since", "stage_visits", ["since", "stage", "seconds", "application_id"])
    op.add_column("applications", sa.Column("visits_added_at", Moment(), nullable=True))
    where = sa.text("visits_added_at IS NULL")
    op.create_index(
        "ix_applications_to_add_up", "applications", ["closed_at"], sqlite_where=where, postgresql_where=where
    )
