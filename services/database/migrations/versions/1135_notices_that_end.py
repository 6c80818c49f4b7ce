"""Notices end with the work that they are about, those of work of long ago now; one mail a day for whoever wants it"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Moment

revision = "1135"
down_revision = "1130"
branch_labels = None
depends_on = None

UNREAD = sa.text("read_at IS NULL AND done_at IS NULL")
OPEN = sa.text("done_at IS NULL")
# by the codes of the notices, when their work was done
DONE = {
    ("review-opened", "review-reminder", "review-escalated", "receipt-overdue", "second-person-needed",
     "release-not-confirmed"): "SELECT closed_at FROM reviews WHERE reviews.id = notices.subject_id",
    ("consent-asked", "consent-reminder"):
        "SELECT coalesce(consents.answered_at, consultations.ended_at) FROM consents"
        " JOIN consultations ON consultations.id = consents.consultation_id WHERE consents.id = notices.subject_id",
    ("copy-offered",):
        "SELECT coalesce(accepted_at, declined_at, ended_at) FROM hand_overs WHERE hand_overs.id = notices.subject_id",
    ("return-due-soon", "return-overdue", "access-suspended"):
        "SELECT coalesce(returned_at, lost_at, ended_at) FROM hand_overs WHERE hand_overs.id = notices.subject_id",
    ("copy-returned",): "SELECT ended_at FROM hand_overs WHERE hand_overs.id = notices.subject_id",
    ("change-requested", "change-to-check"):
        "SELECT coalesce(applied_at, objected_at) FROM change_requests WHERE change_requests.id = notices.subject_id",
    ("management-decides", "storage-prepare", "recorder-changed", "application-incomplete", "consent-refused",
     "consents-lapsed"): "SELECT closed_at FROM applications WHERE applications.id = notices.application_id",
}  # fmt: skip


def upgrade() -> None:
    op.add_column("notices", sa.Column("done_at", Moment(), nullable=True))
    notices = sa.table("notices", sa.column("code"), sa.column("done_at"))
    for codes, moment in DONE.items():
        op.execute(notices.update().where(notices.c.code.in_(codes)).values(done_at=sa.text(f"({moment})")))
    op.add_column("people", sa.Column("digest", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.drop_index("ix_notices_unread", "notices")
    for name, column, condition in (
        ("ix_notices_unread", "person_id", UNREAD),
        ("ix_notices_open_of_subject", "subject_id", OPEN),
        ("ix_notices_open_of_application", "application_id", OPEN),
    ):
        op.create_index(name, "notices", [column], sqlite_where=condition, postgresql_where=condition)
