"""A PostgreSQL server for each test process, and databases of their own for the tests.

A test that takes ``any_database_url`` runs on SQLite in ``make test``, and on SQLite and PostgreSQL in
``make test-all``. Mark the test or its module with ``both_databases`` where the database itself could give another
answer, so that both run in ``make test`` too: locks and acts at the same moment, unique rows and conflicts, triggers,
migrations, SQL written by hand, searching and sorting, columns of times, JSON or raw bytes.
"""

import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from amount import all_of_it
from new_database import lay_out
from own_postgres import OwnServer, started_postgres
from pooler import Pooler, started_pooler
from sqlalchemy import make_url

from services.database import schema as database_schema
from services.database.engine import connect
from services.database.unit_of_work import Database
from services.domain.wiring import open_database
from services.runtime.clock import FixedClock
from services.runtime.rules import Rules

BOTH = "both_databases"
# A test server's data need not outlive a power cut.
UNSAFE = ("fsync", "full_page_writes", "synchronous_commit")
MIGRATED = "migrated"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{BOTH}: any_database_url is SQLite and PostgreSQL in every run")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Choose the databases of a test (see the module)."""
    named = {mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")}  # a test that names its own
    for name in ("any_database_url", "empty_database_url"):
        if name in metafunc.fixturenames and name not in named:
            databases = [pytest.param("sqlite")]
            if all_of_it() or name == "empty_database_url" or metafunc.definition.get_closest_marker(BOTH):
                databases.append(pytest.param("postgres", marks=pytest.mark.postgres))
            metafunc.parametrize(name, databases, indirect=True)


class Server(OwnServer):
    """Makes databases on the server at ``url``, an SQLAlchemy address."""

    def __init__(self, server: Any) -> None:
        super().__init__(server)
        self._made: list[str] = []
        self._has_template = False
        self.set(**dict.fromkeys(UNSAFE, "off"))

    def make(self, *, migrated: bool = False) -> str:
        """The address of a fresh database, with nothing in it or with the newest schema."""
        if migrated and not self._has_template:
            self.execute(f"CREATE DATABASE {MIGRATED}")
            engine = connect(self._address(MIGRATED))
            database_schema.migrate(engine)
            engine.dispose()
            self._has_template = True
        name = f"test_{secrets.token_hex(6)}"
        # Copied without the log, on a server that flushes nothing: 19 times faster than to migrate on one that does.
        self.execute(f"CREATE DATABASE {name}" + f" TEMPLATE {MIGRATED} STRATEGY FILE_COPY" * migrated)
        self._made.append(name)
        return self._address(name)

    def drop_all(self) -> None:
        """Drop what was made but the template."""
        if self._made:
            self.execute(*(f"DROP DATABASE {name} WITH (FORCE)" for name in self._made))
            self._made.clear()

    def _address(self, name: str) -> str:
        return self.url.replace("/postgres?", f"/{name}?")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """Stopped and removed with the session; each process of a parallel run has its own."""
    with started_postgres("footage-desk-postgres-") as server:
        yield Server(server)


@pytest.fixture(scope="session")
def postgres_url(postgres_server: Server) -> str:
    """The server's own database, as an SQLAlchemy address."""
    return postgres_server.url


@pytest.fixture
def postgres_database(postgres_server: Server) -> Iterator[Callable[[], str]]:
    """Call it for the SQLAlchemy address of a fresh, empty database; it is dropped after the test."""
    yield postgres_server.make
    postgres_server.drop_all()


@pytest.fixture
def migrated_postgres(postgres_server: Server) -> Iterator[str]:
    """The SQLAlchemy address of a fresh database with the newest schema; it is dropped after the test."""
    yield postgres_server.make(migrated=True)
    postgres_server.drop_all()


@pytest.fixture(scope="session")
def pooler(postgres_server: Server) -> Iterator[Pooler]:
    """PgBouncer in transaction mode before the server; mark the test with ``tool("pgbouncer")``."""
    with started_pooler(postgres_server.url) as pooler:
        yield pooler


@pytest.fixture
def open_to_all() -> Callable[[str], str]:
    """Call it with an address to let processes without root's rights reach the server's socket; the address again."""

    def let_in(url: str) -> str:
        # A socket is no network: it is reached by whoever may enter its folder.
        Path(str(make_url(url).query["host"])).chmod(0o711)
        return url

    return let_in


@pytest.fixture
def any_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without rows for ``new_database.lay_out``: a file that is not there yet, or PostgreSQL's, migrated."""
    yield from _url(request, tmp_path, migrated=True)


@pytest.fixture
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without tables, always once SQLite and once PostgreSQL: for tests of migrations."""
    yield from _url(request, tmp_path, migrated=False)


def _url(request: pytest.FixtureRequest, tmp_path: Path, *, migrated: bool) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'database.sqlite3'}"
        return
    server: Server = request.getfixturevalue("postgres_server")
    yield server.make(migrated=migrated)
    server.drop_all()


@pytest.fixture
def database(any_database_url: str) -> Iterator[Database]:
    """A database with the newest schema and nothing in it, at noon of 4 March 2031."""
    clock = FixedClock(datetime(2031, 3, 4, 12, 0, tzinfo=UTC))
    database = open_database(any_database_url, clock, Rules(max_use_days=30))
    lay_out(database)
    yield database
    database.close()
