"""What every list of the pages shares: the parameters of its address, its pages, its headers that sort, its CSV."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, ClassVar, TypeVar
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, Field

from services.database.listing import LONGEST_TEXT, Listing
from services.web.language import Language
from services.web.schemas import no_control
from services.web.visitor import Visitor

MOST_ROWS = 10_000
Row = TypeVar("Row")
Text = Annotated[str, Field(max_length=LONGEST_TEXT), AfterValidator(no_control)]


class Wanted(BaseModel):
    """What the address asks for; an order that is none of ours counts as not chosen.

    A list is a class of its own that names its ``SORTS``, the usual first; those in ``FALLING`` begin with the newest
    or largest. Its filters are further fields, none of which may be required. ``form=csv`` is all that matches.
    """

    SORTS: ClassVar[Sequence[str]] = ()
    FALLING: ClassVar[frozenset[str]] = frozenset()
    LENGTH: ClassVar[int] = 50

    text: Text = ""
    sort: str = ""
    order: str = ""
    page: Annotated[int, Field(ge=1, le=10_000)] = 1
    form: str = ""

    @property
    def as_csv(self) -> bool:
        return self.form == "csv"

    @property
    def by(self) -> str:
        """The column by which is sorted."""
        return self.sort if self.sort in self.SORTS else self.SORTS[0]

    @property
    def descending(self) -> bool:
        return self.order == "desc" if self.order in ("asc", "desc") else self.by in self.FALLING

    @property
    def narrowed(self) -> bool:
        """Whether something is looked for, so that there may be more than is shown."""
        return bool(self._told("sort", "order")) or self.page > 1

    def listing(self, language: Language) -> Listing:
        """The page with one line more, which tells whether another follows; for CSV all."""
        if self.as_csv:
            return self.whole(language)
        offset = (self.page - 1) * self.LENGTH
        return Listing(self.text, self.by, self.descending, self.LENGTH + 1, offset, language)

    def whole(self, language: Language) -> Listing:
        """All that matches."""
        return Listing(self.text, self.by, self.descending, MOST_ROWS, language=language)

    def query(self, **changed: str) -> str:
        """The address's parameters without the page, some of them changed."""
        return urlencode({**self._told(), **changed})

    def turned(self, sort: str) -> str:
        """The parameters that sort by this column; where it is sorted so already, the other way round."""
        falling = not self.descending if sort == self.by else sort in self.FALLING
        return self.query(sort=sort, order="desc" if falling else "asc")

    def shown(self, lines: Sequence[Row]) -> dict[str, Any]:
        """What the template of a list wants to know: the page's lines, whether more follow, and what was asked."""
        return {"lines": lines[: self.LENGTH], "more": len(lines) > self.LENGTH, "wanted": self}

    def _told(self, *without: str) -> dict[str, str]:
        told = self.model_dump(exclude={"page", "form", *without}, exclude_defaults=True)
        return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in told.items()}


def written(visitor: Visitor, when: datetime | None, zone: str | None = None) -> str:
    """A moment as a cell: ISO 8601 with the offset, which every spreadsheet reads."""
    return when.astimezone(ZoneInfo(zone or visitor.zone)).isoformat(timespec="seconds") if when else ""


def named(visitor: Visitor, row: object, field: str = "name") -> str:
    """A name as a cell, in the reader's language."""
    return str(getattr(row, f"{field}_{visitor.language}"))
