"""The pages of the reports on safety and use: list, form, one report (R1)."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from services.database.keyset import LONGEST_PLACE
from services.database.unit_of_work import Database, UnitOfWork
from services.domain.supervision import periods, readers, statistics, use_figures, use_report_queries, use_reports
from services.domain.supervision.use_report_schemas import UseReportBody
from services.runtime.errors import Refused
from services.runtime.translations import Message
from services.web.dependencies import GivenDatabase
from services.web.forms import Typed, TypedForm
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/supervision/use-reports")
PER_PAGE = 25
Place = Annotated[str, Query(max_length=LONGEST_PLACE)]
Number = Annotated[str, Path(max_length=32)]


@router.get("")
async def list_use_reports(visitor: Visiting, database: GivenDatabase, place: Place = "") -> Response:
    """Show the reports, and the form to make another one."""
    return await _list_page(visitor, database, place=place)


@router.post("")
async def make_use_report(visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Make the report on a period that is over."""
    try:
        number = await use_reports.make_apart(database, visitor.actor, typed.body(UseReportBody).period)
    except Refused as refusal:
        if refusal.status == 403:
            raise
        return await _list_page(visitor, database, refusal, typed)
    return visitor.redirect(f"/supervision/use-reports/{number}", Message("The report was made and filed."))


@router.get("/{number}")
async def show_use_report(number: Number, visitor: Visiting, database: GivenDatabase) -> Response:
    """Show one report; the reading is recorded."""
    view = await database.read(visitor.actor, use_report_queries.read_report, number)
    return visitor.page(
        "supervision/use_report.html",
        view=view,
        groups=list(use_figures.MEASURES),
        measures=use_figures.BY_DEPARTMENT,
        trend_measures=statistics.MEASURES,
    )


async def _list_page(
    visitor: Visitor,
    database: Database,
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
    *,
    place: str = "",
) -> Response:
    def read(uow: UnitOfWork) -> dict[str, Any]:
        found = use_report_queries.page_of_reports(uow, limit=PER_PAGE, place=place)
        last = periods.last_complete(uow.now, uow.rules.inspection_period, uow.rules.zone)
        return {"found": found, "may_make": readers.may_read(uow), "period": last.name}

    view = await database.read(visitor.actor, read)
    status = refusal.status if refusal else 200
    return visitor.page("supervision/use_reports.html", status=status, **view, refusal=refusal, typed=typed)
