"""Indexes over what is open, and when a case is listed

At any time few of many cases, reviews, loans and notices are open, and pages ask for these.
"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Moment

revision = "1070"
down_revision = "1060"
branch_labels = None
depends_on = None

# name, table, columns, condition
INDEXES = (
    ("ix_applications_closed", "applications", ["closed_at", "submitted_at"], None),
    ("ix_applications_listed", "applications", ["listed_at", "id"], None),
    ("ix_applications_concerning", "applications", ["id"], "subject_ids <> '[]'"),
    ("ix_reviews_open", "reviews", ["stage", "due_at"], "closed_at IS NULL"),
    ("ix_decisions_decided_by", "decisions", ["decided_by", "application_id"], None),
    ("ix_confirmations_person_id", "confirmations", ["person_id"], None),
    ("ix_hand_overs_lent", "hand_overs", ["due_at"], "ended_at IS NULL"),
    ("ix_preservations_held", "preservations", ["item_id"], "released_at IS NULL"),
    ("ix_notices_unread", "notices", ["person_id"], "read_at IS NULL"),
    ("ix_deliveries_open", "deliveries", ["channel"], "delivered_at IS NULL AND given_up_at IS NULL"),
    ("ix_documents_item_id", "documents", ["item_id"], None),
    ("ix_documents_of_kind", "documents", ["kind", "application_id"], None),
    ("ix_consultations_open", "consultations", ["due_at"], "ended_at IS NULL"),
)


def upgrade() -> None:
    op.add_column("applications", sa.Column("listed_at", Moment(), nullable=True))
    op.execute("UPDATE applications SET listed_at = coalesce(submitted_at, created_at)")
    for name, table, columns, condition in INDEXES:
        where = None if condition is None else sa.text(condition)
        op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)
