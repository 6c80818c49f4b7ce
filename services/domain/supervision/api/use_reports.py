"""The reports on safety and use as JSON (R1)."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from services.domain.supervision import use_report_queries, use_reports
from services.domain.supervision.use_report_schemas import UseReportBody, UseReportLine, UseReportView
from services.web.dependencies import GivenDatabase
from services.web.errors import USUAL, problems
from services.web.identity import Acting
from services.web.paging import Paged
from services.web.schemas import PageParameters

router = APIRouter(prefix="/api/use-reports", tags=["supervision"])
Number = Annotated[str, Path(max_length=32)]


@router.get("", responses=problems(401, 403))
async def list_use_reports(
    question: Annotated[PageParameters, Query()], actor: Acting, database: GivenDatabase, paged: Paged
) -> list[UseReportLine]:
    """Return the reports on safety and use, the newest first. `Link` has the pages around this one."""
    found = await database.read(actor, use_report_queries.page_of_reports, limit=question.limit, place=question.place)
    return paged.lines(found)


@router.post("", status_code=201, responses=problems(*USUAL))
async def make_use_report(body: UseReportBody, actor: Acting, database: GivenDatabase) -> UseReportView:
    """Make the report on a month, quarter or year that is over, as a supervisor or who leads Security."""

    number = await use_reports.make_apart(database, actor, body.period)
    return await database.read(actor, use_report_queries.read_report, number)


@router.get("/{number}", responses=problems(401, 403, 404))
async def read_use_report(number: Number, actor: Acting, database: GivenDatabase) -> UseReportView:
    """Return one report; the reading is recorded."""
    return await database.read(actor, use_report_queries.read_report, number)
