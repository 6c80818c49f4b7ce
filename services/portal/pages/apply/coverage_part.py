"""What the recorder holds of an item, and which cameras there are, while one is still typing (R20)."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from services.portal import coverage
from services.portal.api.dependencies import Books, GivenRecorders
from services.portal.pages.apply import sheet
from services.portal.pages.apply.sheet import Row
from services.portal.pages.forms import TypedForm
from services.portal.pages.visitor import Visiting
from services.recorders.base import WrongChannel
from services.register import directory
from services.register.unit import Unit
from services.runtime.errors import Retryable

router = APIRouter()
MOST_CAMERAS = 60  # in one answer; more are found by searching

Place = Annotated[int, Query(ge=0, le=999)]


@router.get("/apply/coverage")
async def show_coverage(
    request: Request, visitor: Visiting, books: Books, recorders: GivenRecorders, row: Place = 0
) -> Response:
    """The bar of one item: what exists of its span, and from when on it may be overwritten."""
    typed = TypedForm(request.query_params)  # type: ignore[arg-type]  # the same kind of multi-dict

    def read(unit: Unit) -> tuple[list[Row], coverage.Place | None, bool]:
        cameras = {camera.id: camera for camera in directory.cameras(unit)}
        rows = list(sheet.read(typed, cameras, unit.rules.zone).rows)
        one = rows[0] if rows else None
        if one is None or one.camera is None or one.span is None:
            return rows, None, False
        return (
            rows,
            coverage.place(unit, one.camera.id, one.span.start),
            one.span.duration <= unit.rules.max_span and one.span.start < unit.now,
        )

    rows, place, askable = await books.run(visitor.actor, read)
    held, away = None, False
    if place is not None and askable and rows[0].span is not None:
        try:
            held = await coverage.look_at(place, recorders, rows[0].span)
        except (Retryable, WrongChannel):
            away = True
    return visitor.part(
        "apply/_coverage.html", row=rows[0] if rows else None, index=row, place=place, held=held, away=away
    )


@router.get("/apply/cameras")
async def find_cameras(
    visitor: Visiting,
    books: Books,
    row: Place = 0,
    search: Annotated[str, Query(alias="cameraSearch", max_length=200)] = "",
) -> Response:
    """The cameras to choose from for one item, by site and place."""
    cameras = await books.run(visitor.actor, directory.cameras)
    return visitor.part("apply/_cameras.html", cameras=cameras, index=row, search=search, chosen="")
