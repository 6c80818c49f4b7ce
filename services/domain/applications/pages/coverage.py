"""What the recorder holds of an item, and which cameras there are, while one is still typing (R20)."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from services.database.unit_of_work import UnitOfWork
from services.domain.applications import directory, previews
from services.domain.applications.pages import form_view
from services.domain.applications.pages.typed_form import Row
from services.domain.retrieval import recorder_coverage
from services.recorders.protocol import WrongChannel
from services.runtime.errors import Retryable
from services.runtime.spans import Span
from services.web.dependencies import GivenDatabase, GivenRecorders
from services.web.forms import TypedForm
from services.web.schemas import Identifier
from services.web.visitor import Visiting

router = APIRouter()


@dataclass(frozen=True)
class _Asked:
    """``span`` is what the recorder is to be asked for; None where it is not worth a question."""

    row: Row | None
    place: recorder_coverage.Place | None = None
    span: Span | None = None
    preserved: bool = False


Place = Annotated[int, Query(ge=0, le=999)]


@router.get("/apply/coverage")
async def show_coverage(
    visitor: Visiting,
    database: GivenDatabase,
    recorders: GivenRecorders,
    row: Place = 0,
    application: Annotated[Identifier | None, Query()] = None,
) -> Response:
    """The bar of one item: what exists of its span, and from when on it may be overwritten.

    ``application`` is the one that the item may be of already; what is preserved for it is not overwritten.
    """
    typed = TypedForm(visitor.request.query_params)  # type: ignore[arg-type]  # the same kind of multi-dict

    def read(uow: UnitOfWork) -> _Asked:
        rows = form_view.read(uow, typed, application, first=row).rows
        one = rows[0] if rows else None
        if one is None or one.camera is None or one.span is None:
            return _Asked(one)
        askable = one.span.duration <= uow.rules.max_span and one.span.start < uow.now
        preserved = application is not None and previews.is_preserved(uow, application, one.camera.id, one.span)
        place = recorder_coverage.place(uow, one.camera.id, one.span.start)
        return _Asked(one, place, one.span if askable else None, preserved)

    asked = await database.run(visitor.actor, read)
    held, away = None, False
    if asked.place is not None and asked.span is not None:
        try:
            held = await recorder_coverage.look_at(asked.place, recorders, asked.span)
        except (Retryable, WrongChannel):
            away = True
    return visitor.part(
        "applications/_coverage.html",
        row=asked.row,
        index=row,
        place=asked.place,
        preserved=asked.preserved,
        held=held,
        away=away,
    )


@router.get("/apply/cameras")
async def find_cameras(
    visitor: Visiting,
    database: GivenDatabase,
    row: Place = 0,
    search: Annotated[str, Query(alias="cameraSearch", max_length=200)] = "",
) -> Response:
    """The cameras to choose from for one item, by site and place."""
    cameras = await database.run(visitor.actor, directory.cameras)
    return visitor.part("applications/_cameras.html", cameras=cameras, index=row, search=search, chosen="")
