"""What the rows of matters of one kind look like, as ``row_shapes`` says it of cases."""

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from row_shapes import Shapes, shape
from sqlalchemy import select

from services.database.base import Base
from services.database.tables.audit import AuditEvent
from services.database.tables.disclosures import Disclosure, DisclosureDownload
from services.database.tables.documents import Document
from services.database.tables.matters import Matter
from services.database.tables.outbox import OutboxMessage
from services.database.tables.reviews import Decision, Review
from services.database.tables.suspensions import Suspension
from services.database.tables.violations import Hearing, Sanction, Violation
from services.database.unit_of_work import UnitOfWork

# Each table of a matter, with what tells apart rows that look different.
TABLES: Mapping[type[Base], str | None] = {
    **{Matter: None, Review: "stage", Decision: "stage", OutboxMessage: "name", Document: "kind"},
    **{
        Violation: None,
        Hearing: "part",
        Sanction: None,
        Suspension: "cause",
        Disclosure: None,
        DisclosureDownload: None,
    },
}
JSON = ("asked", "before", "violation", "assessment")  # of a matter's facts, whose names are compared as well
# Of the audit trail, whose events have the same detail: what these matters do, and what follows from them.
EVENTS = (
    *("matter-opened", "matter-applied", "matter-closed", "suspension-opened", "suspension-kept", "custody-suspended"),
    *("custody-recalled", "custody-ended", "custody-prepared", "custody-provided", "recall-written"),
    *("disclosure-written", "disclosure-fetched", "disclosure-received", "medium-handed-out", "medium-provided"),
)


def shapes_of_matters(uow: UnitOfWork, kind: str, closed_as: str | None, *, about: str | None = None) -> Shapes:
    """The shape of each kind of row of these matters; ``about``: the kind of violation that they are about."""
    query = select(Matter).where(Matter.kind == kind, Matter.closed_as == closed_as)
    matters = [
        row
        for row in uow.session.scalars(query)
        if about is None or row.facts.get("violation", {}).get("kind") == about
    ]
    ids = [row.id for row in matters]
    violations = [row.id for row in uow.session.scalars(select(Violation).where(Violation.matter_id.in_(ids)))]
    found: Shapes = {}
    for table, apart in TABLES.items():
        grouped: dict[str, list[Any]] = defaultdict(list)
        for row in _rows(uow, table, ids, violations):
            grouped[f"{table.__tablename__}:{getattr(row, apart)}" if apart else table.__tablename__].append(row)
        for name, rows in grouped.items():
            found[name] = {column.key: shape(rows, column.key) for column in table.__table__.columns}
            if table is Document:
                found[name]["content"] = sorted({key for row in rows for key in json.loads(row.content)})
    files = [file for row in matters for file in row.facts.get("before", {}).get("files", ())]
    if files:
        found["facts:files"] = {"names": sorted({key for file in files for key in file})}
    for name in JSON:
        parts = [row.facts[name] for row in matters if isinstance(row.facts.get(name), dict)]
        if parts:
            found[f"facts:{name}"] = {"names": sorted({key for part in parts for key in part})}
    return found


def _rows(uow: UnitOfWork, table: Any, ids: list[str], violations: list[str]) -> list[Any]:
    if table is Matter:
        return list(uow.session.scalars(select(table).where(table.id.in_(ids))))
    if table is Document:
        return list(uow.session.scalars(select(table).where(table.subject_id.in_(ids))))
    if table is Suspension:
        of = table.matter_id.in_(ids) | table.violation_id.in_(violations)
        return list(uow.session.scalars(select(table).where(of)))
    if table is DisclosureDownload:
        disclosures = select(Disclosure.id).where(Disclosure.matter_id.in_(ids))
        return list(uow.session.scalars(select(table).where(table.disclosure_id.in_(disclosures))))
    return list(uow.session.scalars(select(table).where(table.matter_id.in_(ids))))


def events_of(uow: UnitOfWork) -> dict[str, set[str]]:
    """Which details the events of the trail have that matters leave."""
    found: dict[str, set[str]] = defaultdict(set)
    for event in uow.session.scalars(select(AuditEvent).where(AuditEvent.action.in_(EVENTS))):
        found[event.action] |= json.loads(event.entry)["detail"].keys()
    return dict(found)
