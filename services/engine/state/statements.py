"""Compile SQLAlchemy Core statements once and run them on the driver.

Each step runs a dozen of them, and SQLAlchemy's execution costs several times what SQLite's does.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy.dialects import sqlite
from sqlalchemy.sql import ClauseElement

_DIALECT = sqlite.dialect(paramstyle="named")

Row = Mapping[str, Any] | Sequence[Any]


class Statement:
    """Rows are the driver's: tuples, with a BOOLEAN as 0 or 1."""

    def __init__(self, clause: ClauseElement) -> None:
        compiled = clause.compile(dialect=_DIALECT)
        self.sql = str(compiled)
        self._fixed = {name: value for name, value in compiled.params.items() if value is not None}

    def run(self, connection: sqlite3.Connection, **parameters: Any) -> sqlite3.Cursor:
        """Execute with bound parameters by name."""
        return connection.execute(self.sql, parameters | self._fixed)

    def number(self, connection: sqlite3.Connection, **parameters: Any) -> int | None:
        """Return the first column of the first row; None without a row."""
        row = self.run(connection, **parameters).fetchone()
        return None if row is None else row[0]

    def run_each(self, connection: sqlite3.Connection, rows: Iterable[Row]) -> None:
        """Execute once for each of ``rows``: parameters by name, or in order."""
        connection.executemany(self.sql, rows)


def row_values(row: Any) -> dict[str, Any]:
    """Return a slotted dataclass as a row; unlike ``asdict``, nothing is copied."""
    return {name: getattr(row, name) for name in row.__slots__}
