"""Serve the pages of the working calendar: its years, the import in two steps, and how a limit is counted."""

from datetime import datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import Field

from services.database.unit_of_work import Database, UnitOfWork
from services.domain.access import administrators
from services.domain.working_calendar import deadlines, queries, service, tables
from services.domain.working_calendar.api import Year
from services.domain.working_calendar.schemas import DeadlineAnswer
from services.domain.working_calendar.tables import LineError, YearTable
from services.runtime.calendar_days import runs_of
from services.runtime.errors import Refused
from services.runtime.translations import Message
from services.web import csv as web_csv
from services.web.dependencies import GivenDatabase
from services.web.forms import Typed, TypedForm, whole_number
from services.web.schemas import Body, Line
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/admin/calendar")

UNITS = {"D": timedelta(days=1), "H": timedelta(hours=1)}
MOST = 366  # of either unit


class Trial(Body):
    """A limit to try: from when, by the organisation's clock, and how long; empty before anything was asked."""

    start: str = ""
    amount: str = ""
    unit: str = "D"


class _ImportForm(Body):
    table: str
    reason: Annotated[Line, Field(min_length=4)]
    was: int | None = None


@router.get("")
async def show_calendar(visitor: Visiting, database: GivenDatabase, trial: Annotated[Trial, Query()]) -> Response:
    """The years that have a table, the import, and a limit to try."""
    return await _calendar(visitor, database, trial)


@router.post("/check")
async def check_table(visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Show what a CSV file, or a table of this release, would change; nothing changes."""
    await database.read(visitor.actor, administrators.require_administrator)
    file = typed.file("file")
    try:
        content = tables.read_shipped(typed.text("shipped")) if file is None else await file.read(tables.MAX_BYTES + 1)
        table, wrong = tables.read(content)
    except Refused as refusal:
        return await _calendar(visitor, database, Trial(), refusal=refusal)
    if table is None:
        return await _calendar(visitor, database, Trial(), wrong=wrong)
    return await _check(visitor, database, table)


@router.post("")
async def import_year(visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Import the table that was checked."""
    await database.read(visitor.actor, administrators.require_administrator)
    table, wrong = tables.read(typed.text("table").encode())
    if table is None:
        return await _calendar(visitor, database, Trial(), wrong=wrong)
    try:
        body = typed.body(_ImportForm)
        await database.run(visitor.actor, service.import_year, table, body.reason, was=body.was)
    except Refused as refusal:
        if refusal.status == 403:
            raise
        return await _check(visitor, database, table, refusal=refusal, typed=typed)
    return visitor.redirect(
        f"/admin/calendar/{table.year}",
        Message("The working calendar was imported. It counts for the reviews that open from now on."),
    )


@router.get("/{year}.csv")
async def export_year(year: Year, visitor: Visiting, database: GivenDatabase) -> Response:
    """Export the days of a year, in the columns of the import."""
    newest = (await database.read(visitor.actor, queries.list_imports, year))[0]
    return web_csv.csv_answer(f"calendar-{year}", tables.COLUMNS, tables.rows_of(newest.days))


@router.get("/{year}")
async def show_year(year: Year, visitor: Visiting, database: GivenDatabase) -> Response:
    """The days of a year that count, and every import of it."""
    imports = await database.read(visitor.actor, queries.list_imports, year)
    return visitor.page("working_calendar/year.html", year=year, runs=runs_of(imports[0].days), imports=imports)


async def _calendar(
    visitor: Visitor,
    database: Database,
    trial: Trial,
    *,
    refusal: Refused | None = None,
    wrong: list[LineError] | None = None,
) -> Response:
    deadline: DeadlineAnswer | None = None

    def read(uow: UnitOfWork) -> tuple[queries.Overview, DeadlineAnswer | None]:
        overview = queries.read_overview(uow)
        if not trial.start:
            return overview, None
        start, limit = _asked(trial, overview.zone)
        return overview, DeadlineAnswer.of(deadlines.try_out(uow, start, limit))

    try:
        overview, deadline = await database.read(visitor.actor, read)
    except Refused as trial_refusal:
        if trial_refusal.status == 403:
            raise
        overview, refusal = await database.read(visitor.actor, queries.read_overview), trial_refusal
    return visitor.page(
        "working_calendar/calendar.html",
        refusal.status if refusal else 422 if wrong else 200,
        overview=overview,
        shipped=tables.list_shipped(),
        columns=tables.COLUMNS,
        trial=trial,
        deadline=deadline,
        refusal=refusal,
        wrong=wrong,
    )


async def _check(
    visitor: Visitor,
    database: Database,
    table: YearTable,
    *,
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
) -> Response:
    changes = await database.read(visitor.actor, queries.compare, table)
    return visitor.page(
        "working_calendar/check.html",
        refusal.status if refusal else 200,
        table=table,
        text=tables.write(table.days),
        runs=runs_of(table.days),
        added=runs_of(changes.added),
        removed=runs_of(changes.removed),
        version=changes.version,
        refusal=refusal,
        typed=typed,
    )


def _asked(trial: Trial, zone: str) -> tuple[datetime, timedelta]:
    """Return what was asked; Refused unless it is a time of a usual year, and a limit of at most a year."""
    try:
        start = datetime.fromisoformat(trial.start)
    except ValueError:
        start = None
    if start is None or start.tzinfo is not None or not tables.FIRST_YEAR <= start.year < tables.LAST_YEAR:
        raise Refused("calendar-start", "Enter a date and time.", status=422, field="start")
    number = whole_number(trial.amount)
    if not 1 <= number <= MOST or trial.unit not in UNITS:
        raise Refused("calendar-limit", "Enter a whole number from 1 to {most}.", status=422, field="amount", most=MOST)
    return start.replace(tzinfo=ZoneInfo(zone)), number * UNITS[trial.unit]
