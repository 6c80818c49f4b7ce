"""Open the engine's SQLite file: write-ahead log, full sync, one process only."""

import os
import secrets
import sqlite3
import time
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Engine, bindparam, create_engine, event, select
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import StaticPool

from services.engine.errors import DataDirectoryInUse, UnusableDataFile
from services.engine.state.decisions import Decisions
from services.engine.state.incidents import Incidents
from services.engine.state.instances import Instances
from services.engine.state.jobs import Jobs
from services.engine.state.messages import Messages
from services.engine.state.overview import Overview
from services.engine.state.process_definitions import ProcessDefinitions
from services.engine.state.records import Record, Records
from services.engine.state.signals import Signals, StartEventSubscriptions
from services.engine.state.statements import Statement
from services.engine.state.tables import counters, metadata
from services.engine.state.timers import Timers

FILE_NAME = "engine.sqlite3"
FORMAT_VERSION = 3  # in ``user_version``; changes with the tables, the documents and the names of their fields
_DAMAGE_MESSAGES = ("malformed", "not a database")
_FIRST_KEY = 2**51  # the first key of partition 1 in Zeebe
_KEYS_SINCE = 1_577_836_800_000  # ms: 2020-01-01
_KEYS_PER_MS = 2**10
IDENTITY = "identity"  # a counter that never counts: a random number that distinguishes this file from a new one
_PRIVATE = 0o600


class Store:
    """All tables behind one connection, which one thread uses at a time.

    ``commit`` makes all changes since ``begin`` durable; ``rollback`` discards them, in memory too.
    """

    def __init__(self, directory: Path | None) -> None:
        """Open or create the file in ``directory`` (None = in memory).

        Raises DataFileError.
        """
        self._engine = _create_engine(directory)
        self._first_key = _choose_first_key()
        try:
            self._open_file()
            self._read_counters()
        except (DatabaseError, sqlite3.Error) as error:
            self._engine.dispose()
            raise _open_error(directory, error) from error
        except UnusableDataFile:
            self.close()
            raise
        self.instances = Instances(self._driver)
        self.jobs = Jobs(self._driver)
        self.timers = Timers(self._driver)
        self.messages = Messages(self._driver)
        self.signals = Signals(self._driver)
        self.start_event_subscriptions = StartEventSubscriptions(self._driver)
        self.incidents = Incidents(self._driver)
        self.process_definitions = ProcessDefinitions(self._driver)
        self.decisions = Decisions(self._connection)
        self.records = Records(self._driver)
        self.overview = Overview(self._connection)

    def _open_file(self) -> None:
        self._connection = self._engine.connect()
        self._driver = cast(sqlite3.Connection, self._connection.connection.driver_connection)
        self.begin()
        if self._driver.execute("SELECT 1 FROM sqlite_schema").fetchone() is None:
            metadata.create_all(self._connection)
            self._driver.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
        self._check_format()
        self._driver.execute("INSERT OR IGNORE INTO counters VALUES (?, ?)", (IDENTITY, secrets.randbits(62)))
        self._driver.execute("COMMIT")

    def _check_format(self) -> None:
        """Raise UnusableDataFile for a file in another format."""
        [version] = self._driver.execute("PRAGMA user_version").fetchone()
        path = self._engine.url.database
        if version > FORMAT_VERSION:
            raise UnusableDataFile(f"{path} was written by a newer version; use that version.")
        if version < FORMAT_VERSION:
            raise UnusableDataFile(
                f"{path} was written by an older version, in format {version}, and this version reads only format "
                f"{FORMAT_VERSION}; finish its cases with that version, or move the file away to start without cases."
            )

    def begin(self) -> None:
        if not self._driver.in_transaction:
            self._driver.execute("BEGIN IMMEDIATE")
            self._changes_at_begin = self._driver.total_changes

    def commit(self) -> list[Record]:
        """Commit and return the batch's records; without changes nothing is written."""
        if self._is_unchanged():
            self.instances.mark_saved()
            self._driver.execute("ROLLBACK")
            return []
        self.instances.flush()
        self.records.flush()
        self._write_counters()
        self._driver.execute("COMMIT")
        self.instances.mark_saved()
        written, self.records.batch = self.records.batch, []
        return written

    def _is_unchanged(self) -> bool:
        """Return whether nothing changed; a changed instance always has a record."""
        return (
            not self.records.batch
            and self._key == self._saved_key
            and self._driver.total_changes == self._changes_at_begin
        )

    def rollback(self) -> None:
        self.instances.discard_changes()
        self.process_definitions.clear_cache()
        self.records.batch = []
        if self._driver.in_transaction:
            self._driver.execute("ROLLBACK")
        self._read_counters()

    def change_marker(self) -> tuple[int, int, int]:
        """Return a value that differs once something may have changed."""
        return len(self.records.batch), self.instances.updates, self._driver.total_changes

    def next_key(self) -> int:
        """Return the next key; keys ascend."""
        self._key += 1
        return self._key

    def next_position(self) -> int:
        self._position += 1
        return self._position

    def next_due(self) -> int | None:
        """Return when (ms) the next timer, job or message is due."""
        due = [self.timers.next_due(), self.jobs.next_due(), self.messages.next_due()]
        return min((millis for millis in due if millis is not None), default=None)

    def close(self) -> None:
        self._connection.close()
        self._engine.dispose()

    def _read_counters(self) -> None:
        values: dict[str, int] = dict(_COUNTERS.run(self._driver))
        self.identity = str(values[IDENTITY])
        self._key: int = values.get("key", self._first_key)
        self._saved_key = self._key
        self._position: int = values.get("position", 0)

    def _write_counters(self) -> None:
        _SAVE_COUNTERS.run_each(self._driver, [("key", self._key), ("position", self._position)])
        self._saved_key = self._key


_INSERT = upsert(counters).values(name=bindparam("name"), value=bindparam("value"))
_SAVE_COUNTERS = Statement(
    _INSERT.on_conflict_do_update(index_elements=["name"], set_={"value": _INSERT.excluded.value})
)
_COUNTERS = Statement(select(counters))


def _choose_first_key() -> int:
    """Return where a new file's keys begin: above all keys of an engine that was there before it.

    Clients keep keys of jobs and instances, and a second job with the key of an earlier one would be taken for it. No
    engine gives 1,024 keys a millisecond, so the time alone separates a file from its predecessors, from a Zeebe
    broker's partition 1, which counts from ``_FIRST_KEY``, and until 2089 from partition 2, which begins at twice that.
    """
    millis = time.time_ns() // 1_000_000
    return _FIRST_KEY + max(millis - _KEYS_SINCE, 0) * _KEYS_PER_MS


def _open_error(directory: Path | None, error: DatabaseError | sqlite3.Error) -> Exception:
    """Convert an error at opening to a DataFileError if possible."""
    if "locked" in str(error):
        return DataDirectoryInUse(
            f"The engine's data in {directory} is open in another process; stop that one or use another directory."
        )
    if any(message in str(error) for message in _DAMAGE_MESSAGES):
        cause = error.orig if isinstance(error, DatabaseError) else error
        return UnusableDataFile(
            f"{FILE_NAME} in {directory} is damaged or cut off ({cause}); restore it from a backup."
        )
    return error


def _create_engine(directory: Path | None) -> Engine:
    url = "sqlite://"
    if directory is not None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = directory / FILE_NAME
        # SQLite would let others read it; its log gets the file's mode.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, _PRIVATE))
        path.chmod(_PRIVATE)
        url = f"sqlite:///{path}"
    engine = create_engine(url, poolclass=StaticPool, connect_args={"check_same_thread": False, "timeout": 0})

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the store begins and ends all transactions
        for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    return engine
