"""The storage office: what waits, what is fetched and sealed as it happens, and how the recorders do (R30 to R34)."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from services.portal.api.dependencies import Books, GivenRecorders
from services.portal.api.storage import measure_now
from services.portal.pages.visitor import Visiting, Visitor
from services.portal.tables import csv_answer
from services.portal.words import word
from services.register import storage_office
from services.register.unit import Register
from services.runtime.errors import Refused

router = APIRouter()

PER_PAGE = 20


@router.get("/storage")
async def read_office(visitor: Visiting, books: Books, page: Annotated[int, Query(ge=1, le=10_000)] = 1) -> Response:
    """Everything at a glance; the quarantine page by page."""
    return await _page(visitor, books, page=page)


@router.get("/storage/preserved.csv")
async def preserved_as_csv(visitor: Visiting, books: Books) -> Response:
    """The whole quarantine as CSV."""
    kept = await books.run(visitor.actor, storage_office.preserved)
    titles = (
        _("Number"),
        _("Item"),
        _("Camera"),
        _("Preserved"),
        _("Extent"),
        _("Overwritten from"),
    )
    rows = (
        [
            one.number,
            one.position,
            one.camera.name_zh if visitor.language == "zh" else one.camera.name_en,
            one.row.preserved_at.isoformat(),
            word(visitor.language, one.outcome),
            one.gone_at.isoformat() if one.gone_at else None,
        ]
        for one in kept
    )
    return csv_answer(
        visitor.translated(_("Preserved beforehand")), [visitor.translated(title) for title in titles], rows
    )


@router.get("/storage/work")
async def read_work(visitor: Visiting, books: Books) -> Response:
    """What is on its way, alone: the page asks for it every two seconds."""
    work, figures = await books.run(visitor.actor, storage_office.work_under_way)
    if not visitor.hurried:
        return visitor.go("/storage")
    return visitor.part("storage/_work.html", work=work, figures=figures)


@router.post("/storage/recorders/{recorder_id}/measure")
async def measure(recorder_id: str, visitor: Visiting, books: Books, recorders: GivenRecorders) -> Response:
    """Ask a recorder now for its clock and its oldest frames."""
    try:
        found = await measure_now(recorder_id, visitor.actor, books, recorders)
    except Refused as refusal:
        if refusal.status in {403, 404}:
            raise
        return await _page(visitor, books, refusal)
    name = found.recorder.name
    return visitor.go("/storage#recorders", f"“{name}”已测量。", f"“{name}” was measured.")


def _(message: str) -> str:
    """Marks a text for translation."""
    return message


async def _page(visitor: Visitor, books: Register, refusal: Refused | None = None, *, page: int = 1) -> Response:
    begin = (page - 1) * PER_PAGE
    office = await books.run(visitor.actor, storage_office.overview, limit=PER_PAGE + 1, offset=begin)
    return visitor.page(
        "storage/office.html",
        refusal.status if refusal else 200,
        office=office,
        kept=office.kept[:PER_PAGE],
        more=len(office.kept) > PER_PAGE,
        page=page,
        work=office.work,
        figures=office.figures,
        refusal=refusal,
    )
