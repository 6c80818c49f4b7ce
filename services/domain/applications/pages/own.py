"""My applications: states, next acts and due dates; as a page and as CSV (R16)."""

from functools import partial
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response

from services.database.keyset import LONGEST_PLACE, Page
from services.database.listing import Listing
from services.database.unit_of_work import Database, UnitOfWork
from services.domain.applications.pages import about
from services.domain.cases import own_applications
from services.domain.cases import states as case_states
from services.domain.cases.schemas.lists import OwnApplication
from services.runtime.labels import word
from services.web import lists
from services.web.dependencies import GivenDatabase
from services.web.language import gettext
from services.web.visitor import Visiting, Visitor

router = APIRouter()
PAGE = 20


def _(message: str) -> str:
    """Marks a text for translation."""
    return message


HEADER = (
    _("Number"),
    _("Status"),
    _("Stage or outcome"),
    _("Drafter"),
    _("What happened"),
    _("Cameras"),
    _("Submitted"),
    _("At risk of overwrite from"),
    _("Due"),
)


class OwnListQuery:
    """How the list is filtered and sorted.

    ``state`` may also be ``open``: everything under way, or ``unfinished``: drafts too.
    """

    def __init__(
        self,
        state: Annotated[str, Query(max_length=40)] = "",
        search: Annotated[str, Query(max_length=200)] = "",
        sort: own_applications.OwnSort = "changed",
        whose: Literal["mine", "department"] = "mine",
        place: Annotated[str, Query(max_length=LONGEST_PLACE)] = "",
    ) -> None:
        self.state, self.search, self.sort, self.whose, self.place = state, search.strip(), sort, whose, place

    @property
    def query(self) -> str:
        """Return the parameters that links to other pages of the list keep."""
        chosen = {"state": self.state, "search": self.search, "sort": self.sort, "whose": self.whose}
        usual = {"state": "", "search": "", "sort": "changed", "whose": "mine"}
        return urlencode({name: value for name, value in chosen.items() if value != usual[name]})

    @property
    def narrowed(self) -> bool:
        return bool(self.state or self.search or self.place)

    def listing(self, limit: int, place: str = "") -> Listing:
        return Listing(self.search, self.sort, self.sort in own_applications.FALLING, limit, place=place)


Asking = Annotated[OwnListQuery, Depends()]


async def _page(
    visitor: Visitor, database: Database, asked: OwnListQuery, listing: Listing
) -> tuple[Page[OwnApplication], bool]:
    """Read a page of the list, and whether the visitor heads a department."""

    def read(uow: UnitOfWork) -> tuple[Page[OwnApplication], bool]:
        heads = own_applications.may_see_department(uow)
        department = heads and asked.whose == "department"
        return own_applications.read_own(uow, listing, department=department, state=asked.state or None), heads

    return await database.read(visitor.actor, read)


@router.get("/applications")
async def my_applications(visitor: Visiting, database: GivenDatabase, asked: Asking) -> Response:
    """Return the list, a page at a time."""
    found, heads = await _page(visitor, database, asked, asked.listing(PAGE, asked.place))
    return visitor.page(
        "applications/list.html",
        lines=found.lines,
        found=found,
        asked=asked,
        heads=heads,
        states=case_states.STATES,
    )


@router.get("/applications.csv")
async def my_applications_as_csv(visitor: Visiting, database: GivenDatabase, asked: Asking) -> Response:
    """Return the whole list, as it is filtered."""
    found, _heads = await _page(visitor, database, asked, asked.listing(lists.MOST_ROWS + 1))
    english = visitor.language != "zh"
    say = partial(gettext, visitor.language)
    rows = [
        (
            line.number,
            word(visitor.language, line.state),
            word(visitor.language, line.detail),
            line.drafter,
            line.reason,
            "; ".join(camera.en if english else camera.zh for camera in line.cameras),
            *(lists.written(visitor, moment) for moment in (line.submitted_at, line.overwrite_at, line.due_at)),
            *about.cells(visitor, line.about),
        )
        for line in found.lines
    ]
    return lists.csv_answer(
        visitor, say(_("Applications")), [*(say(name) for name in HEADER), *about.header(visitor)], rows
    )
