"""Look for open cases, matters, inspections and work orders that the engine does not have.

They would stand still for ever, and nobody would see it.
"""

from collections import Counter
from typing import NamedTuple

from sqlalchemy import select

from services.database.tables.applications import Application
from services.database.tables.inspections import GroupInspection
from services.database.tables.matters import Matter
from services.database.tables.work_orders import WorkOrder
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.runtime import metrics
from services.runtime.engine_client import EngineClient
from services.runtime.errors import Retryable
from services.runtime.logs import get_logger

log = get_logger(__name__)
ACTOR = Actor("system", "instance-check")
PARTITION_BITS = 51  # above them a key names the partition that it is of
TABLES = (Application, Matter, GroupInspection, WorkOrder)  # of what a process of its own leads to its end
FAILURES = 3  # of a partition: then it is away, and is not asked for each of its instances


class OpenInstance(NamedTuple):
    """A row of a table that is not closed, and the instance that has taken it."""

    table: str
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
        log.error("what is open has no process instance", table=one.table, id=one.id)
    if answered or missing:
        metrics.CASES_WITHOUT_INSTANCE.set(len(missing))
    return [one.id for one in missing]


def list_open_instances(uow: UnitOfWork) -> list[OpenInstance]:
    """List what is open of the tables and was taken by its process."""
    found = list[OpenInstance]()
    for table in TABLES:
        query = select(table.id, table.process_instance_key).where(
            table.process_instance_key.is_not(None), table.closed_at.is_(None)
        )
        rows = uow.session.execute(query)
        found += [OpenInstance(table.__tablename__, row_id, key) for row_id, key in rows if key is not None]
    return found
