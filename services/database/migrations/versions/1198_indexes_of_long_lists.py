"""Indexes of lists and loops that read whole tables: packages, notices, matters, the figures of the storage office"""

import sqlalchemy as sa
from alembic import op

revision = "1198"
down_revision = "1195"
branch_labels = None
depends_on = None

OPEN, KEPT, WAITING = (sa.text(f"{name} IS NULL") for name in ("closed_at", "key_destroyed_at", "settled_at"))


def upgrade() -> None:
    op.create_index("ix_evidence_packages_asked", "evidence_packages", ["asked_at", "id"])
    op.drop_index("ix_evidence_packages_asked_by", "evidence_packages")
    op.create_index("ix_evidence_packages_asked_by", "evidence_packages", ["asked_by", "asked_at", "id"])
    op.create_index("ix_notices_of_person", "notices", ["person_id", "created_at", "id"])
    op.drop_index("ix_notices_person_id", "notices")
    op.create_index("ix_reviews_open_by_id", "reviews", ["id"], sqlite_where=OPEN, postgresql_where=OPEN)
    op.create_index("ix_masters_retrieved", "masters", ["retrieved_at"])
    op.create_index("ix_documents_made", "documents", ["kind", "made_at"])
    op.create_index("ix_matters_of_kind", "matters", ["kind", "opened_at", "id"])
    op.create_index(
        "ix_work_orders_under_way", "work_orders", ["kind", "due_at"], sqlite_where=OPEN, postgresql_where=OPEN
    )
    op.create_index("ix_copies_with_key", "copies", ["id"], sqlite_where=KEPT, postgresql_where=KEPT)
    visits, discards = sa.text("NOT totalled"), sa.text("discard_after IS NOT NULL")
    op.create_index(
        "ix_stage_visits_not_totalled",
        "stage_visits",
        ["since", "stage", "seconds"],
        sqlite_where=visits,
        postgresql_where=visits,
    )
    op.create_index(
        "ix_applications_to_discard_by_id", "applications", ["id"], sqlite_where=discards, postgresql_where=discards
    )
    op.create_index("ix_outbox_open", "outbox", ["created_at"], sqlite_where=WAITING, postgresql_where=WAITING)
