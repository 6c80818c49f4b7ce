"""Transactions that come at once on one SQLite file share a commit, and with it the wait for the disk.

SQLite has one writer at a time, and syncs the disk in each commit. Whoever has done its part while another waits for
its turn leaves the transaction open for that one, and is told when the last of them has committed for all. Each part
but the first has a savepoint of its own. Whoever is alone commits at once.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from sqlite3 import OperationalError as SqliteError
from typing import Any

from sqlalchemy import Connection, Engine, NestedTransaction
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, OperationalError

HELD_OPEN = 0.01  # seconds: longer than most syncs, shorter than anybody notices
COMMIT = "COMMIT"


def transactions(engine: Engine) -> Callable[[], AbstractContextManager[Connection]]:
    """What opens a transaction, as ``Engine.begin`` does, and commits it at the end: shared on SQLite."""
    return SharedCommits(engine).begin if engine.dialect.name == "sqlite" else engine.begin


class SharedCommits:
    """For all threads of the process; who comes first is served first.

    A part that is done waits for one commit, before which others begin their parts for ``HELD_OPEN`` seconds at most:
    it is held back so long and by the one that is at work then, and not at all where nobody waits for a turn or
    nothing has been written. A part sees what those before it wrote, and fails if their common commit does.
    """

    def __init__(self, engine: Engine, seconds: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._seconds = seconds
        self._guard = threading.Lock()  # of the next two; whoever has the turn has the third to itself
        self._taken = False
        self._waiting: deque[threading.Lock] = deque()
        self._open: _Shared | None = None

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A transaction, or a part of one, that is on the disk when the block has been left.

        An error in the block undoes this part alone. Raises OperationalError when the database is locked by another
        process, or when the commit fails: then nothing of any part is kept.
        """
        own = threading.Lock()  # released by another thread: once for the turn, once when all is on the disk
        own.acquire()
        self._take_turn(own)
        try:
            shared = self._open = self._open or _Shared(self._engine)
            with shared.part():
                yield shared.connection
            shared.join(own, self._seconds())
        except BaseException:
            self._give_up_turn()
            raise
        self._end_turn()
        shared.wait(own)

    def _take_turn(self, own: threading.Lock) -> None:
        with self._guard:
            if not self._taken:
                self._taken = True
                return
            self._waiting.append(own)
        try:
            own.acquire()
        except BaseException:
            with self._guard:
                handed_over = own not in self._waiting
                if not handed_over:
                    self._waiting.remove(own)
            if handed_over:
                self._give_up_turn()
            raise

    def _give_up_turn(self) -> None:
        """For who has an error of its own to raise: that of the commit is told to those who wait for it."""
        with suppress(DBAPIError):
            self._end_turn()

    def _end_turn(self) -> None:
        """Commit, unless another waits who can share that, and hand the turn on."""
        shared = self._open
        if shared is None:
            self._hand_on(or_free=True)
        elif not (shared.stays_open(self._seconds()) and self._hand_on()):
            self._open = None
            try:
                shared.end()
            finally:
                self._hand_on(or_free=True)
                shared.tell()

    def _hand_on(self, *, or_free: bool = False) -> bool:
        """Whether another waited, and has the turn now."""
        with self._guard:
            heir = self._waiting.popleft() if self._waiting else None
            if heir is None and or_free:
                self._taken = False
        if heir is not None:
            heir.release()
        return heir is not None


class _Shared:
    """One transaction, and those whose parts of it are done. Raises OperationalError when another process writes."""

    def __init__(self, engine: Engine) -> None:
        self.connection = engine.connect()
        try:
            self._transaction = self.connection.begin()
        except BaseException:
            self.connection.close()
            raise
        self._driver = _driver(self.connection)
        self._before = self._driver.total_changes
        self._members: list[threading.Lock] = []
        self._since = 0.0
        self._ended = False
        self._error: BaseException | None = None

    @contextmanager
    def part(self) -> Iterator[None]:
        """What an error undoes alone; whatever cannot be undone alone is undone with all."""
        savepoint: NestedTransaction | None = None
        try:
            if self._members:
                savepoint = self.connection.begin_nested()
            yield
            self._check()
            if savepoint is not None:
                self._alone(savepoint.commit)
        except BaseException as error:
            if savepoint is None or not self._stands():
                self._error = error
            elif savepoint.is_active:
                self._alone(savepoint.rollback)
            raise

    def _alone(self, keep_or_undo: Callable[[], None]) -> None:
        try:
            keep_or_undo()
        except BaseException as error:  # it can be neither kept nor undone alone
            self._error = error
            raise

    def _check(self) -> None:
        if not self._stands():
            raise OperationalError(COMMIT, None, SqliteError("the transaction has ended before"))

    def _stands(self) -> bool:
        usable = self._transaction.is_active and not self.connection.invalidated
        return usable and bool(self._driver.in_transaction)

    def join(self, own: threading.Lock, now: float) -> None:
        if not self._members:
            self._since = now
        self._members.append(own)

    def stays_open(self, now: float) -> bool:
        if self._error is not None or now - self._since >= HELD_OPEN:
            return False
        written: bool = self._driver.total_changes != self._before
        return written

    def end(self) -> None:
        """Commit, or roll back after an error; raises what the commit raises."""
        try:
            with self.connection, self._transaction:
                if self._error is not None and self._transaction.is_active:
                    self._transaction.rollback()
        except BaseException as error:
            self._error = error
            raise

    def tell(self) -> None:
        self._ended = True
        for own in self._members:
            own.release()

    def wait(self, own: threading.Lock) -> None:
        """Until it is committed. Raises OperationalError when it is not."""
        if not self._ended:
            own.acquire()
        if self._error is not None:
            reason = self._error.orig if isinstance(self._error, DBAPIError) else self._error
            raise OperationalError(COMMIT, None, reason or self._error, hide_parameters=True) from self._error


def give_up_lost_transaction(context: ExceptionContext) -> None:
    """SQLite ends a transaction by itself when the disk is full or fails: what came after would be kept, each at once.

    So no statement goes through such a connection any more, nor through one where a savepoint was not undone.
    """
    connection = context.connection
    if connection is None or connection.invalidated or not connection.in_transaction():
        return
    if not _driver(connection).in_transaction or (context.statement or "").startswith("ROLLBACK TO"):
        context.is_disconnect = True
        context.invalidate_pool_on_disconnect = False


def _driver(connection: Connection) -> Any:
    return connection.connection.dbapi_connection
