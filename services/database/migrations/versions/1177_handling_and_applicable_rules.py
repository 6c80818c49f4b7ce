"""Handling rules of confidentiality levels, and the register of the rules that apply"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Json, Moment, Whole

revision = "1177"
down_revision = "1182"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table, key, content in (
        ("handling_changes", "level", "handling"),
        ("applicable_rules", "rule_id", "entry"),
    ):
        op.create_table(
            table,
            sa.Column(key, sa.String(), nullable=False),
            sa.Column("version", Whole, nullable=False),
            sa.Column("at", Moment(), nullable=False),
            sa.Column("changed_by", sa.String(), nullable=False),
            sa.Column(content, Json, nullable=False),
            sa.Column("reason", sa.String(), nullable=False),
            sa.ForeignKeyConstraint(["changed_by"], ["people.id"], name=op.f(f"fk_{table}_changed_by")),
            sa.PrimaryKeyConstraint(key, "version", name=op.f(f"pk_{table}")),
        )
    # of cases of before: none were kept, and none hold for them
    op.add_column("applications", sa.Column("handling", Json, nullable=True))
    op.add_column("applications", sa.Column("rule_ids", Json, nullable=True))
