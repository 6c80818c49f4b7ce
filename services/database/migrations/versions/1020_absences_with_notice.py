"""Who confirmed an absence, and until when its person may object

What is there stays as it is: without a notice an absence counts from its beginning.
"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Moment

revision = "1020"
down_revision = "1010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("absences") as table:
        table.add_column(sa.Column("notice_until", Moment(), nullable=True))
        table.add_column(sa.Column("confirmed_by", sa.String(), nullable=True))
        table.add_column(sa.Column("confirmed_at", Moment(), nullable=True))
        table.create_foreign_key(op.f("fk_absences_confirmed_by"), "people", ["confirmed_by"], ["id"])
