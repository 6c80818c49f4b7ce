"""The register's side of a reconciliation with the process engine: what is open, what is closed, and who waits.

Each open row of a register of ``process.instances`` has an instance of its process, and each instance an open row.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from sqlalchemy import Select, exists, null, or_, select, tuple_

from services.database.tables.applications import Application
from services.database.tables.maintenance import ReconciliationFinding
from services.database.tables.matters import Matter
from services.database.tables.outbox import OutboxMessage
from services.database.tables.reviews import Review
from services.database.tables.work_orders import WorkOrder
from services.database.unit_of_work import UnitOfWork
from services.domain.process.instances import REGISTERS, Register, asks_for_matter
from services.domain.process.messages import STARTS
from services.domain.storage.differences import GONE
from services.domain.storage.findings import Found

ENGINE = "engine"
# What began, or was closed, so recently may still be on its way.
SETTLED = timedelta(minutes=10)
Place: TypeAlias = tuple[Any, ...]
[MATTERS] = [register for register in REGISTERS if register.table is Matter]
# By which open rows, and those that are closed, are read: by indexes of their own where there are some.
_OPEN_BY = {Matter: (Matter.opened_at, Matter.id), WorkOrder: (WorkOrder.due_at, WorkOrder.id)}
_CLOSED_BY = {Application: (Application.closed_at, Application.id)}


@dataclass(frozen=True)
class Led:
    """A row that a process leads. ``key``: of the instance that has taken it; ``place``: where the next page begins.

    ``kind`` is that of a matter or a work order. ``asking``: the instance of its open review, where no job of its own
    process was due yet.
    """

    register: Register
    id: str
    number: str
    kind: str | None
    application_id: str | None
    key: int | None
    closed_at: datetime | None
    asking: int | None = None
    place: Place = field(default=(), compare=False)

    def without_instance(self) -> Found:
        """Return the difference that it is open and the engine has no instance of it."""
        return self._found(f"{self.register.name}-without-instance")

    def still_run(self) -> Found:
        """Return the difference that it is closed and an instance of it still runs."""
        return self._found(f"instance-without-{self.register.name}")

    def _found(self, kind: str) -> Found:
        return Found(kind, ENGINE, self.number, "", self.application_id, {"of": self.kind or self.register.name})


def stranger(register: Register, process: str, key: int, application_id: str | None = None) -> Found:
    """Return the difference that an instance runs which no row names; ``application_id``: that it says it is of."""
    return Found(
        f"instance-without-{register.name}", ENGINE, f"{process} {key}", "", application_id, {"process": process}
    )


def list_running(uow: UnitOfWork, register: Register, after: Place | None, limit: int) -> list[Led]:
    """List the open rows that a process has taken, behind a place."""
    table = register.table
    keys = _OPEN_BY.get(table, (table.id,))
    query = _select(register).where(table.process_instance_key.is_not(None), table.closed_at.is_(None))
    return _page(uow, register, query.limit(limit), keys, after)


def list_ended(uow: UnitOfWork, register: Register, since: datetime, after: Place | None, limit: int) -> list[Led]:
    """List those closed since then, and long enough ago that their instances have ended, behind a place."""
    table = register.table
    keys = _CLOSED_BY.get(table, (table.id,))
    query = _select(register).where(
        table.process_instance_key.is_not(None), table.closed_at > since, table.closed_at <= uow.now - SETTLED
    )
    return _page(uow, register, query.limit(limit), keys, after)


def list_found(uow: UnitOfWork, register: Register) -> list[Led]:
    """List the closed rows of which an instance still ran when it was last looked for."""
    table = register.table
    subjects = select(ReconciliationFinding.subject).where(
        ReconciliationFinding.kind == f"instance-without-{register.name}", ReconciliationFinding.state != GONE
    )
    query = _select(register).where(
        table.process_instance_key.is_not(None),
        table.closed_at.is_not(None),
        or_(table.number.in_(subjects), table.id.in_(subjects)),
    )
    return _rows(uow, register, query)


def list_not_named(uow: UnitOfWork) -> list[Led]:
    """List the open matters whose process has begun, by asking somebody, and whose instance no job has named yet.

    What waits for its start is not among them: the outbox sends it until the process has it. Nor is what no message has
    started.
    """
    start = (OutboxMessage.matter_id == Matter.id, OutboxMessage.name.in_(STARTS))
    query = (
        _select(MATTERS)
        .add_columns(Review.process_instance_key)
        .outerjoin(Review, (Review.matter_id == Matter.id) & asks_for_matter())
        .where(
            Matter.process_instance_key.is_(None),
            Matter.closed_at.is_(None),
            Matter.opened_at <= uow.now - SETTLED,
            exists().where(*start),
            ~exists().where(*start, OutboxMessage.settled_at.is_(None)),
        )
    )
    return [_led(MATTERS, columns, asking=asking) for *columns, asking in uow.session.execute(query)]


def still_differs(uow: UnitOfWork, row: Led) -> bool:
    """Return whether a row is open, or closed, and asks, as it did when the engine was asked for it."""
    table = row.register.table
    columns = select(table.process_instance_key, table.closed_at).where(table.id == row.id)
    key, closed_at = uow.session.execute(columns).one()
    if key != row.key or (closed_at is None) != (row.closed_at is None):
        return False
    if row.asking is None:
        return True
    asks = select(Review.id).where(
        Review.matter_id == row.id, Review.process_instance_key == row.asking, asks_for_matter()
    )
    return uow.session.scalar(asks.limit(1)) is not None


def find_named(uow: UnitOfWork, register: Register, ids: Collection[str]) -> dict[str, Led]:
    """Return the rows of a register that have these ids, by id."""
    return {row.id: row for row in _rows(uow, register, _select(register).where(register.table.id.in_(ids)))}


def find_of_instances(uow: UnitOfWork, register: Register, keys: Collection[int]) -> dict[int, Led]:
    """Return the rows of a register that these process instances have taken, by key."""
    query = _select(register).where(register.table.process_instance_key.in_(keys))
    return {row.key: row for row in _rows(uow, register, query) if row.key is not None}


def _page(
    uow: UnitOfWork, register: Register, query: Select[Any], keys: Sequence[Any], after: Place | None
) -> list[Led]:
    query = query.add_columns(*keys).order_by(*keys)
    if after is not None:
        query = query.where(tuple_(*keys) > tuple_(*after, types=[key.type for key in keys]))
    rows = [tuple(row) for row in uow.session.execute(query)]
    return [_led(register, row[: -len(keys)], place=row[-len(keys) :]) for row in rows]


def _select(register: Register) -> Select[Any]:
    table = register.table
    of_case = table.id if table is Application else getattr(table, "application_id", null())
    kind = register.kind if register.kind is not None else null()
    return select(table.id, table.number, kind, of_case, table.process_instance_key, table.closed_at)


def _rows(uow: UnitOfWork, register: Register, query: Select[Any]) -> list[Led]:
    return [_led(register, row) for row in uow.session.execute(query)]


def _led(register: Register, columns: Sequence[Any], *, asking: int | None = None, place: Place = ()) -> Led:
    row_id, number, kind, application_id, key, closed_at = columns
    return Led(register, row_id, number or row_id, kind, application_id, key, closed_at, asking, place)
