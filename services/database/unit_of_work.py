"""The unit of work: one transaction, one moment, one actor. Committed here and nowhere else."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Concatenate, Literal, ParamSpec, Protocol, TypeVar

from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import ORMExecuteState, Session, SessionTransaction, sessionmaker
from sqlalchemy.pool import Pool, QueuePool

from services.database.engine import READING, UNLIMITED, connect, one_writer
from services.database.failures import busy, explain
from services.database.group_commit import wait_for_disk
from services.database.readiness import Readiness
from services.database.slots import NoSlot, Slots
from services.runtime import metrics
from services.runtime.clock import Clock, SystemClock
from services.runtime.errors import Refused
from services.runtime.rules import Rules
from services.runtime.secret_box import NoSecretBox, SecretBox
from services.runtime.settings.database import DatabaseSettings
from services.runtime.threads import run_in_own_thread

if TYPE_CHECKING:
    from services.database.tables.audit import AuditEvent

P = ParamSpec("P")
R = TypeVar("R")

EVERY_COMMIT = "commit"  # the topic of listeners to all commits


class AppendEvents(Protocol):
    """Number the events of the audit trail and write them; the commit comes next (``domain.audit.tree.append``)."""

    def __call__(self, session: Session, events: "Sequence[AuditEvent]", /) -> None: ...


class ReadRules(Protocol):
    """Return ``base`` with the changes in the database (``domain.rules.overrides.RuleOverrides``)."""

    def __call__(self, session: Session, /, base: Rules) -> Rules: ...


@dataclass(frozen=True)
class Actor:
    """Who acts: a person by id, a worker by job type, or the system by part."""

    kind: Literal["person", "worker", "system"]
    id: str


@dataclass
class UnitOfWork:
    """The first argument of every act and query. ``now`` and ``real_now`` are fixed for the whole unit.

    ``real_now`` is for sessions and one-time codes, which ignore a turned clock. ``after_refusal`` runs in a
    transaction of its own when the act is refused and rolled back: this counts a wrong password.
    """

    session: Session
    now: datetime
    real_now: datetime
    actor: Actor
    read_rules: Callable[[Session], Rules]
    demo: bool
    secrets: SecretBox
    after_commit: set[str] = field(default_factory=set)
    after_refusal: list[Callable[["UnitOfWork"], None]] = field(default_factory=list)
    recorder_secrets: SecretBox = field(default_factory=NoSecretBox)  # of their own: workers open recorders with it
    events: "list[AuditEvent]" = field(default_factory=list)  # of the audit trail, numbered when the unit commits
    reading: bool = False  # of ``Database.read``: the database refuses to write and to lock
    after_reading: "list[Callable[[UnitOfWork], None]]" = field(default_factory=list)

    @cached_property
    def rules(self) -> Rules:
        """The rules at first access: the environment's with the database's changes."""
        return self.read_rules(self.session)

    def write(self, act: "Callable[[UnitOfWork], None]") -> None:
        """Run ``act`` at once; in a unit that only reads once it has ended, in a short one that writes."""
        if self.reading:
            self.after_reading.append(act)
        else:
            act(self)

    @contextmanager
    def savepoint(self) -> Iterator[SessionTransaction]:
        """Open a part that rolls back alone, with its events of the audit trail."""
        before, committed = len(self.events), False
        try:
            with self.session.begin_nested() as nested:
                yield nested
                active = nested.is_active
            committed = active
        finally:
            if not committed:
                del self.events[before:]


class ReadingSession(Session):
    """A session of a transaction that only reads."""


@event.listens_for(ReadingSession, "do_orm_execute")
def _refuse_to_lock(execution: ORMExecuteState) -> None:
    """Refuse what PostgreSQL refuses in such a transaction, on SQLite as well."""
    if getattr(execution.statement, "_for_update_arg", None) is not None:
        raise RuntimeError("a unit of work that only reads locks no rows")


class Database:
    """Opens units of work on one database. SQLite has one writer at a time; PostgreSQL locks rows."""

    def __init__(
        self,
        url: str,
        clock: Clock,
        rules: Rules,
        *,
        append_events: AppendEvents,
        read_rules: ReadRules,
        secrets: SecretBox | None = None,
        recorder_secrets: SecretBox | None = None,
        real: Clock | None = None,
        connections: DatabaseSettings = UNLIMITED,
    ) -> None:
        self.engine = connect(url, connections)
        self.readiness = Readiness(url, connections)
        self.clock = clock
        self.real = real or SystemClock()
        self.rules = rules  # the environment's; those of a unit include the changes in the database
        self._append_events = append_events
        self._read_rules = read_rules
        self.secrets = secrets or NoSecretBox()
        self.recorder_secrets = recorder_secrets or self.secrets
        self._one_writer = one_writer(self.engine)
        self._sessions = sessionmaker(expire_on_commit=False, join_transaction_mode="rollback_only")
        shared = self.engine.dialect.name != "sqlite"
        # SQLite by itself shows one moment to a transaction, PostgreSQL to one that asks for it.
        moment = {"isolation_level": "REPEATABLE READ"} if shared else {}
        self._readers = self.engine.execution_options(**{READING: True, "postgresql_readonly": True, **moment})
        self._reading = sessionmaker(
            class_=ReadingSession, expire_on_commit=False, join_transaction_mode="rollback_only", autoflush=False
        )
        self._listeners: dict[str, list[Callable[[], None]]] = {}
        size, wait = connections.pool_size, connections.wait_seconds
        # SQLite's writers share one connection and wait for its lock: they would keep those waiting that only read.
        self._reading_slots = Slots(size if shared else size - 1, wait)
        self._writing_slots = self._reading_slots if shared else Slots(size, wait)
        _watch_pool(self.engine.pool)

    def on(self, topic: str, listener: Callable[[], None]) -> None:
        """Call ``listener`` (in a worker thread) after each commit that touched ``topic``.

        Every commit touches ``EVERY_COMMIT``.
        """
        self._listeners.setdefault(topic, []).append(listener)

    async def run(
        self, actor: Actor, act: Callable[Concatenate[UnitOfWork, P], R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Run ``act(uow, …)`` in a thread, in one transaction that commits when it returns.

        Rolls back and raises what ``act`` raises. For a fault of the database raises Retryable, which is Busy where all
        connections stay in use, or Refused for a value that it cannot store.
        """
        return await self._in_slot(self._writing_slots, actor, partial(self.run_now, actor, act, *args, **kwargs))

    async def _in_slot(self, slots: Slots, actor: Actor, unit: Callable[[], R]) -> R:
        try:
            async with slots.one(actor.id if actor.kind == "person" else None):
                return await run_in_own_thread(unit)
        except NoSlot as error:
            raise busy(self.engine) from error

    def run_now(
        self, actor: Actor, act: Callable[Concatenate[UnitOfWork, P], R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Run ``act`` as ``run`` does, in this thread."""
        after_refusal: list[Callable[[UnitOfWork], None]] = []
        with metrics.TRANSACTION_DURATION.time(), self._one_writer:
            try:
                result, uow = self._once(actor, lambda uow: act(uow, *args, **kwargs), after_refusal)
            except Refused:
                # before the next one writes, who may be guessing in another thread
                for count in after_refusal:
                    self._once(actor, count, [])
                raise
        for topic in (*uow.after_commit, EVERY_COMMIT):
            for listener in self._listeners.get(topic, ()):
                listener()
        return result

    async def read(
        self, actor: Actor, query: Callable[Concatenate[UnitOfWork, P], R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Run ``query(uow, …)`` in a thread, in one transaction that can only read, and waits for no writer.

        The audit events that it records are appended in a transaction of their own before this returns: where they
        cannot be, it raises as ``run`` does, and what was read is not given away (F20).
        """
        return await self._in_slot(self._reading_slots, actor, partial(self.read_now, actor, query, *args, **kwargs))

    def read_now(
        self, actor: Actor, query: Callable[Concatenate[UnitOfWork, P], R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Run ``query`` as ``read`` does, in this thread."""
        after_refusal: list[Callable[[UnitOfWork], None]] = []
        try:
            with metrics.TRANSACTION_DURATION.time():
                result, uow = self._once(actor, lambda uow: query(uow, *args, **kwargs), after_refusal, reading=True)
        except Refused:
            with self._one_writer:
                for count in after_refusal:
                    self._once(actor, count, [])
            raise
        if uow.events or uow.after_reading:

            def write(writing: UnitOfWork) -> None:
                for act in uow.after_reading:
                    act(writing)
                writing.events[:0] = uow.events

            self.run_now(actor, write)
        return result

    def _once(
        self,
        actor: Actor,
        act: Callable[[UnitOfWork], R],
        after_refusal: list[Callable[[UnitOfWork], None]],
        *,
        reading: bool = False,
    ) -> tuple[R, UnitOfWork]:
        """Run the act in one transaction; return its result and the unit, which has ended."""
        touched: set[str] = set()
        engine, sessions = (self._readers, self._reading) if reading else (self.engine, self._sessions)
        try:
            # Not the session's own transaction, which would leave one open whose commit has failed.
            with engine.connect() as connection:
                with connection.begin(), sessions(bind=connection) as session:
                    uow = UnitOfWork(
                        session,
                        self.clock.now(),
                        self.real.now(),
                        actor,
                        partial(self._read_rules, base=self.rules),
                        self.clock.turned,
                        self.secrets,
                        touched,
                        after_refusal,
                        self.recorder_secrets,
                        reading=reading,
                    )
                    result = act(uow)
                    if not reading:
                        self._append_events(session, uow.events)
                    session.commit()
                wait_for_disk(connection)
        except (SQLAlchemyError, self.engine.dialect.loaded_dbapi.Error) as error:
            failure = explain(error, self.engine)
            if failure is None:
                raise
            raise failure from error
        return result, uow

    def hung_seconds(self) -> float:
        """Return for how long no unit of work has begun or ended while all connections are in use, in seconds."""
        return max(self._reading_slots.hung_seconds(), self._writing_slots.hung_seconds())

    def close(self) -> None:
        self.readiness.close()
        self.engine.dispose()


def _watch_pool(pool: Pool) -> None:
    """Have the metrics say how many connections of this process are in use, and how many there may be."""
    if isinstance(pool, QueuePool):
        metrics.CONNECTIONS_IN_USE.set_function(pool.checkedout)
        metrics.CONNECTIONS_LIMIT.set(pool.size())
