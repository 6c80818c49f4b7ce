"""Read the reports on safety and use; opening one is an event (R1)."""

import json
from collections.abc import Sequence

from sqlalchemy import select

from services.database.keyset import Page, Section, read_place, rows_at
from services.database.tables.documents import Document
from services.database.unit_of_work import UnitOfWork
from services.domain.documents import service as document_service
from services.domain.supervision import queries, use_reports
from services.domain.supervision.use_report_schemas import (
    TrendMonth,
    UseCounts,
    UseDepartment,
    UseFigure,
    UseReportLine,
    UseReportView,
    UseViolations,
)
from services.runtime.errors import NotFound
from services.runtime.translations import Message

NEWEST_FIRST = "made-desc"


def page_of_reports(uow: UnitOfWork, *, limit: int, place: str = "") -> Page[UseReportLine]:
    """Read a page of the reports, the newest first; for the supervision, who leads Security, and the management."""
    queries.require_reader(uow)
    sections = (Section((Document.made_at.expression, Document.id.expression)),)
    begin = read_place(place, NEWEST_FIRST, sections)
    query = select(Document).where(Document.kind == use_reports.KIND)
    rows, *around = rows_at(uow.session, query, sections, descending=True, limit=limit, place=begin)
    lines = _lines([row[0] for row in rows])
    return Page(lines, *(beside.text(NEWEST_FIRST) if beside else "" for beside in around))


def list_of_months(uow: UnitOfWork, months: int) -> list[UseReportLine]:
    """List the reports on single months, the newest first; one statement."""
    of_month = Document.kind == use_reports.KIND, Document.subject_id.like("____-__"), ~Document.subject_id.like("%Q%")
    query = select(Document).where(*of_month).order_by(Document.subject_id.desc()).limit(months)
    return _lines(uow.session.scalars(query).all())


def read_report(uow: UnitOfWork, number: str) -> UseReportView:
    """Read one report, which is recorded; NotFound for those who read none."""
    document = document_service.by_number(uow, number)
    if document is None or document.kind != use_reports.KIND:
        raise NotFound(Message("document"), number)
    return _view(document_service.read_document(uow, number, "page"))


def _lines(documents: Sequence[Document]) -> list[UseReportLine]:
    return [
        UseReportLine(
            number=one.number,
            period=str(one.subject_id),
            made_at=one.made_at,
            by=(json.loads(one.content)["by"] or {}).get("name"),
        )
        for one in documents
    ]


def _view(document: Document) -> UseReportView:
    content = json.loads(document.content)
    return UseReportView(
        number=document.number,
        sha256=document.sha256,
        period=content["period"]["name"],
        length=content["period"]["length"],
        period_from=content["period"]["start"],
        period_to=content["period"]["end"],
        before=content["before"]["name"],
        made_at=content["madeAt"],
        by=(content["by"] or {}).get("name"),
        days=content["days"]["now"],
        days_before=content["days"]["before"],
        figures=[UseFigure(**one) for one in content["figures"]],
        departments=[
            UseDepartment(
                id=one["id"],
                name_zh=one["zh"],
                name_en=one["en"],
                now=UseCounts(**one["now"]),
                before=UseCounts(**one["before"]),
                outcomes=one["outcomes"],
            )
            for one in content["departments"]
        ],
        violations=[UseViolations(**one) for one in content["violations"]],
        trend=[TrendMonth(**one) for one in content.get("trend", ())],
    )
