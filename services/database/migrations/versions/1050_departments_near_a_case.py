"""The departments near a case as it began, and who made the reset that a hold follows

Cases that are under way have none: their people's departments are read as before, until they are corrected.
"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Json

revision = "1050"
down_revision = "1030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("applications", sa.Column("near_departments", Json, nullable=True))
    with op.batch_alter_table("signature_holds") as table:
        table.add_column(sa.Column("reset_by", sa.String(), nullable=True))
        table.create_foreign_key(op.f("fk_signature_holds_reset_by"), "people", ["reset_by"], ["id"])
