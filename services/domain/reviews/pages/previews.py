"""Parts of a review's page that are asked for when they are seen: what exists of each item, and a camera's picture."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import Field

from services.database.unit_of_work import UnitOfWork
from services.domain.cases import camera_pictures, item_coverage, review_sheets
from services.domain.cases.review_sheets import LOOKS, SheetItem
from services.runtime import local_times
from services.runtime.errors import NotFound
from services.runtime.translations import Message
from services.web.dependencies import GivenDatabase, GivenRecorders
from services.web.visitor import Visiting

router = APIRouter()


@router.get("/reviews/{review_id}/coverage")
async def coverage(review_id: str, visitor: Visiting, database: GivenDatabase, recorders: GivenRecorders) -> Response:
    """A bar for each item; a page of its own where there is no htmx."""
    places = await database.run(visitor.actor, review_sheets.places, review_id)
    found = await item_coverage.look(places, recorders)
    answer = visitor.part if visitor.is_htmx else visitor.page
    template = "reviews/_coverage.html" if visitor.is_htmx else "reviews/coverage.html"
    return answer(template, found=found, review_id=review_id)


@router.get("/reviews/{review_id}/items/{item_id}/sight")
async def sight(
    review_id: str,
    item_id: str,
    *,
    visitor: Visiting,
    database: GivenDatabase,
    look: Literal["first", "middle", "last"] = "first",
    at: Annotated[str, Field(max_length=40), Query()] = "",
) -> Response:
    """What the camera showed at the first, middle or last moment, or at one that is typed in the item's zone."""

    def read(uow: UnitOfWork) -> tuple[SheetItem, str]:
        found = next((place.item for place in review_sheets.places(uow, review_id) if place.item.id == item_id), None)
        if found is None:
            raise NotFound(Message("item"), item_id)
        moment = local_times.moment(at, found.zone, which="first") if at else found.looks[look]
        camera_pictures.require_inside(found.granted, moment)
        return found, moment.isoformat()

    item, moment = await database.run(visitor.actor, read)
    answer = visitor.part if visitor.is_htmx else visitor.page
    template = "reviews/_frame.html" if visitor.is_htmx else "reviews/frame.html"
    return answer(
        template, item=item, review_id=review_id, at=moment, look="" if at else look, looks=LOOKS, typed_at=at
    )
