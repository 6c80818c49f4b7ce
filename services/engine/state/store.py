"""The engine's file: SQLite with a write-ahead log and full sync, open in one process only."""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, create_engine, event, select
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import StaticPool

from services.engine.errors import DataDirectoryInUse
from services.engine.state.decisions import Decisions
from services.engine.state.definitions import Definitions
from services.engine.state.incidents import Incidents
from services.engine.state.instances import Instances
from services.engine.state.jobs import Jobs
from services.engine.state.messages import Messages
from services.engine.state.migration import migrate
from services.engine.state.overview import Overview
from services.engine.state.records import Record, Records
from services.engine.state.signals import Signals, Starts
from services.engine.state.tables import counters, metadata
from services.engine.state.timers import Timers

FILE_NAME = "engine.sqlite3"
_FIRST_KEY = 2**51  # keys of partition 1, as clients know them


class Store:
    """All tables of the engine behind one connection, which one thread uses at a time.

    ``commit`` makes everything since ``begin`` durable at once; ``rollback`` forgets it, in memory too.
    """

    def __init__(self, directory: Path | None) -> None:
        """Open or create the file in ``directory`` (None = in memory); raises DataDirectoryInUse."""
        self._engine = _sqlite(directory)
        try:
            self._connection = self._engine.connect()
            metadata.create_all(self._connection)
            migrate(self._connection)
            self._connection.commit()
        except OperationalError as error:
            self._engine.dispose()
            if "locked" not in str(error):
                raise
            raise DataDirectoryInUse(
                f"The engine's data in {directory} is open in another process; stop that one or use another directory."
            ) from error
        self.instances = Instances(self._connection)
        self.jobs = Jobs(self._connection)
        self.timers = Timers(self._connection)
        self.messages = Messages(self._connection)
        self.signals = Signals(self._connection)
        self.starts = Starts(self._connection)
        self.incidents = Incidents(self._connection)
        self.definitions = Definitions(self._connection)
        self.decisions = Decisions(self._connection)
        self.records = Records(self._connection)
        self.overview = Overview(self._connection)
        self._read_counters()
        self._connection.rollback()

    def begin(self) -> None:
        if not self._connection.in_transaction():
            self._connection.begin()

    def commit(self) -> list[Record]:
        """Returns the records that are now on disk."""
        self.instances.flush()
        self.records.flush()
        self._write_counters()
        self._connection.commit()
        written, self.records.batch = self.records.batch, []
        return written

    def rollback(self) -> None:
        self._connection.rollback()
        self.instances.forget()
        self.records.batch = []
        self._read_counters()
        self._connection.rollback()

    def next_key(self) -> int:
        """Keys grow with creation."""
        self._key += 1
        return self._key

    def next_position(self) -> int:
        self._position += 1
        return self._position

    def next_due(self) -> int | None:
        """The next moment (ms) at which something happens by itself."""
        self.begin()
        moments = [self.timers.next_due(), self.jobs.next_due(), self.messages.next_due()]
        self._connection.rollback()
        return min((m for m in moments if m is not None), default=None)

    def close(self) -> None:
        self._connection.close()
        self._engine.dispose()

    def _read_counters(self) -> None:
        values = {row.name: row.value for row in self._connection.execute(select(counters))}
        self._key: int = values.get("key", _FIRST_KEY)
        self._position: int = values.get("position", 0)

    def _write_counters(self) -> None:
        rows = [{"name": "key", "value": self._key}, {"name": "position", "value": self._position}]
        self._connection.execute(_SAVE_COUNTERS, rows)


_INSERT = upsert(counters).values(name=bindparam("name"), value=bindparam("value"))
_SAVE_COUNTERS = _INSERT.on_conflict_do_update(index_elements=["name"], set_={"value": _INSERT.excluded.value})


def _sqlite(directory: Path | None) -> Engine:
    url = "sqlite://"
    if directory is not None:
        directory.mkdir(parents=True, exist_ok=True)
        url = f"sqlite:///{directory / FILE_NAME}"
    engine = create_engine(url, poolclass=StaticPool, connect_args={"check_same_thread": False, "timeout": 0})

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver's own transactions would end ours
        for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
