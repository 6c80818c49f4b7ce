"""What every list page shares: query parameters, paging, sorting by column, CSV cells."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Annotated, Any, ClassVar, TypeVar
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field
from starlette.responses import Response

from services.database.keyset import LONGEST_PLACE, Page
from services.database.listing import Listing
from services.runtime.translations import Message
from services.web import csv
from services.web.language import Language
from services.web.schemas import SearchText
from services.web.visitor import Visitor

MOST_ROWS = 10_000
Row = TypeVar("Row")


class ListQuery(BaseModel):
    """The query parameters of a list; an unknown sort order counts as not given.

    Each list has a subclass that names its ``SORTS``, the default first. Those in ``FALLING`` start with the newest or
    largest. Filters are further fields, all optional. ``form=csv`` exports every match, at most ``MOST_ROWS``.
    """

    SORTS: ClassVar[Sequence[str]] = ()
    FALLING: ClassVar[frozenset[str]] = frozenset()
    LENGTH: ClassVar[int] = 50

    text: SearchText = ""
    sort: str = ""
    order: str = ""
    page: Annotated[int, Field(ge=1, le=10_000)] = 1
    form: str = ""

    @property
    def as_csv(self) -> bool:
        return self.form == "csv"

    @property
    def by(self) -> str:
        """The column to sort by."""
        return self.sort if self.sort in self.SORTS else self.SORTS[0]

    @property
    def descending(self) -> bool:
        return self.order == "desc" if self.order in ("asc", "desc") else self.by in self.FALLING

    @property
    def narrowed(self) -> bool:
        """Whether a filter or a page is set, so that the whole list may be longer."""
        return bool(self._parameters("sort", "order")) or self.page > 1

    def listing(self, language: Language) -> Listing:
        """Return one page, with one line more to know whether another follows; for CSV every match."""
        if self.as_csv:
            return self.whole(language)
        offset = (self.page - 1) * self.LENGTH
        return Listing(self.text, self.by, self.descending, self.LENGTH + 1, offset, language)

    def whole(self, language: Language) -> Listing:
        """Return every match for `csv_answer`: one more than it writes, to know whether others follow."""
        return Listing(self.text, self.by, self.descending, MOST_ROWS + 1, language=language)

    def query(self, **changed: str) -> str:
        """Return the query string without the page, with some parameters changed."""
        return urlencode({**self._parameters(), **changed})

    def turned(self, sort: str) -> str:
        """Return the query string that sorts by this column, or reverses the order if it is sorted so already."""
        falling = not self.descending if sort == self.by else sort in self.FALLING
        return self.query(sort=sort, order="desc" if falling else "asc")

    def shown(self, lines: Sequence[Row]) -> dict[str, Any]:
        """Return the template variables of a list: the page's lines, whether more follow, and this query."""
        return {"lines": lines[: self.LENGTH], "more": len(lines) > self.LENGTH, "wanted": self}

    def _parameters(self, *without: str) -> dict[str, str]:
        given = self.model_dump(exclude={"page", "form", *without}, exclude_defaults=True)
        return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in given.items()}


class PlacedQuery(ListQuery):
    """The query parameters of a list whose pages begin behind or before a line of another (``database.keyset``)."""

    place: Annotated[str, Field(max_length=LONGEST_PLACE)] = ""

    @property
    def narrowed(self) -> bool:
        return bool(self._parameters("sort", "order"))

    def listing(self, language: Language) -> Listing:
        """Return the page at the place; for CSV every match."""
        if self.as_csv:
            return self.whole(language)
        return Listing(self.text, self.by, self.descending, self.LENGTH, language=language, place=self.place)

    def query(self, **changed: str) -> str:
        """Return the query string without the place, with some parameters changed."""
        return urlencode({**self._parameters("place"), **changed})

    def shown_page(self, found: Page[Row]) -> dict[str, Any]:
        """Return the template variables of a list: the page's lines, the pages around it, and this query."""
        return {"lines": found.lines, "found": found, "wanted": self}


def csv_answer(visitor: Visitor, name: str, header: Sequence[str], rows: Iterable[Sequence[csv.Cell]]) -> Response:
    """Return a list that was read by ``ListQuery.whole`` as the attachment ``<name>.csv``.

    Where more than ``MOST_ROWS`` lines match, the name and the last line say that the others are missing.
    """
    shown = list(islice(rows, MOST_ROWS + 1))
    if len(shown) > MOST_ROWS:
        cut = Message("Only the first {number} lines: there are more, narrow the search to get them.", number=MOST_ROWS)
        shown[MOST_ROWS:] = [[cut.translate(visitor.language), *[""] * (len(header) - 1)]]
        name = Message("{name}, only the first {number} lines", name=name, number=MOST_ROWS).translate(visitor.language)
    return csv.csv_answer(name, header, shown)


def written(visitor: Visitor, when: datetime | None, zone: str | None = None) -> str:
    """Format a moment as a CSV cell: ISO 8601 with the offset, which every spreadsheet reads."""
    return when.astimezone(ZoneInfo(zone or visitor.zone)).isoformat(timespec="seconds") if when else ""


def named(visitor: Visitor, row: object, field: str = "name") -> str:
    """Return a name in the reader's language, as a CSV cell."""
    return str(getattr(row, f"{field}_{visitor.language}"))
