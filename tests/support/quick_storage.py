"""Storage that costs the tests little: nothing is flushed, and statements and new databases are made once in a process.

A process of the product opens its database once. The tests open one for each test, and SQLAlchemy compiles every
statement for each engine anew: half of the processor time of whatever a test did with its database. To migrate an empty
SQLite file takes 0.25 s of the processor.
"""

import os
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Dialect, Engine, create_engine, event
from sqlalchemy.util import LRUCache

from services.database import engine as database_engine
from services.database import schema as database_schema

migrate_each_time = database_schema.migrate
_compiled: LRUCache[Any, Any] = LRUCache(5000)
_dialects: dict[str, Dialect] = {}  # by name; a compiled statement is found by the very object
_prepare_sqlite = database_engine._prepare_sqlite


def use_quick_storage() -> None:
    """Make storage quick in this process, and leave it as in production in those that it starts.

    A test's data need not outlive a power cut; what a killed process has written stays without a flush too.
    """
    os.fsync = lambda _file: None
    database_engine.create_engine = _create_engine
    database_engine._prepare_sqlite = _prepare_unflushed_sqlite
    database_schema.migrate = _migrate


@cache
def migrated_sqlite() -> bytes:
    """An SQLite file with the newest schema and nothing in it."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "database.sqlite3"
        engine = database_engine.connect(f"sqlite:///{file}")
        migrate_each_time(engine)
        engine.dispose()
        return file.read_bytes()


def _migrate(engine: Engine, revision: str = "head") -> None:
    file = Path(engine.url.database or "")
    if engine.dialect.name == "sqlite" and revision == "head" and not (file.exists() and file.stat().st_size):
        engine.dispose()
        file.write_bytes(migrated_sqlite())
        return
    migrate_each_time(engine, revision)


def _create_engine(url: str, **options: Any) -> Engine:
    engine = create_engine(url, execution_options={"compiled_cache": _compiled}, **options)
    own = engine.dialect
    if own.name in _dialects:
        engine.dialect = _dialects[own.name]
    else:  # complete with its first connection, which says what the server can do
        event.listen(engine, "first_connect", lambda *_: _dialects.setdefault(own.name, own))
    return engine


def _prepare_unflushed_sqlite(connection: Any, record: object, *, path: str) -> None:
    _prepare_sqlite(connection, record, path=path)
    connection.execute("PRAGMA synchronous=OFF")
