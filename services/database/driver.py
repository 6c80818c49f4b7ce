"""The database driver's own cursor, for the statements of the audit trail.

Each act waits for them: the four of an append take 9 microseconds so, and 68 through SQLAlchemy's Connection, where an
append takes 180 in all.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError


class Driver:
    """Statements with ``?`` for each value, whichever database it is."""

    def __init__(self, cursor: Any, postgres: bool) -> None:
        self._cursor = cursor
        self.postgres = postgres

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        self._execute(statement, values)
        found: list[tuple[Any, ...]] = self._cursor.fetchall()
        return found

    def insert(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        if len(rows) == 1:
            self._execute(statement, rows[0])
        else:
            self._cursor.executemany(self._own(statement), rows)

    def _execute(self, statement: str, values: Sequence[Any]) -> None:
        self._cursor.execute(self._own(statement), values)

    def _own(self, statement: str) -> str:
        return statement.replace("?", "%s") if self.postgres else statement


@contextmanager
def open_driver(connection: Connection, what: str) -> Iterator[Driver]:
    """For work in the connection's transaction; an error is SQLAlchemy's, and ``what`` says at which work it was."""
    dialect, raw = connection.dialect, connection.connection
    cursor, base = raw.cursor(), dialect.loaded_dbapi.Error
    try:
        yield Driver(cursor, dialect.name == "postgresql")
    except base as error:
        lost = dialect.is_disconnect(error, raw, cursor)
        raise DBAPIError.instance(
            what, None, error, base, hide_parameters=True, connection_invalidated=lost, dialect=dialect
        ) from error
    finally:
        cursor.close()
