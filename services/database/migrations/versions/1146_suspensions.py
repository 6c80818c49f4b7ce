"""Suspensions with a cause; violations with the due date that was missed, those accused, and an end

A hand-over that was suspended gets a row for each cause that holds: the violations since then, the loss, and the end of
its use period where the custody log has that, or nothing else says why.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

from services.database.base import Json, Moment, new_id

revision = "1146"
down_revision = "1145"
branch_labels = None
depends_on = None

UNDATED = sa.text("due_at IS NULL")
AT_A_TIME = 500
hand_overs = sa.table(
    "hand_overs",
    *(sa.column(name) for name in ("id", "custodian_id")),
    *(sa.column(name, Moment()) for name in ("due_at", "suspended_at", "lost_at")),
)
violations = sa.table(
    "violations",
    *(sa.column(name) for name in ("id", "hand_over_id", "kind")),
    *(sa.column(name, Moment()) for name in ("opened_at", "due_at")),
    *(sa.column(name, Json) for name in ("facts", "accused")),
)
custody_entries = sa.table("custody_entries", sa.column("hand_over_id"), sa.column("event"), sa.column("at", Moment()))
suspensions = sa.table(
    "suspensions",
    *(sa.column(name) for name in ("id", "hand_over_id", "cause", "violation_id")),
    sa.column("since", Moment()),
)


def upgrade() -> None:
    # the tables that violations refer to stay as they are, and are not read
    with op.batch_alter_table("violations", reflect_kwargs={"resolve_fks": False}) as table:
        table.drop_constraint(op.f("uq_violations_hand_over_id"), type_="unique")
        table.add_column(sa.Column("due_at", Moment(), nullable=True))
        table.add_column(sa.Column("accused", Json, nullable=False, server_default="[]"))
        table.add_column(sa.Column("closed_at", Moment(), nullable=True))
        table.add_column(sa.Column("closed_as", sa.String(), nullable=True))
    op.create_index("uq_violations_dated", "violations", ["hand_over_id", "kind", "due_at"], unique=True)
    op.create_index(
        *("uq_violations_undated", "violations", ["hand_over_id", "kind"]),
        unique=True,
        sqlite_where=UNDATED,
        postgresql_where=UNDATED,
    )
    op.create_table(
        "suspensions",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("hand_over_id", sa.String(), nullable=True),
        sa.Column("person_id", sa.String(), nullable=True),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("violation_id", sa.String(), nullable=True),
        sa.Column("matter_id", sa.String(), nullable=True),
        sa.Column("since", Moment(), nullable=False),
        sa.Column("until", Moment(), nullable=True),
        sa.Column("lifted_at", Moment(), nullable=True),
        sa.Column("lifted_by", sa.String(), nullable=True),
        sa.CheckConstraint("(hand_over_id IS NULL) <> (person_id IS NULL)", name=op.f("ck_suspensions_subject")),
        sa.ForeignKeyConstraint(["hand_over_id"], ["hand_overs.id"], name=op.f("fk_suspensions_hand_over_id")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_suspensions_person_id")),
        sa.ForeignKeyConstraint(["violation_id"], ["violations.id"], name=op.f("fk_suspensions_violation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suspensions")),
    )
    for column in ("hand_over_id", "person_id", "violation_id"):
        op.create_index(op.f(f"ix_suspensions_{column}"), "suspensions", [column])
    connection = op.get_bind()
    _complete_violations(connection)
    for rows in _by_the_hundred(_suspended(connection)):
        connection.execute(sa.insert(suspensions), rows)
    op.drop_column("hand_overs", "suspended_at")
    op.drop_column("grants", "suspended_at")


def _complete_violations(connection: sa.Connection) -> None:
    """Name the custodian as accused, and the due date that an overdue copy had at that time."""
    query = sa.select(
        violations.c.id, violations.c.kind, violations.c.facts, hand_overs.c.custodian_id, hand_overs.c.due_at
    ).join(hand_overs, hand_overs.c.id == violations.c.hand_over_id)
    change = (
        sa.update(violations)
        .where(violations.c.id == sa.bindparam("of"))
        .values(due_at=sa.bindparam("missed", type_=Moment()), accused=sa.bindparam("people", type_=Json))
    )
    rows = [
        {"of": row.id, "missed": _missed(row.kind, row.facts, row.due_at), "people": [row.custodian_id]}
        for row in connection.execute(query).all()
    ]
    if rows:
        connection.execute(change, rows)


def _missed(kind: str, facts: dict[str, Any] | None, due_at: datetime | None) -> datetime | None:
    if kind != "overdue":
        return None
    said = (facts or {}).get("dueAt")
    return datetime.fromisoformat(said) if said else due_at


def _suspended(connection: sa.Connection) -> Iterator[dict[str, Any]]:
    stopped = sa.select(hand_overs.c.id, hand_overs.c.suspended_at, hand_overs.c.lost_at).where(
        hand_overs.c.suspended_at.is_not(None)
    )
    violated: dict[str, list[tuple[str, datetime]]] = {}
    for row in connection.execute(sa.select(violations.c.id, violations.c.hand_over_id, violations.c.opened_at)):
        violated.setdefault(row.hand_over_id, []).append((row.id, row.opened_at))
    said = sa.select(custody_entries.c.hand_over_id, custody_entries.c.at).where(custody_entries.c.event == "suspended")
    ended = {(row.hand_over_id, row.at) for row in connection.execute(said)}
    for row in connection.execute(stopped).all():
        base = {"hand_over_id": row.id, "violation_id": None, "since": row.suspended_at}
        found = [
            {**base, "cause": "violation", "violation_id": violation_id, "since": opened_at}
            for violation_id, opened_at in violated.get(row.id, ())
            if opened_at >= row.suspended_at
        ]
        if row.lost_at is not None and row.lost_at >= row.suspended_at:
            found.append({**base, "cause": "lost", "since": row.lost_at})
        if (row.id, row.suspended_at) in ended or not found:
            found.append({**base, "cause": "use-period-over"})
        for values in found:
            yield {"id": new_id(), **values}


def _by_the_hundred(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    page: list[dict[str, Any]] = []
    for row in rows:
        page.append(row)
        if len(page) == AT_A_TIME:
            yield page
            page = []
    if page:
        yield page
