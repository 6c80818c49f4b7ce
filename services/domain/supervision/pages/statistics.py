"""The page of statistics by month and department, with charts, and their CSV (R62, R63)."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BaseModel, Field

from services.database.tables.people import Department
from services.database.unit_of_work import UnitOfWork
from services.domain.applications import directory
from services.domain.cases.stage_times import stage_order
from services.domain.supervision import statistics, use_report_queries
from services.domain.supervision.audit_schemas import StageMonths, Statistics
from services.domain.supervision.use_report_schemas import UseReportLine
from services.runtime.labels import word
from services.web import csv as web_csv
from services.web import lists
from services.web.dependencies import GivenDatabase
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/supervision/statistics")
PERIODS = (3, 6, 12, 24, 36)
MOST_DEPARTMENTS = 50  # of which the page draws charts; the CSV file has all of them


class StatisticsQuery(BaseModel):
    """What the address asks for; a period that is no choice counts as a year."""

    months: int = 12
    department: str = Field("", max_length=64)
    measure: str = ""
    form: str = ""


def _place(figures: StageMonths) -> int:
    """Return where a case meets the stage; one that no model has any more comes last."""
    order = stage_order()
    return order.index(figures.stage) if figures.stage in order else len(order)


@router.get("")
async def show_statistics(
    visitor: Visiting, database: GivenDatabase, wanted: Annotated[StatisticsQuery, Query()]
) -> Response:
    """Return the figures by month, by department and by stage."""
    months = wanted.months if wanted.months in PERIODS else PERIODS[2]

    def read(uow: UnitOfWork) -> tuple[Statistics, list[Department], list[UseReportLine]]:
        figures = statistics.read_statistics(uow, months=months, department_id=wanted.department)
        return figures, directory.departments(uow), use_report_queries.list_of_months(uow, months)

    figures, departments, reports = await database.read(visitor.actor, read)
    figures = figures.model_copy(update={"stages": sorted(figures.stages, key=_place)})
    if wanted.form == "csv":
        return _csv(visitor, figures)
    return visitor.page(
        "supervision/statistics.html",
        figures=figures,
        measures=statistics.MEASURES,
        most={
            measure: max((getattr(month, measure) for month in figures.months), default=0) or 1
            for measure in statistics.MEASURES
        },
        longest=max((mean for stage in figures.stages for mean in stage.means if mean is not None), default=0) or 1,
        most_departments=MOST_DEPARTMENTS,
        months=months,
        periods=PERIODS,
        department=wanted.department,
        departments=departments,
        measure=wanted.measure if wanted.measure in statistics.MEASURES else statistics.MEASURES[0],
        measure_options=[(code, _named(visitor, code)) for code in statistics.MEASURES],
        reports=reports,
    )


def _(message: str) -> str:
    """Mark a text for translation."""
    return message


def _csv(visitor: Visitor, figures: Statistics) -> Response:
    """Return one line for each month, department and stage with each of its figures."""
    header = [visitor.translated(text) for text in (_("About"), _("Name"), _("Measure"), _("Month"), _("Figure"))]
    rows: list[list[web_csv.Cell]] = []
    for month in figures.months:
        for measure in statistics.MEASURES:
            figure = getattr(month, measure)
            rows.append([visitor.translated(_("Month")), "", _named(visitor, measure), _month(month.month), figure])
    for department in figures.departments:
        for measure in statistics.MEASURES:
            figure = getattr(department, measure)
            name = lists.named(visitor, department)
            rows.append([visitor.translated(_("Department")), name, _named(visitor, measure), "", figure])
            for month, number in zip(figures.months, department.months[measure], strict=True):
                rows.append(
                    [visitor.translated(_("Department")), name, _named(visitor, measure), _month(month.month), number]
                )
    for stage in figures.stages:
        name = word(visitor.language, stage.stage)
        for month, mean in zip(figures.months, stage.means, strict=True):
            if mean is not None:
                rows.append(
                    [
                        visitor.translated(_("Stage")),
                        name,
                        visitor.translated(_("Mean in seconds")),
                        _month(month.month),
                        int(mean),
                    ]
                )
    return web_csv.csv_answer(visitor.translated(_("Statistics")), header, rows)


def _month(day: object) -> str:
    return str(day)[:7]


def _named(visitor: Visitor, measure: str) -> str:
    return word(visitor.language, f"measure-{measure}")
