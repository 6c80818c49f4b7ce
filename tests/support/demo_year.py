"""A demo year, small enough for a test, laid out once in a process."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from cheap_passwords import use_cheap_passwords
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.app.container import use_models
from services.database import schema as database_schema
from services.database.unit_of_work import Database
from services.demo.recordings import Recordings
from services.demo.year import laying
from services.domain.wiring import open_database
from services.runtime.clock import Clock, FixedClock
from services.runtime.rules import Rules
from services.vault.keys.log_key import LogKey

NOW = datetime(2031, 6, 18, 2, 0, tzinfo=UTC)
CASES = 200
NAME = "year.sqlite3"


@contextmanager
def demo_year(folder: Path) -> Iterator[Database]:
    (folder / NAME).write_bytes(_laid_out())
    database = _open(folder, FixedClock(NOW))
    try:
        yield database
    finally:
        database.close()


@cache
def _laid_out() -> bytes:
    use_models(None)
    use_cheap_passwords()
    with TemporaryDirectory() as name:
        folder = Path(name)
        database = _open(folder, FixedClock(NOW))
        database_schema.migrate(database.engine)
        database.close()
        key = LogKey(Ed25519PrivateKey.generate())
        place = laying.Place(lambda clock: _open(folder, clock), Recordings(folder), None, key)
        laying.lay_out(place, NOW, CASES)
        return (folder / NAME).read_bytes()


def _open(folder: Path, clock: Clock) -> Database:
    rules = Rules(max_use_days=30, zone="Asia/Shanghai", inspection_period="month")
    return open_database(f"sqlite:///{folder / NAME}", clock, rules)
