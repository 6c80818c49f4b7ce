"""The register: all cases to search and sort, copies out, what is overwritten next, the time in each stage."""

import math
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, ClassVar, get_args

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BaseModel, Field

from services.database.keyset import Page
from services.database.tables.people import Department
from services.database.unit_of_work import UnitOfWork
from services.domain.applications import directory
from services.domain.applications.pages import about
from services.domain.cases import register as case_register
from services.domain.cases.api.timeline import GivenModels
from services.domain.cases.pages.register_view import ListQuery, header_of, show
from services.domain.cases.schemas.lists import OutLine, RiskLine, StageLine
from services.domain.cases.stage_times import list_stage_times
from services.runtime.labels import word
from services.web import csv as web_csv
from services.web import lists
from services.web.dependencies import GivenDatabase
from services.web.schemas import SearchText
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/register")

PERIODS = (30, 90, 365)


class CopiesOutQuery(lists.PlacedQuery):
    SORTS: ClassVar = get_args(case_register.OutSort)
    FALLING: ClassVar = frozenset({"number", "accepted"})

    overdue: bool = False
    department: str = Field("", max_length=64)


class RiskQuery(lists.PlacedQuery):
    SORTS: ClassVar = get_args(case_register.RiskSort)
    FALLING: ClassVar = frozenset({"number"})


class Period(BaseModel):
    """Over how many days the stages are counted, and of which department."""

    days: int = PERIODS[1]
    department: str = Field("", max_length=64)
    form: str = ""


@router.get("")
async def search(visitor: Visiting, database: GivenDatabase, wanted: Annotated[ListQuery, Query()]) -> Response:
    """Show the cases that the visitor may see: searched, filtered, sorted; ``form=csv`` answers with all."""
    return await show(visitor, database, wanted)


@router.get("/cameras")
async def find_cameras(visitor: Visiting, database: GivenDatabase, camera_search: SearchText = "") -> Response:
    """Return the cameras to filter by, those out of use too."""
    found = await database.read(visitor.actor, directory.find_cameras, text=camera_search, retired=True)
    return visitor.part("applications/_cameras.html", found=found, search=camera_search, button="pick")


@router.get("/copies-out")
async def copies_out(
    visitor: Visiting, database: GivenDatabase, wanted: Annotated[CopiesOutQuery, Query()]
) -> Response:
    """Return who holds copies of what, until when."""

    def read(uow: UnitOfWork) -> tuple[Page[OutLine], list[Department]]:
        part = wanted.listing(visitor.language)
        found = case_register.read_copies_out(uow, part, overdue=wanted.overdue, department_id=wanted.department)
        return found, directory.departments(uow)

    found, departments = await database.read(visitor.actor, read)
    if wanted.as_csv:
        return _out_csv(visitor, found.lines)
    return visitor.page("cases/copies_out.html", departments=departments, **wanted.shown_page(found))


@router.get("/next-overwritten")
async def next_overwritten(
    visitor: Visiting, database: GivenDatabase, wanted: Annotated[RiskQuery, Query()]
) -> Response:
    """Footage that cases ask for and that only its recorder holds, the most pressing first."""
    found = await database.read(visitor.actor, case_register.read_next_overwritten, wanted.listing(visitor.language))
    if wanted.as_csv:
        return _risk_csv(visitor, found.lines)
    return visitor.page("cases/next_overwritten.html", **wanted.shown_page(found))


@router.get("/stages")
async def stages(
    visitor: Visiting, database: GivenDatabase, models: GivenModels, wanted: Annotated[Period, Query()]
) -> Response:
    """Return how long cases stay in each stage, as a table with a chart (R62)."""
    days = wanted.days if wanted.days in PERIODS else PERIODS[1]

    def read(uow: UnitOfWork) -> tuple[list[StageLine], list[Department]]:
        chosen = wanted.department or None
        times = list_stage_times(uow, models, uow.now - timedelta(days=days), uow.now, department_id=chosen)
        return times, directory.departments(uow)

    times, departments = await database.read(visitor.actor, read)
    if wanted.form == "csv":
        return _stages_csv(visitor, times)
    longest = max((time.ninetieth for time in times), default=0)
    return visitor.page(
        "cases/stages.html",
        times=times,
        width=lambda seconds: round(1000 * math.log1p(seconds) / (math.log1p(longest) or 1), 1),
        days=days,
        periods=PERIODS,
        department=wanted.department,
        departments=departments,
    )


def _(message: str) -> str:
    """Mark a text for translation."""
    return message


def _out_csv(visitor: Visitor, lines: Sequence[OutLine]) -> Response:
    header = header_of(
        visitor,
        _("Number"),
        _("Custodian"),
        _("Department"),
        _("Way of use"),
        _("Accepted"),
        _("Due"),
        _("Overdue"),
    )
    header += about.header(visitor)
    rows = [
        [
            line.number or "",
            line.custodian,
            lists.named(visitor, line.department),
            word(visitor.language, line.way_of_use),
            lists.written(visitor, line.accepted_at),
            lists.written(visitor, line.due_at),
            word(visitor.language, line.overdue),
            *about.cells(visitor, line.about),
        ]
        for line in lines
    ]
    return lists.csv_answer(visitor, visitor.translated(_("Copies on loan")), header, rows)


def _risk_csv(visitor: Visitor, lines: Sequence[RiskLine]) -> Response:
    header = header_of(
        visitor,
        _("Number"),
        _("Status"),
        _("Camera"),
        _("From"),
        _("To"),
        _("At risk of overwrite from"),
        _("Title"),
        _("Place"),
    )
    rows = [
        [
            line.number or "",
            word(visitor.language, line.state),
            lists.named(visitor, line.camera),
            lists.written(visitor, line.start, line.zone),
            lists.written(visitor, line.end, line.zone),
            lists.written(visitor, line.overwrite_at),
            line.title,
            lists.named(visitor, line.camera, "place"),
        ]
        for line in lines
    ]
    return lists.csv_answer(visitor, visitor.translated(_("At risk of overwrite")), header, rows)


def _stages_csv(visitor: Visitor, times: Sequence[StageLine]) -> Response:
    header = header_of(
        visitor,
        _("Stage"),
        _("Ended"),
        _("Median in seconds"),
        _("90th percentile in seconds"),
        _("Longest in seconds"),
        _("Open"),
    )
    rows: list[list[web_csv.Cell]] = [
        [
            word(visitor.language, time.stage),
            time.ended,
            *(int(seconds) for seconds in (time.median, time.ninetieth, time.longest)),
            time.open,
        ]
        for time in times
    ]
    return web_csv.csv_answer(visitor.translated(_("Time in each stage")), header, rows)
