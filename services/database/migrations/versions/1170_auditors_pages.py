"""What the auditors' pages search by: pictures of copies by time, events by person and day, refusals, findings, losses

Copies and emergency copies get the moments of their first and last picture, which are read from what they were sealed
as; a copy of which that says nothing keeps none.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

from services.database.base import Json, Moment

revision = "1170"
down_revision = "1169"
branch_labels = None
depends_on = None

AT_A_TIME = 200
TABLES = ("copies", "emergency_copies")
INDEXES = (
    ("ix_audit_events_actor", "audit_events", ["actor_id", "seq"], None),
    ("ix_audit_events_at", "audit_events", ["at", "seq"], None),
    ("ix_hand_overs_lost", "hand_overs", ["lost_at"], "lost_at IS NOT NULL"),
    (
        *("ix_decisions_refusals", "decisions", ["stage", "decided_at", "application_id"]),
        "outcome IN ('rejected', 'refused')",
    ),
    ("ix_findings_code", "findings", ["code", "found_at", "application_id"], None),
    (
        *("ix_items_lacking", "items", ["outcome", "application_id"]),
        "outcome IN ('partial', 'missing', 'unreadable')",
    ),
)


def upgrade() -> None:
    for name in TABLES:
        op.add_column(name, sa.Column("footage_from", Moment(), nullable=True))
        op.add_column(name, sa.Column("footage_until", Moment(), nullable=True))
        _fill(op.get_bind(), name)
    for name, table, columns, condition in INDEXES:
        where = None if condition is None else sa.text(condition)
        op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)


def _fill(connection: sa.Connection, name: str) -> None:
    table = sa.table(
        name,
        sa.column("id"),
        sa.column("sealed", Json),
        sa.column("footage_from", Moment()),
        sa.column("footage_until", Moment()),
    )
    changed = (
        sa.update(table)
        .where(table.c.id == sa.bindparam("of"))
        .values(footage_from=sa.bindparam("first"), footage_until=sa.bindparam("last"))
    )
    for rows in _rows(connection, table):
        values = [
            {"of": key, "first": _frame(sealed, "firstFrame"), "last": _frame(sealed, "lastFrame")}
            for key, sealed in rows
        ]
        connection.execute(changed, values)


def _rows(connection: sa.Connection, table: sa.TableClause) -> Iterator[list[Any]]:
    """Yield the rows in the order of their ids, some at a time: what was sealed is long."""
    after = ""
    while True:
        query = sa.select(table.c.id, table.c.sealed).where(table.c.id > after).order_by(table.c.id).limit(AT_A_TIME)
        rows = list(connection.execute(query))
        if not rows:
            return
        yield rows
        after = rows[-1][0]


def _frame(sealed: dict[str, Any] | None, name: str) -> datetime | None:
    written = ((sealed or {}).get("coverage") or {}).get(name)
    return datetime.fromisoformat(written) if written else None
