"""Serve the working calendar as JSON and CSV: its years, imports with a reason, and how a limit is counted."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field

from services.database.unit_of_work import UnitOfWork
from services.domain.access import administrators
from services.domain.working_calendar import deadlines, queries, service, tables
from services.domain.working_calendar.schemas import (
    CalendarAnswer,
    ChangesAnswer,
    DaysAnswer,
    DeadlineAnswer,
    ImportBody,
    YearAnswer,
    days_answer,
)
from services.web import csv as web_csv
from services.web.dependencies import GivenDatabase
from services.web.errors import problems, problems_beside
from services.web.identity import Acting
from services.web.schemas import Body, Moment

router = APIRouter(prefix="/api/admin/calendar", tags=["administration"])

CSV: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {}}, "description": "The days"}}
Year = Annotated[int, Path(ge=tables.FIRST_YEAR, le=tables.LAST_YEAR)]
LONGEST_LIMIT = timedelta(days=366)


class DeadlineQuestion(Body):
    """``limit`` is an ISO 8601 duration of at most a year, such as P2D; a whole day is a working day."""

    start: Moment
    limit: Annotated[timedelta, Field(gt=timedelta(), le=LONGEST_LIMIT)]


@router.get("", responses=problems(401, 403))
async def read_calendar(actor: Acting, database: GivenDatabase) -> CalendarAnswer:
    """The years with a table, and those that lack one. For those who read the rules."""
    view = await database.read(actor, queries.read_overview)
    return CalendarAnswer.of(view.years, view.coverage, tables.list_shipped(), hours=view.hours, zone=view.zone)


@router.get("/deadline", responses=problems(401, 403))
async def compute_deadline(
    question: Annotated[DeadlineQuestion, Query()], actor: Acting, database: GivenDatabase
) -> DeadlineAnswer:
    """When a limit that counts working time from ``start`` would end by the calendar of now, and why."""

    def act(uow: UnitOfWork) -> DeadlineAnswer:
        administrators.require_reader(uow)
        return DeadlineAnswer.of(deadlines.try_out(uow, question.start, question.limit))

    return await database.read(actor, act)


@router.post("", responses=problems(401, 403, 409))
async def import_year(body: ImportBody, actor: Acting, database: GivenDatabase) -> ChangesAnswer:
    """Set the days of a year from now on; reviews that are open keep their moments. A second person confirms it."""
    table = body.table()

    def act(uow: UnitOfWork) -> ChangesAnswer:
        changes = queries.compare(uow, table)
        version = changes.version
        if not body.dry_run:
            version = service.import_year(uow, table, body.reason, was=body.was).seq
        return ChangesAnswer(
            year=table.year,
            version=version,
            added=days_answer(changes.added),
            removed=days_answer(changes.removed),
            done=not body.dry_run,
        )

    return await database.run(actor, act)


@router.get("/{year}.csv", response_class=Response, responses={**problems_beside(401, 403, 404), **CSV})
async def export_year(year: Year, actor: Acting, database: GivenDatabase) -> Response:
    """Export the days of a year, in the columns of the import."""
    newest = (await database.read(actor, queries.list_imports, year))[0]
    return web_csv.csv_answer(f"calendar-{year}", tables.COLUMNS, tables.rows_of(newest.days))


@router.get("/{year}", responses=problems(401, 403, 404))
async def read_year(year: Year, actor: Acting, database: GivenDatabase) -> DaysAnswer:
    """The days of a year that count, and every import of it."""
    imports = await database.read(actor, queries.list_imports, year)
    newest = imports[0]
    return DaysAnswer(
        year=year,
        version=newest.row.seq,
        days=days_answer(newest.days),
        imports=[YearAnswer.of(imported) for imported in imports],
    )
