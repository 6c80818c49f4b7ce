"""The register: search, who holds copies, what is overwritten next, how long each stage takes (R20, R47, R50)."""

from datetime import date, datetime, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query
from pydantic import AfterValidator, Field

from services.database.keyset import Page
from services.database.unit_of_work import UnitOfWork
from services.domain.cases import register as case_register
from services.domain.cases.api.timeline import GivenModels
from services.domain.cases.schemas.lists import CaseLine, OutLine, RiskLine, StageLine
from services.domain.cases.stage_times import list_stage_times
from services.web.dependencies import GivenDatabase
from services.web.errors import problems
from services.web.identity import Acting
from services.web.paging import Paged
from services.web.schemas import LAST_OFFSET, Body, PlacedParameters, PlaceText, no_control

router = APIRouter(prefix="/api/register", tags=["register"])

PAGE = 50
EARLIEST, LATEST = date(1970, 1, 1), date(2199, 12, 31)  # of what every zone and database can store
Text = Annotated[str, Field(max_length=case_register.LONGEST_SEARCH), AfterValidator(no_control)]


class RegisterQuestion(Body):
    """What is searched; days are of the organisation's zone, both included.

    ``cameraId`` with ``footageSince`` and ``footageUntil`` finds cases that ask for footage of that camera and of those
    days, ``incident`` those with this incident or letter number, ``document`` the one of which a document has this
    number.
    """

    text: Text = ""
    state: Text = ""
    department_id: Text = ""
    purpose_category: Text = ""
    since: date | None = None
    until: date | None = None
    camera_id: Text = ""
    footage_since: date | None = None
    footage_until: date | None = None
    incident: Text = ""
    document: Text = ""
    sort: case_register.Sort = "submitted"
    order: Literal["asc", "desc"] = "desc"
    limit: Annotated[int, Field(ge=1, le=1000)] = PAGE
    offset: Annotated[int, Field(ge=0, le=LAST_OFFSET)] = 0
    place: PlaceText = ""

    def search(self, zone: str) -> case_register.Search:
        return case_register.Search(
            text=self.text,
            state=self.state,
            department_id=self.department_id,
            purpose_category=self.purpose_category,
            since=midnight(self.since, zone),
            until=midnight(self.until, zone, days=1),
            camera_id=self.camera_id,
            footage_since=midnight(self.footage_since, zone),
            footage_until=midnight(self.footage_until, zone, days=1),
            incident=self.incident,
            document=self.document,
            sort=self.sort,
            descending=self.order == "desc",
        )


class OutQuestion(PlacedParameters):
    """``text`` is searched in numbers, titles, custodians and departments."""

    sort: case_register.OutSort = "due"
    overdue: bool = False
    department_id: Text = ""


class RiskQuestion(PlacedParameters):
    """``text`` is searched in numbers, titles, cameras and places."""

    sort: case_register.RiskSort = "overwrite"


@router.get("", responses=problems(401))
async def search_register(
    question: Annotated[RegisterQuestion, Query()], actor: Acting, database: GivenDatabase, paged: Paged
) -> list[CaseLine]:
    """Return the cases that match, of those that I may see.

    The header `Link` has the addresses of the pages around this one (RFC 8288, `prev` and `next`): what is added in the
    meantime moves none of them, as it would with `offset`.
    """

    def read(uow: UnitOfWork) -> Page[CaseLine]:
        wanted = question.search(uow.rules.zone)
        if question.offset:
            return Page(case_register.list_cases(uow, wanted, limit=question.limit, offset=question.offset))
        return case_register.read_page(uow, wanted, limit=question.limit, place=question.place)

    page = await database.read(actor, read)
    return paged.lines(page)


@router.get("/copies-out", responses=problems(401))
async def copies_out(
    question: Annotated[OutQuestion, Query()],
    actor: Acting,
    database: GivenDatabase,
    paged: Paged,
) -> list[OutLine]:
    """Return who holds copies; what is due first comes first. `Link` has the pages around this one."""

    def read(uow: UnitOfWork) -> Page[OutLine]:
        return case_register.read_copies_out(
            uow, question.listing(), overdue=question.overdue, department_id=question.department_id
        )

    return paged.lines(await database.read(actor, read))


@router.get("/next-overwritten", responses=problems(401))
async def next_overwritten(
    question: Annotated[RiskQuestion, Query()],
    actor: Acting,
    database: GivenDatabase,
    paged: Paged,
) -> list[RiskLine]:
    """Footage that cases ask for and that lies on its recorder alone; the first to be overwritten comes first.

    The header `Link` has the addresses of the pages around this one (RFC 8288, `prev` and `next`).
    """
    page = await database.read(actor, case_register.read_next_overwritten, question.listing())
    return paged.lines(page)


@router.get("/states", responses=problems(401))
async def count_states(actor: Acting, database: GivenDatabase) -> dict[str, int]:
    """Return how many cases are in each state, of those that I may see."""
    return await database.read(actor, case_register.count_by_state)


@router.get("/stages", responses=problems(401))
async def stage_lengths(
    actor: Acting, database: GivenDatabase, models: GivenModels, days: Annotated[int, Query(ge=1, le=3650)] = 90
) -> list[StageLine]:
    """Return how long cases stay in each stage, over the last days; lengths in seconds (R62)."""

    def read(uow: UnitOfWork) -> list[StageLine]:
        return list_stage_times(uow, models, uow.now - timedelta(days=days), uow.now)

    return await database.read(actor, read)


def midnight(day: date | None, zone: str, *, days: int = 0) -> datetime | None:
    """Return the beginning of the day, ``days`` later, in this zone; a day that no case can have counts as the next."""
    if day is None:
        return None
    day = min(max(day, EARLIEST), LATEST)
    return datetime.combine(day + timedelta(days=days), datetime.min.time(), ZoneInfo(zone))
