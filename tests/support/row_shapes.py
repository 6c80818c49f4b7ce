"""What the rows of a table look like: which columns are empty, and which names their JSON has."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, select

from services.database.base import Base
from services.database.tables.applications import Application, Item, Revision
from services.database.tables.copies import Copy, Grant
from services.database.tables.custody import CustodyEntry, HandOver
from services.database.tables.documents import Document
from services.database.tables.masters import Master
from services.database.tables.outbox import OutboxMessage
from services.database.tables.process_steps import ProcessStep
from services.database.tables.returns import ArchiveEntry, Inspection, Return
from services.database.tables.reviews import Decision, Review
from services.database.tables.stage_visits import StageVisit
from services.database.tables.upload_attempts import UploadAttempt
from services.database.unit_of_work import UnitOfWork

# Each table of a case, with what tells apart rows that look different.
TABLES: Mapping[type[Base], str | None] = {
    **{Application: None, Item: None, Revision: None, Copy: None, Grant: None, HandOver: None, Master: None},
    **{Return: None, Inspection: None, ArchiveEntry: None, StageVisit: None, Review: "stage", Decision: "stage"},
    **{CustodyEntry: "event", Document: "kind", OutboxMessage: "name", ProcessStep: "element_id"},
    UploadAttempt: "purpose",
}
# JSON whose names are identifiers.
KEYED = ("inspections.hashes", "applications.near_departments")
ALWAYS, NEVER = "filled", "empty"
Shapes = dict[str, dict[str, Any]]


def shapes_of(uow: UnitOfWork, closed_as: str | None, which: ColumnElement[bool]) -> Shapes:
    """The shape of each kind of row of those cases that have ended so: by column filled, empty, both, or JSON names.

    ``closed_as``: None for cases that are open.
    """
    cases = select(Application.id).where(Application.closed_as == closed_as, which)
    found: Shapes = {}
    for table, apart in TABLES.items():
        rows = _rows(uow, table, cases)
        grouped: dict[str, list[Any]] = defaultdict(list)
        for row in rows:
            grouped[f"{table.__tablename__}:{getattr(row, apart)}" if apart else table.__tablename__].append(row)
        for name, some in grouped.items():
            found[name] = {column.key: shape(some, column.key) for column in table.__table__.columns}
    return found


def _rows(uow: UnitOfWork, table: Any, cases: Any) -> list[Any]:
    if table is Application:
        query = select(table).where(table.id.in_(cases))
    elif hasattr(table, "application_id"):
        query = select(table).where(table.application_id.in_(cases))
    elif hasattr(table, "hand_over_id"):
        loans = select(HandOver.id).where(HandOver.application_id.in_(cases))
        query = select(table).where(table.hand_over_id.in_(loans))
    else:
        query = select(table).where(table.copy_id.in_(select(Copy.id).where(Copy.application_id.in_(cases))))
    if hasattr(table, "matter_id"):
        query = query.where(table.matter_id.is_(None))
    return list(uow.session.scalars(query))


def shape(rows: list[Any], column: str) -> Any:
    """Whether a column is filled, empty or either; of JSON the names that it has."""
    values = [getattr(row, column) for row in rows]
    if any(isinstance(value, dict) for value in values):
        return sorted({name for value in values for name in (value or {})})
    empty = sum(value is None for value in values)
    return NEVER if empty == len(values) else ALWAYS if not empty else "either"


def differences(real: Shapes, made: Shapes) -> dict[str, str]:
    """What the made rows of the kinds that both have look like, where the real ones look otherwise."""
    found = {}
    for name in real.keys() & made.keys():
        for column, shape in real[name].items():
            other = made[name][column]
            if isinstance(shape, list) or isinstance(other, list):
                known, given = (set(one) if isinstance(one, list) else set() for one in (shape, other))
                if known != given and f"{name}.{column}" not in KEYED:
                    found[f"{name}.{column}"] = f"lacks {sorted(known - given)}, has {sorted(given - known)}"
            elif {shape, other} == {ALWAYS, NEVER}:
                found[f"{name}.{column}"] = f"{other}, really {shape}"
    return found
