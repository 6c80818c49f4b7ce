"""The database driver's own cursor, for the statements of the audit trail.

Each act waits for them: the four of an append take 9 microseconds this way, and 68 through SQLAlchemy's Connection, of
180 for the whole append.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from services.database.engine import READ_ONLY


class Driver:
    """Execute statements with ``?`` for each value, on either database."""

    def __init__(self, cursor: Any, postgres: bool) -> None:
        self._cursor = cursor
        self.postgres = postgres

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        self._execute(statement, values)
        rows: list[tuple[Any, ...]] = self._cursor.fetchall()
        return rows

    def rows_alone(self, statement: str) -> list[tuple[Any, ...]]:
        """Execute a statement outside of a transaction, of PostgreSQL, in one message to the server and back."""
        self._cursor.connection.autocommit = True
        try:
            return self.rows(statement)
        finally:
            if not self._cursor.connection.closed:
                self._cursor.connection.autocommit = False

    def insert(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        if len(rows) == 1:
            self._execute(statement, rows[0])
        else:
            self._cursor.executemany(self._translated(statement), rows)

    def _execute(self, statement: str, values: Sequence[Any]) -> None:
        self._cursor.execute(self._translated(statement), values)

    def _translated(self, statement: str) -> str:
        return statement.replace("?", "%s") if self.postgres else statement


@contextmanager
def open_driver(connection: Connection, what: str) -> Iterator[Driver]:
    """Open a cursor in the connection's transaction; raises SQLAlchemy's errors, with ``what``."""
    dialect, raw = connection.dialect, connection.connection
    base, cursor = dialect.loaded_dbapi.Error, None
    try:
        cursor = raw.cursor()
        yield Driver(cursor, dialect.name == "postgresql")
    except base as error:
        lost = dialect.is_disconnect(error, raw, cursor) or getattr(error, "sqlstate", None) == READ_ONLY
        if lost:
            connection.invalidate(error)
        raise DBAPIError.instance(
            what, None, error, base, hide_parameters=True, connection_invalidated=lost, dialect=dialect
        ) from error
    finally:
        if cursor is not None:
            cursor.close()
