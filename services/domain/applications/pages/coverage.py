"""What the recorder holds of an item, and which cameras and people there are, while one is still typing (R20)."""

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BaseModel, Field

from services.database.listing import LONGEST_TEXT
from services.database.unit_of_work import UnitOfWork
from services.domain.applications import directory, previews
from services.domain.applications.directory import CameraSearch
from services.domain.applications.pages import form_view
from services.domain.applications.pages.typed_form import Row, require_text
from services.domain.retrieval import recorder_coverage
from services.recorders.protocol import WrongChannel
from services.runtime.errors import Retryable
from services.runtime.spans import Span
from services.web.dependencies import GivenDatabase, GivenRecorders
from services.web.forms import TypedForm
from services.web.schemas import Identifier, PlaceText
from services.web.visitor import Visiting

router = APIRouter()


@dataclass(frozen=True)
class _Question:
    """``span`` is what the recorder is to be asked for; None where it is not worth a question."""

    row: Row | None
    source: recorder_coverage.CameraSource | None = None
    span: Span | None = None
    preserved: bool = False


RowIndex = Annotated[int, Query(ge=0, le=999)]


class CamerasWanted(BaseModel):
    """``row``: the item, from 0; ``after``: where the next page begins."""

    row: Annotated[int, Field(ge=0, le=999)] = 0
    search: Annotated[str, Field(alias="cameraSearch", max_length=LONGEST_TEXT)] = ""
    plan: Annotated[str, Field(alias="cameraPlan", max_length=64)] = ""
    after: PlaceText = ""


@router.get("/apply/coverage")
async def show_coverage(
    visitor: Visiting,
    database: GivenDatabase,
    recorders: GivenRecorders,
    row: RowIndex = 0,
    application: Annotated[Identifier | None, Query()] = None,
) -> Response:
    """Return the bar of one item: what exists of its span, and from when on it may be overwritten.

    ``application`` is the one that the item may be of already; what is preserved for it is not overwritten.
    """
    typed = TypedForm(visitor.request.query_params)  # type: ignore[arg-type]  # the same kind of multi-dict

    def read(uow: UnitOfWork) -> _Question:
        rows = form_view.parse(uow, typed, application, first=row).rows
        item = rows[0] if rows else None
        if item is None or item.camera is None or item.span is None:
            return _Question(item)
        askable = item.span.duration <= uow.rules.max_span and item.span.start < uow.now
        preserved = application is not None and previews.is_preserved(uow, application, item.camera.id, item.span)
        source = recorder_coverage.get_source(uow, item.camera.id, item.span.start)
        return _Question(item, source, item.span if askable else None, preserved)

    question = await database.read(visitor.actor, read)
    coverage, down = None, False
    if question.source is not None and question.span is not None:
        try:
            coverage = await recorder_coverage.measure_source(question.source, recorders, question.span)
        except (Retryable, WrongChannel):
            down = True
    return visitor.part(
        "applications/_coverage.html",
        row=question.row,
        index=row,
        source=question.source,
        preserved=question.preserved,
        coverage=coverage,
        down=down,
    )


@router.get("/apply/cameras")
async def find_cameras(
    visitor: Visiting, database: GivenDatabase, wanted: Annotated[CamerasWanted, Query()]
) -> Response:
    """Return the cameras to choose from for one item, by site and place, or on a plan."""
    search = CameraSearch(wanted.search, wanted.plan, wanted.after)
    found = await database.read(visitor.actor, directory.pick_cameras, search)
    return visitor.part(
        "applications/_cameras.html",
        found=found,
        index=wanted.row,
        search=wanted.search,
        following=bool(wanted.after),
    )


@router.get("/apply/people")
async def find_people(
    visitor: Visiting,
    database: GivenDatabase,
    field: Literal["custodianId", "recipientIds", "subjectIds"] = "recipientIds",
) -> Response:
    """Return the people to choose from for a field of the form; searched is the text of the input beside it."""
    typed = TypedForm(visitor.request.query_params)  # type: ignore[arg-type]  # the same kind of multi-dict
    search = typed.text(f"{field}Search")[:LONGEST_TEXT]
    require_text(field, search)
    found = await database.read(visitor.actor, form_view.find_people, typed, field, search)
    return visitor.part("applications/_people.html", found=found, field=field, search=search)
