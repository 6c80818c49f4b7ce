"""My applications: states, next acts and due dates; as a page and as CSV (R16)."""

from functools import partial
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response

from services.database.unit_of_work import Database, UnitOfWork
from services.domain.cases import own_applications
from services.domain.cases import states as case_states
from services.domain.cases.schemas.lists import OwnApplication
from services.runtime.labels import word
from services.web import lists
from services.web.csv import csv_answer
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
    _("State"),
    _("Stage or outcome"),
    _("Drafter"),
    _("What happened"),
    _("Cameras"),
    _("Submitted"),
    _("May be overwritten from"),
    _("Due"),
)


class OwnListQuery:
    """How the list is filtered and sorted. ``state`` may also be ``open``: everything under way."""

    def __init__(
        self,
        state: Annotated[str, Query(max_length=40)] = "",
        search: Annotated[str, Query(max_length=200)] = "",
        sort: Literal["changed", "overwrite", "due", "number", "state"] = "changed",
        whose: Literal["mine", "department"] = "mine",
    ) -> None:
        self.state, self.search, self.sort, self.whose = state, search.strip(), sort, whose

    @property
    def query(self) -> str:
        """Return the parameters that links to other pages of the list keep."""
        chosen = {"state": self.state, "search": self.search, "sort": self.sort, "whose": self.whose}
        usual = {"state": "", "search": "", "sort": "changed", "whose": "mine"}
        return urlencode({name: value for name, value in chosen.items() if value != usual[name]})

    @property
    def narrowed(self) -> bool:
        return bool(self.state or self.search)


Asking = Annotated[OwnListQuery, Depends()]


async def _lines(visitor: Visitor, database: Database, asked: OwnListQuery) -> tuple[list[OwnApplication], bool]:
    def read(uow: UnitOfWork) -> tuple[list[OwnApplication], bool]:
        heads = own_applications.may_see_department(uow)
        lines = own_applications.list_own(
            uow,
            department=heads and asked.whose == "department",
            state=asked.state or None,
            search=asked.search,
            sort=asked.sort,
            descending=asked.sort in ("changed", "number"),
        )
        return lines, heads

    return await database.read(visitor.actor, read)


@router.get("/applications")
async def my_applications(
    visitor: Visiting, database: GivenDatabase, asked: Asking, page: Annotated[int, Query(ge=1, le=10_000)] = 1
) -> Response:
    """Return the list, a page at a time."""
    lines, heads = await _lines(visitor, database, asked)
    start = (page - 1) * PAGE
    return visitor.page(
        "applications/list.html",
        lines=lines[start : start + PAGE],
        total=len(lines),
        more=len(lines) > start + PAGE,
        page_number=page,
        asked=asked,
        heads=heads,
        states=case_states.STATES,
    )


@router.get("/applications.csv")
async def my_applications_as_csv(visitor: Visiting, database: GivenDatabase, asked: Asking) -> Response:
    """Return the whole list, as it is filtered."""
    lines, _heads = await _lines(visitor, database, asked)
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
        )
        for line in lines
    ]
    return csv_answer(say(_("Applications")), [say(name) for name in HEADER], rows)
