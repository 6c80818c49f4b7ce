"""A database that ``services.demo.year.fill`` has filled, small enough for a test."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from services.app.container import use_models
from services.database import schema as database_schema
from services.database.unit_of_work import Database
from services.demo.year.fill import Size, fill
from services.domain.wiring import open_database
from services.runtime.clock import SystemClock
from services.runtime.rules import Rules

NAME = "database.sqlite3"


@contextmanager
def filled_year(folder: Path, size: Size) -> Iterator[Database]:
    """Open a copy, in the folder, of an SQLite file that is filled once in a process for each size."""
    (folder / NAME).write_bytes(_filled(size))
    database = _open(folder)
    try:
        yield database
    finally:
        database.close()


@cache
def _filled(size: Size) -> bytes:
    use_models(None)
    with TemporaryDirectory() as name:
        folder = Path(name)
        database = _open(folder)
        database_schema.migrate(database.engine)
        fill(database, folder / "recordings", size)
        database.close()
        return (folder / NAME).read_bytes()


def _open(folder: Path) -> Database:
    return open_database(f"sqlite:///{folder / NAME}", SystemClock(), Rules(max_use_days=30))
