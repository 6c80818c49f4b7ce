"""The calendar of due dates, and the address at which the reader's own calendar program fetches them."""

from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BaseModel, Field

from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.accounts import calendar_addresses
from services.domain.cases import due_abouts, due_calendar, due_dates, due_file
from services.domain.cases.due_calendar import View
from services.domain.cases.due_dates import NOT_ALL, Period
from services.runtime.errors import NotFound
from services.runtime.translations import Message
from services.web.dependencies import GivenDatabase, GivenSettings
from services.web.identity import ANONYMOUS
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/due-dates")
AHEAD = timedelta(days=366)  # of the file
SHOWN_OF_A_DAY = 4  # in a month
SHOWN_OVERDUE, MOST_OVERDUE = 6, 50  # of what was due before: at once, and at most
NOT_ALL_OVERDUE = Message(
    "Not everything is shown, only the first {number}: the lists have the others.", number=MOST_OVERDUE
)


class CalendarQuery(BaseModel):
    """What the address asks for; a day that is none is today."""

    view: str = "month"
    day: Annotated[str, Field(max_length=10)] = ""
    whose: Annotated[str, Field(max_length=8)] = ""

    @property
    def chosen_view(self) -> View:
        return "week" if self.view == "week" else "month"

    @property
    def chosen_day(self) -> date | None:
        try:
            return date.fromisoformat(self.day)
        except ValueError:
            return None


@router.get("")
async def show_due_dates(
    visitor: Visiting, database: GivenDatabase, wanted: Annotated[CalendarQuery, Query()]
) -> Response:
    """Return a month or a week of what is due."""
    return await _page(visitor, database, wanted)


@router.post("/address")
async def make_address(visitor: Visiting, database: GivenDatabase, settings: GivenSettings) -> Response:
    """Make the reader's address, in the place of the one before, and show it once."""
    secret = await database.run(visitor.actor, calendar_addresses.make)
    address = f"{settings.portal.url}/due-dates/{secret}.ics"
    return await _page(visitor, database, CalendarQuery(), address=address)


@router.post("/address/withdraw")
async def withdraw_address(visitor: Visiting, database: GivenDatabase) -> Response:
    """End the reader's address."""
    await database.run(visitor.actor, calendar_addresses.withdraw)
    return visitor.redirect("/due-dates#address", Message("The address is withdrawn: it gives nothing now."))


@router.get("/{secret}.ics")
async def fetch_due_dates(secret: str, database: GivenDatabase) -> Response:
    """Return what waits for the owner of the address, as a calendar file; NotFound for any other address."""
    owner = await database.read(ANONYMOUS, calendar_addresses.find_owner, secret)
    if owner is None:
        raise NotFound(Message("calendar"), "")
    person, is_new = owner
    actor = Actor("person", person.id)

    def read(uow: UnitOfWork) -> bytes:
        found = due_dates.list_due(uow, Period(uow.now, uow.now + AHEAD, before=True))
        return due_file.write(found, language=person.locale, now=uow.now)

    content = await database.read(actor, read)
    if is_new:
        await database.run(actor, calendar_addresses.note_fetched)
    headers = {"content-disposition": 'inline; filename="due-dates.ics"'}
    return Response(content, media_type=due_file.MEDIA_TYPE, headers=headers)


async def _page(visitor: Visitor, database: Database, wanted: CalendarQuery, *, address: str = "") -> Response:
    def read(uow: UnitOfWork) -> dict[str, Any]:
        calendar = due_calendar.read_calendar(
            uow, view=wanted.chosen_view, day=wanted.chosen_day, watched=wanted.whose == "seen"
        )
        of_a_day = None if calendar.view == "week" else SHOWN_OF_A_DAY
        shown = [*calendar.overdue[:MOST_OVERDUE], *(one for day in calendar.days for one in day.due[:of_a_day])]
        abouts = due_abouts.list_abouts(uow, shown)
        return {"calendar": calendar, "abouts": abouts, "kept": calendar_addresses.get_own(uow)}

    view = await database.read(visitor.actor, read)
    return visitor.page(
        "cases/due_dates.html",
        **view,
        address=address,
        most=SHOWN_OF_A_DAY,
        few=SHOWN_OVERDUE,
        most_overdue=MOST_OVERDUE,
        not_all=NOT_ALL,
        not_all_overdue=NOT_ALL_OVERDUE,
    )
