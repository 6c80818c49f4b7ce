"""Look for open cases, matters, inspections and work orders that the engine does not have.

They would stand still for ever, and nobody would see it.
"""

from collections import Counter
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import aliased

from services.database.tables.applications import Application
from services.database.tables.inspections import GroupInspection
from services.database.tables.matters import Matter
from services.database.tables.reviews import BRANCH_ENDED, Review
from services.database.tables.work_orders import WorkOrder
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.runtime import metrics
from services.runtime.engine_client import EngineClient
from services.runtime.errors import Retryable
from services.runtime.logs import get_logger

log = get_logger(__name__)
ACTOR = Actor("system", "instance-check")
PARTITION_BITS = 51  # above them a key names the partition that it is of
FAILURES = 3  # of a partition: then it is away, and is not asked for each of its instances


class Register(NamedTuple):
    """A table of which each open row waits for a process of its own.

    ``processes``: those that lead one, by id; a process that another one calls is none of them. ``variable``: in which
    the start message brings the row's id. ``kind``: the column by which one of several processes is chosen.
    """

    name: str
    table: Any
    processes: tuple[str, ...]
    variable: str
    kind: Any = None

    def process_of(self, kind: str | None) -> str:
        """Return the process that leads a row of this kind."""
        own = OWN_PROCESSES.get(kind or "")
        return own if own in self.processes else self.processes[0]


# Kinds of matters with a process of their own, by code; ``process.messages`` has the message that starts it.
OWN_PROCESSES = {"problem": "problem-report", "urgent": "urgent-retrieval", "violation": "violation"}
REGISTERS = (
    Register("case", Application, ("video-retrieval",), "applicationId"),
    Register("matter", Matter, ("matter", *OWN_PROCESSES.values()), "matterId", Matter.kind),
    Register("inspection", GroupInspection, ("inspection",), "inspectionId"),
    Register("work-order", WorkOrder, ("work-order",), "workOrderId", WorkOrder.kind),
)
PROCESSES = tuple(process for register in REGISTERS for process in register.processes)


class OpenInstance(NamedTuple):
    """A row of a table that is not closed, and the instance by which it is known whether its process runs."""

    table: str
    process: str
    id: str
    process_instance_key: int


class Look:
    """One look at what an engine has; a partition that is away keeps nobody from asking the others."""

    def __init__(self, client: EngineClient) -> None:
        self._client = client
        self._failures = Counter[int]()
        self._fault: Retryable | None = None
        self._answered = False

    async def has_instance(self, key: int) -> bool | None:
        """Return whether a process instance runs; None where its partition does not answer."""
        partition = key >> PARTITION_BITS
        if self._failures[partition] == FAILURES:
            return None
        try:
            found = await self._client.has_instance(key)
        except Retryable as error:
            self._fault = error
            self._failures[partition] += 1
            return None
        self._failures[partition], self._answered = 0, True
        return found

    def end(self) -> bool:
        """Return whether every question was answered. Raises Retryable if none was."""
        if self._fault is None:
            return True
        if not self._answered:
            raise self._fault
        log.warning("a part of the engine does not say which process instances it has", cause=str(self._fault))
        return False


async def check_instances(database: Database, client: EngineClient) -> list[str]:
    """Count what is open without a process instance for the alert, log each; return their ids.

    One that ends while it is asked for counts no longer at the next check; where a part of the engine does not answer,
    what was counted before is not taken back. Raises Retryable without an engine.
    """
    look = Look(client)
    missing = [
        one
        for one in await database.run(ACTOR, list_open_instances)
        if await look.has_instance(one.process_instance_key) is False
    ]
    answered = look.end()
    for one in missing:
        log.error("what is open has no process instance", table=one.table, process=one.process, id=one.id)
    if answered or missing:
        counts = Counter(one.process for one in missing)
        for process in PROCESSES:
            metrics.CASES_WITHOUT_INSTANCE.labels(process).set(counts[process])
    return [one.id for one in missing]


def list_open_instances(uow: UnitOfWork) -> list[OpenInstance]:
    """List what is open of the tables and was taken by its process."""
    found = list[OpenInstance]()
    for register in REGISTERS:
        table = register.table
        columns = [table.id, table.process_instance_key, *([register.kind] if register.kind is not None else [])]
        query = select(*columns).where(table.process_instance_key.is_not(None), table.closed_at.is_(None))
        found += [
            OpenInstance(table.__tablename__, register.process_of(*kind or [None]), row_id, key)
            for row_id, key, *kind in uow.session.execute(query)
        ]
    return found + _list_asking(uow)


def _list_asking(uow: UnitOfWork) -> list[OpenInstance]:
    """List the matters whose process began by asking somebody: the first job that would name its instance comes later.

    The review runs as a process that it calls, and ends with it.
    """
    query = (
        select(Matter.id, Matter.kind, Review.process_instance_key)
        .join(Review, (Review.matter_id == Matter.id) & asks_for_matter())
        .where(Matter.process_instance_key.is_(None), Matter.closed_at.is_(None))
        .distinct()
    )
    [matters] = [register for register in REGISTERS if register.table is Matter]
    return [
        OpenInstance(Matter.__tablename__, matters.process_of(kind), matter_id, key)
        for matter_id, kind, key in uow.session.execute(query)
    ]


def asks_for_matter() -> ColumnElement[bool]:
    """Return whether a review is the sign of life of a matter that names no instance.

    One that was closed because its process has ended is that too, while no other one is open: the engine may have ended
    the whole matter, and the question is closed before anybody looks for the matter.
    """
    other = aliased(Review)
    is_other_open = exists().where(other.matter_id == Review.matter_id, other.closed_at.is_(None))
    ended = and_(Review.closed_because == BRANCH_ENDED, ~is_other_open)
    return or_(Review.closed_at.is_(None), ended)
