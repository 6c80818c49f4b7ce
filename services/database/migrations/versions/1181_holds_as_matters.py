"""Lifts of holds are matters; inspections name the rule of their seed; viewings of redacted copies save little time"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Moment, Whole

revision = "1181"
down_revision = "1180"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # a lift that was asked for stays: the portal opens a matter of it, in the name of who has asked
    op.add_column("holds", sa.Column("lift_matter_id", sa.String(), nullable=True))
    # those that are there were drawn with the last checkpoint before the end of their period
    op.add_column("group_inspections", sa.Column("seed_rule", Whole, nullable=False, server_default="1"))
    op.add_column("derivative_viewings", sa.Column("credit_left_ms", Whole, nullable=True))
    op.add_column("derivative_viewings", sa.Column("credited_at", Moment(), nullable=True))
