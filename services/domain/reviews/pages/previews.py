"""Parts of a review's page that load by themselves: what exists of each item, and a camera's picture."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import Field

from services.database.unit_of_work import UnitOfWork
from services.domain.cases import review_sheets
from services.domain.cases.review_sheets import PREVIEW_MOMENTS, PreviewMoment, SheetItem
from services.runtime import local_times
from services.runtime.errors import NotFound
from services.runtime.translations import Message
from services.web.dependencies import GivenDatabase, GivenRecorders
from services.web.visitor import Visiting

router = APIRouter()


@router.get("/reviews/{review_id}/coverage")
async def coverage(review_id: str, visitor: Visiting, database: GivenDatabase, recorders: GivenRecorders) -> Response:
    """Show a bar for each item; a page of its own where there is no htmx."""
    sources = await database.read(visitor.actor, review_sheets.coverage_sources, review_id)
    items = await review_sheets.measure(sources, recorders)
    answer = visitor.part if visitor.is_htmx else visitor.page
    template = "reviews/_coverage.html" if visitor.is_htmx else "reviews/coverage.html"
    return answer(template, items=items, review_id=review_id)


@router.get("/reviews/{review_id}/items/{item_id}/preview")
async def preview(
    review_id: str,
    item_id: str,
    *,
    visitor: Visiting,
    database: GivenDatabase,
    moment: PreviewMoment = "first",
    at: Annotated[str, Field(max_length=40), Query()] = "",
) -> Response:
    """Show the camera's picture at the first, middle or last moment, or at one typed in the item's zone."""

    def read(uow: UnitOfWork) -> tuple[SheetItem, str]:
        sources = review_sheets.coverage_sources(uow, review_id)
        item = next((source.item for source in sources if source.item.id == item_id), None)
        if item is None:
            raise NotFound(Message("item"), item_id)
        when = local_times.moment(at, item.zone, which="first") if at else item.previews[moment]
        review_sheets.require_inside(item.granted, when)
        return item, when.isoformat()

    item, when = await database.read(visitor.actor, read)
    answer = visitor.part if visitor.is_htmx else visitor.page
    template = "reviews/_frame.html" if visitor.is_htmx else "reviews/frame.html"
    return answer(
        template,
        item=item,
        review_id=review_id,
        at=when,
        moment="" if at else moment,
        previews=PREVIEW_MOMENTS,
        typed_at=at,
    )
