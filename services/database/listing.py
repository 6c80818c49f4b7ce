"""Search, sort and page a list, in SQL or in memory."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, SQLColumnExpression, or_, true

LONGEST_TEXT = 200

Column = SQLColumnExpression[Any]
Query = TypeVar("Query", bound=Select[*tuple[Any, ...]])
Row = TypeVar("Row")


@dataclass(frozen=True)
class Listing:
    """The parameters of a list. An unknown ``sort`` is the default order; no ``limit`` is no end.

    ``language`` is the reader's: names are sorted as they are shown. ``place`` is where a page of ``keyset`` begins.
    """

    text: str = ""
    sort: str = ""
    descending: bool = False
    limit: int | None = None
    offset: int = 0
    language: str = "zh"
    place: str = ""

    def name(self, of: Any, field: str = "name") -> Any:
        """Return the column or value with a name in the reader's language."""
        return getattr(of, f"{field}_{self.language}")

    def mentioned(self, *columns: Column, also: ColumnElement[bool] | None = None) -> ColumnElement[bool]:
        """Build the condition that a column contains the text, or ``also``; true without a text."""
        text = self.text.strip()[:LONGEST_TEXT]
        if not text:
            return true()
        matches = [column.icontains(text, autoescape=True) for column in columns]
        return or_(*matches) if also is None else or_(*matches, also)

    def part(self, query: Query, columns: Mapping[str, Column], *default: Column) -> Query:
        """Sort and page a query, NULL last; ``default`` is the order among equals, and ends with the rows' own key."""
        column = columns.get(self.sort)
        if column is not None:
            order = column.desc() if self.descending else column.asc()
            # Falling, PostgreSQL's indexes begin with NULL, so that it would sort all rows to have it last.
            query = query.order_by(order if _always_has_value(column, default[-1]) else order.nulls_last())
        return query.order_by(*default).limit(self.limit).offset(self.offset)

    def of(
        self,
        rows: Iterable[Row],
        columns: Mapping[str, Callable[[Row], Any]],
        words: Callable[[Row], Iterable[str | None]],
    ) -> list[Row]:
        """Search, sort and page rows in memory, which are in default order; ``words`` are searched."""
        text = self.text.strip()[:LONGEST_TEXT].casefold()
        matches = [row for row in rows if not text or any(text in (word or "").casefold() for word in words(row))]
        column = columns.get(self.sort)
        if column is not None:
            with_value = [row for row in matches if column(row) is not None]
            with_value.sort(key=column, reverse=self.descending)
            matches = with_value + [row for row in matches if column(row) is None]
        end = None if self.limit is None else self.offset + self.limit
        return matches[self.offset : end]


def _always_has_value(column: Column, key: Column) -> bool:
    """Return whether each row has a value in this column: one of the rows' own table, and not of one joined to it."""
    sorted_by, own = (getattr(one, "expression", one) for one in (column, key))
    table = getattr(sorted_by, "table", None)
    return table is not None and table is getattr(own, "table", None) and not getattr(sorted_by, "nullable", True)


EVERYTHING = Listing()  # all rows, in default order
