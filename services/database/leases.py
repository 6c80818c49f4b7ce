"""Leases: one process of several does what one must do, and another goes on when it ends.

A lease is a row that is taken and renewed by one statement, which compares holder and time by the database's clock.
Locks of a session would not pass a pooler that gives each transaction another connection. A task that ends or fails
gives its lease back; that of a process that was killed runs out. Another takes it within ``length`` and a third of it.
"""

import os
import socket
import time
import uuid
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import timedelta
from typing import Any

import anyio
from sqlalchemy import ColumnElement, Double, delete, literal_column, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from services.database.tables.leases import CountedMetrics, LeaseRow
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.runtime import metrics
from services.runtime.errors import Retryable
from services.runtime.periodic import Periodic

ACTOR = Actor("system", "lease")
RELEASE_SECONDS = 3.0
_RUN = uuid.uuid4().hex[:8]
# Neither stands still within a transaction, as now() does.
_NOW = {
    "postgresql": "extract(epoch FROM clock_timestamp())",
    "sqlite": "(julianday('now') - 2440587.5) * 86400",
}


class LeaseTime:
    """The time of leases: the database's for all processes, and what has passed in this one."""

    def now(self, dialect: str) -> ColumnElement[float]:
        """Return the database's time, in seconds since 1970, as a part of a statement."""
        return literal_column(_NOW[dialect], Double())

    def monotonic(self) -> float:
        return time.monotonic()


class Lease:
    """The lease of one task for one holder, by default this process."""

    def __init__(
        self,
        database: Database,
        name: str,
        length: timedelta,
        *,
        holder: str | None = None,
        time_: LeaseTime | None = None,
    ) -> None:
        self.name = name
        self._database = database
        self._length = length.total_seconds()
        self._holder = holder or this_process()
        self._time = time_ or LeaseTime()
        self._until = self._ask_at = float("-inf")  # by this process's own clock
        metrics.LEASE_HELD.labels(name).set(0)

    @classmethod
    def between_runs(cls, database: Database, name: str, every: timedelta) -> "Lease":
        """Return the lease of a task that runs every ``every``: it outlasts the wait between two runs."""
        return cls(database, name, 1.5 * every)

    @property
    def held(self) -> bool:
        """Whether it is held now; counted from before it was asked for, so it ends here before it does there."""
        return self._time.monotonic() < self._until

    async def hold(self) -> bool:
        """Take the lease, or renew it where a third has passed; return whether it is held.

        Who does not have it asks as seldom. Raises Retryable without a database.
        """
        asked = self._time.monotonic()
        if asked >= self._ask_at:
            taken = await self._database.run(ACTOR, take, self.name, self._holder, self._length, self._time)
            self._until = asked + self._length if taken else float("-inf")
            self._ask_at = asked + self._length / 3
        metrics.LEASE_HELD.labels(self.name).set(self.held)
        return self.held

    async def release(self) -> None:
        """Give the lease back, and leave it to the others for a third of its length."""
        if not self.held:
            return
        self._until, self._ask_at = float("-inf"), self._time.monotonic() + self._length / 3
        metrics.LEASE_HELD.labels(self.name).set(0)
        try:
            await self._database.run(ACTOR, give_back, self.name, self._holder)
        except Retryable:
            return  # it runs out


class Leased(Periodic):
    """A periodic task that one process at a time runs: ``act`` where the lease is held, else ``otherwise``.

    The process that fails gives the lease back, so that one that reaches the engine can go on.
    """

    def __init__(
        self,
        lease: Lease,
        every: timedelta,
        act: Callable[[], Awaitable[bool | None]],
        *,
        otherwise: Callable[[], Awaitable[None]] | None = None,
        **named: Any,
    ) -> None:
        super().__init__(lease.name, every, self._run_if_held, **named)
        self.lease = lease
        self._work, self._otherwise = act, otherwise

    async def run(self) -> None:
        """Run until cancelled, and give the lease back then."""
        try:
            await super().run()
        finally:
            with anyio.move_on_after(RELEASE_SECONDS, shield=True):
                await self.lease.release()

    async def _run_if_held(self) -> bool | None:
        if not await self.lease.hold():
            if self._otherwise is not None:
                await self._otherwise()
            return False
        try:
            return await self._work()
        except Exception:
            await self.lease.release()
            raise


def this_process() -> str:
    """Name this process among all that use the database, also where it was forked."""
    return f"{socket.gethostname()}:{os.getpid()}:{_RUN}"


def take(uow: UnitOfWork, name: str, holder: str, seconds: float, time_: LeaseTime) -> bool:
    """Take or renew a lease for ``seconds``; return False if another has it."""
    return bool(take_all(uow, [name], holder, seconds, time_))


def take_all(uow: UnitOfWork, names: Sequence[str], holder: str, seconds: float, time_: LeaseTime) -> set[str]:
    """Take or renew leases for ``seconds``, in this order; return those that no other has. One statement.

    One that would last twice as long as any was taken while the database's clock was ahead: it is over.
    """
    if not names:
        return set()
    dialect = uow.session.get_bind().dialect.name
    insert = (sqlite if dialect == "sqlite" else postgresql).insert(LeaseRow)
    now = time_.now(dialect)
    until = now + seconds
    statement = insert.values([{"name": name, "holder": holder, "until": until} for name in names])
    statement = statement.on_conflict_do_update(
        index_elements=[LeaseRow.name],
        set_={"holder": holder, "until": until},
        where=or_(LeaseRow.holder == holder, LeaseRow.until <= now, LeaseRow.until > now + 2 * seconds),
    )
    return set(uow.session.scalars(statement.returning(LeaseRow.name)))


def give_back(uow: UnitOfWork, name: str, holder: str) -> None:
    """End a lease of this holder, so that another may take it at once."""
    uow.session.execute(update(LeaseRow).where(LeaseRow.name == name, LeaseRow.holder == holder).values(until=0.0))


def drop(uow: UnitOfWork, names: Collection[str], holder: str) -> None:
    """Remove leases of this holder, of which each has its own name and is needed once."""
    uow.session.execute(delete(LeaseRow).where(LeaseRow.name.in_(names), LeaseRow.holder == holder))


def end_all(uow: UnitOfWork) -> None:
    """End all leases: for a process that knows that no other uses the database."""
    uow.session.execute(delete(LeaseRow))


def keep_counted(uow: UnitOfWork, task: str, text: str) -> None:
    """Keep what a task has counted, for all processes to export."""
    uow.session.merge(CountedMetrics(task=task, text=text))


def list_counted(uow: UnitOfWork) -> str:
    """Return what all tasks have last counted."""
    return "".join(uow.session.scalars(select(CountedMetrics.text).order_by(CountedMetrics.task)))
