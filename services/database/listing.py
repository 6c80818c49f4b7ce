"""A list as somebody wants it: what is looked for, in which order, which part; in SQL, or of rows that are read."""

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
    """``sort`` names a column that the list knows, anything else its usual order; without ``limit`` there is no end.

    ``language`` is the reader's: names are sorted as they are shown.
    """

    text: str = ""
    sort: str = ""
    descending: bool = False
    limit: int | None = None
    offset: int = 0
    language: str = "zh"

    def name(self, of: Any, field: str = "name") -> Any:
        """The column, or the value, that holds a name in the reader's language."""
        return getattr(of, f"{field}_{self.language}")

    def mentioned(self, *columns: Column, also: ColumnElement[bool] | None = None) -> ColumnElement[bool]:
        """That one of the columns has the text, or ``also`` holds; true where nothing is looked for."""
        text = self.text.strip()[:LONGEST_TEXT]
        if not text:
            return true()
        found = [column.icontains(text, autoescape=True) for column in columns]
        return or_(*found) if also is None else or_(*found, also)

    def part(self, query: Query, columns: Mapping[str, Column], *usual: Column) -> Query:
        """The wanted part in the wanted order; what has nothing in its column comes last. ``usual`` decides a tie."""
        column = columns.get(self.sort)
        if column is not None:
            query = query.order_by((column.desc() if self.descending else column.asc()).nulls_last())
        return query.order_by(*usual).limit(self.limit).offset(self.offset)

    def of(
        self,
        rows: Iterable[Row],
        columns: Mapping[str, Callable[[Row], Any]],
        words: Callable[[Row], Iterable[str | None]],
    ) -> list[Row]:
        """The same for rows that are read already and stand in their usual order; ``words`` are searched."""
        text = self.text.strip()[:LONGEST_TEXT].casefold()
        found = [row for row in rows if not text or any(text in (word or "").casefold() for word in words(row))]
        column = columns.get(self.sort)
        if column is not None:
            known = [row for row in found if column(row) is not None]
            known.sort(key=column, reverse=self.descending)
            found = known + [row for row in found if column(row) is None]
        end = None if self.limit is None else self.offset + self.limit
        return found[self.offset : end]


EVERYTHING = Listing()  # all of it, in the usual order
