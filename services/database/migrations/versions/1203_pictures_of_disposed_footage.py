"""Pictures of stills whose footage was disposed of go with it"""

from alembic import op

revision = "1203"
down_revision = "1202"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        UPDATE attachments SET purge_after = CURRENT_TIMESTAMP, lock_due_since = NULL
        WHERE purge_after IS NULL AND matter_id IN (
            SELECT documents.id FROM documents JOIN masters ON masters.item_id = documents.item_id
            WHERE masters.discarded_at IS NOT NULL
        )
        """
    )
