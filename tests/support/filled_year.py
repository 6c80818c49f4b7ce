"""A database that ``services.bench.year_fill`` has filled, small enough for a test."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.app.container import use_models
from services.bench.year_fill import Size, fill
from services.database import schema as database_schema
from services.database.unit_of_work import Database
from services.domain.wiring import open_database
from services.runtime.clock import SystemClock
from services.runtime.rules import Rules


@contextmanager
def filled_year(folder: Path, size: Size) -> Iterator[Database]:
    """Fill a new SQLite file in the folder."""
    use_models(None)
    database = open_database(f"sqlite:///{folder / 'database.sqlite3'}", SystemClock(), Rules(max_use_days=30))
    try:
        database_schema.migrate(database.engine)
        fill(database, folder / "recordings", size)
        yield database
    finally:
        database.close()
