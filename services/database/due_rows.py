"""What is due in spans of time, the first few of each in one statement: what is overdue takes no room from the rest."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Label,
    Select,
    SQLColumnExpression,
    and_,
    literal,
    select,
    true,
    union_all,
)


@dataclass(frozen=True)
class Span:
    """From ``since`` (None: from ever) up to ``until``."""

    since: datetime | None
    until: datetime

    def has(self, at: ColumnElement[Any]) -> ColumnElement[bool]:
        """Build the condition that a moment lies in it."""
        return and_(at < self.until, true() if self.since is None else at >= self.since)

    def covers(self, at: datetime) -> bool:
        """Return whether a moment lies in it."""
        return at < self.until and (self.since is None or at >= self.since)


def due_columns(
    kind: str | ColumnElement[str],
    of: SQLColumnExpression[str],
    number: SQLColumnExpression[Any],
    at: SQLColumnExpression[Any],
    *,
    page: SQLColumnExpression[str] | None = None,
    own: bool | ColumnElement[bool] = True,
) -> list[Label[Any]]:
    """Build the columns that each source of due dates selects.

    ``page`` is the id in the address that it leads to, where that is another one; ``own``: it waits for the actor.
    """
    columns = {
        "kind": literal(kind) if isinstance(kind, str) else kind,
        "id": of,
        "number": number,
        "at": at,
        "page": of if page is None else page,
        "own": literal(own) if isinstance(own, bool) else own,
    }
    return [column.label(name) for name, column in columns.items()]


def first_of_each(
    query: Select[*tuple[Any, ...]], spans: Sequence[Span], at: ColumnElement[Any], by_id: ColumnElement[Any], most: int
) -> list[Select[*tuple[Any, ...]]]:
    """Select the rows of each span, at most so many of each, the first first."""
    return [query.where(span.has(at)).order_by(at, by_id).limit(most) for span in spans]


def united(queries: Sequence[Select[*tuple[Any, ...]]]) -> CompoundSelect[*tuple[Any, ...]]:
    """Build one statement of these, each with its order and limit, which SQLite allows in a subquery alone."""
    return union_all(*(select(query.subquery()) for query in queries))
