"""The unit of work: one transaction, one moment, one actor. Committed here and nowhere else."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, Protocol, TypeVar

import anyio.to_thread
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import ORMExecuteState, Session, SessionTransaction, sessionmaker

from services.database.group_commit import wait_for_disk
from services.runtime import metrics
from services.runtime.clock import Clock, SystemClock
from services.runtime.errors import Fatal, Refused, Retryable
from services.runtime.rules import Rules
from services.runtime.secret_box import NoSecretBox, SecretBox

if TYPE_CHECKING:
    from services.database.tables.audit import AuditEvent

P = ParamSpec("P")
R = TypeVar("R")

RUNBOOK_DB_DOWN = "database-unavailable"
BEGIN = "BEGIN IMMEDIATE"
READING = "reading"  # the execution option of transactions that only read
LOCK_TIMEOUT_SECONDS = 10.0  # how long a transaction waits to begin while another process writes
BUSY_TIMEOUT_MS = 10  # milliseconds, in which SQLite itself polls five times
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
    ) -> None:
        self.engine = connect(url)
        self.clock = clock
        self.real = real or SystemClock()
        self.rules = rules  # the environment's; those of a unit include the changes in the database
        self._append_events = append_events
        self._read_rules = read_rules
        self.secrets = secrets or NoSecretBox()
        self.recorder_secrets = recorder_secrets or self.secrets
        self._one_writer = one_writer(self.engine)
        self._sessions = sessionmaker(expire_on_commit=False, join_transaction_mode="rollback_only")
        self._readers = self.engine.execution_options(**{READING: True, "postgresql_readonly": True})
        self._reading = sessionmaker(
            class_=ReadingSession, expire_on_commit=False, join_transaction_mode="rollback_only", autoflush=False
        )
        self._listeners: dict[str, list[Callable[[], None]]] = {}

    def on(self, topic: str, listener: Callable[[], None]) -> None:
        """Call ``listener`` (in a worker thread) after each commit that touched ``topic``.

        Every commit touches ``EVERY_COMMIT``.
        """
        self._listeners.setdefault(topic, []).append(listener)

    async def run(
        self, actor: Actor, act: Callable[Concatenate[UnitOfWork, P], R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Run ``act(uow, …)`` in a thread, in one transaction that commits when it returns.

        Rolls back and raises what ``act`` raises; Retryable if the database is busy or down.
        """
        return await anyio.to_thread.run_sync(partial(self.run_now, actor, act, *args, **kwargs))

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
        return await anyio.to_thread.run_sync(partial(self.read_now, actor, query, *args, **kwargs))

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
        except OperationalError as error:
            metrics.TRANSACTION_FAILURES.labels("unavailable").inc()
            if _sqlite_code(error.orig) == sqlite3.SQLITE_FULL:
                raise Retryable(
                    f"the disk is full | {self.engine.url.render_as_string()} | nothing was written | make room on "
                    "it; what failed is retried",
                    runbook=RUNBOOK_DB_DOWN,
                ) from error
            raise Retryable(
                f"the database did not answer | {self.engine.url.render_as_string()} | {error.orig} | "
                "check that the database runs and is reachable",
                runbook=RUNBOOK_DB_DOWN,
            ) from error
        except PoolTimeout as error:
            metrics.TRANSACTION_FAILURES.labels("unavailable").inc()
            raise Retryable(
                f"the database did not answer in time | {self.engine.url.render_as_string()} | every connection "
                "of this process was in use | try again; where it goes on, look for slow statements",
                runbook=RUNBOOK_DB_DOWN,
            ) from error
        except IntegrityError as error:
            metrics.TRANSACTION_FAILURES.labels("conflict").inc()
            raise Retryable("another act came first | its row is in the database already | try again") from error
        except DBAPIError as error:
            if error.connection_invalidated:
                metrics.TRANSACTION_FAILURES.labels("unavailable").inc()
                raise Retryable(
                    f"the connection to the database broke | {error.orig}", runbook=RUNBOOK_DB_DOWN
                ) from error
            raise
        return result, uow

    def close(self) -> None:
        self.engine.dispose()


def connect(url: str) -> Engine:
    """Create the engine; for SQLite with WAL, full sync, foreign keys and immediate transactions.

    An address of ``reading.unchanged`` gets transactions that only read.
    """
    # The text of an error is logged, so it must not have people's texts and the hashes of their passwords.
    engine = create_engine(url, pool_pre_ping=not url.startswith("sqlite"), hide_parameters=True)
    if engine.dialect.name == "sqlite" and engine.url.query.get("mode") == "ro":
        event.listen(engine, "connect", _begin_by_ourselves)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
        event.listen(engine, "handle_error", _refuse_damaged)
    elif engine.dialect.name == "sqlite":
        event.listen(engine, "connect", partial(_prepare_sqlite, path=engine.url.database or ""))
        event.listen(engine, "begin", _begin)
        event.listen(engine, "handle_error", _invalidate_lost_transaction)
        event.listen(engine, "handle_error", _refuse_damaged)
    return engine


def one_writer(engine: Engine) -> AbstractContextManager[object]:
    """Return a lock that lets one thread of this process write at a time; none for PostgreSQL.

    SQLite has one writer, and the threads that wait for it poll, in no order. Measured with 32 threads that write
    without a break: the longest wait was at most 1 s with the lock, and 3 of 3 s without it.
    """
    return threading.Lock() if engine.dialect.name == "sqlite" else nullcontext()


class ReadingSession(Session):
    """A session of a transaction that only reads."""


@event.listens_for(ReadingSession, "do_orm_execute")
def _refuse_to_lock(execution: ORMExecuteState) -> None:
    """Refuse what PostgreSQL refuses in such a transaction, on SQLite as well."""
    if getattr(execution.statement, "_for_update_arg", None) is not None:
        raise RuntimeError("a unit of work that only reads locks no rows")


def _begin(connection: Connection) -> None:
    """Begin a transaction of SQLite: to read, a deferred one, which neither waits for the writer nor keeps it off."""
    reads = bool(connection.get_execution_options().get(READING))
    if connection.info.get(READING, False) != reads:
        connection.exec_driver_sql(f"PRAGMA query_only={'ON' if reads else 'OFF'}")
        connection.info[READING] = reads
    if reads:
        connection.exec_driver_sql("BEGIN DEFERRED")
    else:
        _begin_as_writer(connection)


def _begin_as_writer(connection: Connection) -> None:
    """Begin a writing transaction as soon as that of another process has ended.

    Polls often: a process that writes without a break frees the lock for a fraction of a millisecond between two
    commits, and SQLite by itself soon polls ten times a second only.
    """
    until = time.monotonic() + LOCK_TIMEOUT_SECONDS
    while True:
        try:
            connection.exec_driver_sql(BEGIN)
        except OperationalError as error:
            if not _is_locked(error) or time.monotonic() >= until:
                raise
        else:
            return


def _is_locked(error: OperationalError) -> bool:
    return _sqlite_code(error.orig) == sqlite3.SQLITE_BUSY


def _sqlite_code(error: BaseException | None) -> int:
    """Return SQLite's primary code of an error, whatever its extended one; 0 for another database's."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _refuse_damaged(context: ExceptionContext) -> None:
    """Raise Fatal where the file is damaged or no database."""
    engine = context.engine
    if engine is not None and _is_damaged(context.original_exception):
        raise _damaged(engine.url.database or "", context.original_exception) from context.original_exception


def _is_damaged(error: BaseException) -> bool:
    return _sqlite_code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _damaged(path: str, error: BaseException) -> Fatal:
    return Fatal(
        f"could not read the database | {path} | the file is damaged, or no database ({error}) | stop the product, "
        "move the file and its -wal and -shm away, and restore the newest backup with footage-desk restore",
        runbook=RUNBOOK_DB_DOWN,
    )


def _invalidate_lost_transaction(context: ExceptionContext) -> None:
    """Invalidate a connection whose transaction SQLite has ended by itself.

    SQLite does so when the disk is full or fails, and would commit each later statement at once. The same holds if a
    savepoint could not be rolled back.
    """
    connection = context.connection
    if connection is None or connection.invalidated or not connection.in_transaction():
        return
    driver: Any = connection.connection.dbapi_connection
    if not driver.in_transaction or (context.statement or "").startswith("ROLLBACK TO"):
        context.is_disconnect = True
        context.invalidate_pool_on_disconnect = False


def _begin_by_ourselves(connection: Any, _record: object) -> None:
    connection.isolation_level = None


def _prepare_sqlite(connection: Any, record: object, *, path: str) -> None:
    _begin_by_ourselves(connection, record)
    cursor = connection.cursor()
    try:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_TIMEOUT_MS}"):
            cursor.execute(f"PRAGMA {pragma}")
    except sqlite3.DatabaseError as error:
        if _is_damaged(error):
            raise _damaged(path, error) from error
        raise
    cursor.close()
