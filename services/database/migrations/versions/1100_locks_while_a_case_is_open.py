"""Locks from the moment that a master or document is there, and masters that wait for their disposal

What the archive has is locked already. Everything else is told to the stores once this version runs; only the documents
of cases that have ended without a loan stay in the database alone.
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from services.database.base import Moment

revision = "1100"
down_revision = "1090"
branch_labels = None
depends_on = None

MOMENTS = {
    "masters": ("retain_until", "lock_due_since", "unneeded_at"),
    "documents": ("filed_at", "retain_until", "lock_due_since"),
}
# name, table, columns, condition
INDEXES = (
    ("ix_masters_to_lock", "masters", ["id"], "lock_due_since IS NOT NULL AND discarded_at IS NULL"),
    (
        *("ix_masters_in_use", "masters", ["retain_until"]),
        "discarded_at IS NULL AND archived_at IS NULL AND unneeded_at IS NULL",
    ),
    (
        *("ix_masters_to_dispose", "masters", ["dispose_after", "id"]),
        "discarded_at IS NULL AND unneeded_at IS NOT NULL",
    ),
    ("ix_documents_to_file", "documents", ["id"], "lock_due_since IS NOT NULL"),
)
LOCKED = (
    "UPDATE masters SET retain_until = dispose_after WHERE archived_at IS NOT NULL",
    """UPDATE documents SET filed_at = entry.archived_at, retain_until = entry.dispose_after
        FROM archive_entries AS entry, applications AS closed
        WHERE entry.application_id = documents.application_id AND closed.id = documents.application_id
        AND closed.closed_at IS NOT NULL""",
)
TO_LOCK = (
    "UPDATE masters SET lock_due_since = :now WHERE discarded_at IS NULL AND archived_at IS NULL",
    """UPDATE documents SET lock_due_since = :now WHERE application_id IS NULL
        OR application_id IN (SELECT id FROM applications WHERE closed_at IS NULL)""",
)


def upgrade() -> None:
    for table, names in MOMENTS.items():
        for name in names:
            op.add_column(table, sa.Column(name, Moment(), nullable=True))
    op.add_column("masters", sa.Column("label_version", sa.String(), nullable=True))
    for statement in LOCKED:
        op.execute(statement)
    now = sa.bindparam("now", datetime.now(UTC), Moment())
    for statement in TO_LOCK:
        op.execute(sa.text(statement).bindparams(now))
    for name, table, columns, condition in INDEXES:
        where = sa.text(condition)
        op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)
