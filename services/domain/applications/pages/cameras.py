"""The page of all cameras that can be asked for: searched by place, on plans of floors, with favourites."""

from typing import Annotated
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BaseModel, Field

from services.domain.applications import directory
from services.domain.applications.directory import CameraSearch
from services.domain.cameras import favourites
from services.runtime.errors import Refused
from services.web.dependencies import GivenDatabase
from services.web.forms import Typed
from services.web.schemas import Identifier, PlaceText, SearchText
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/cameras")


class CamerasQuery(BaseModel):
    """``text``: words of a name, place, site, building or floor; ``plan``: one plan; ``mine``: favourites alone."""

    text: SearchText = ""
    plan: Annotated[str, Field(max_length=64)] = ""
    mine: bool = False
    place: PlaceText = ""

    @property
    def search(self) -> CameraSearch:
        return CameraSearch(self.text, self.plan, self.place, self.mine)

    def query(self, **changed: str) -> str:
        """Return the query string without the page, with some parameters changed."""
        given = {"text": self.text, "plan": self.plan, "mine": "true" if self.mine else "", **changed}
        return urlencode({name: text for name, text in given.items() if text})


@router.get("")
async def list_cameras(
    visitor: Visiting, database: GivenDatabase, wanted: Annotated[CamerasQuery, Query()]
) -> Response:
    """Show the cameras that a search finds, or those of a plan."""
    return await _page(visitor, database, wanted)


@router.post("/{camera_id}/favourite")
async def mark_favourite(
    camera_id: Identifier,
    visitor: Visiting,
    typed: Typed,
    database: GivenDatabase,
    wanted: Annotated[CamerasQuery, Query()],
) -> Response:
    """Give a camera the star, or take it off, and show the same cameras."""
    try:
        await database.run(visitor.actor, favourites.mark, camera_id, marked=typed.text("marked") == "true")
    except Refused as refusal:
        if refusal.status == 404:
            raise
        return await _page(visitor, database, wanted, refusal)
    query = wanted.query(place=wanted.place)
    return visitor.redirect("/cameras" + (f"?{query}" if query else "") + f"#camera-{quote(camera_id)}")


async def _page(
    visitor: Visitor, database: GivenDatabase, wanted: CamerasQuery, refusal: Refused | None = None
) -> Response:
    found = await database.read(visitor.actor, directory.pick_cameras, wanted.search)
    may_apply = "administrator" not in visitor.posts
    return visitor.page(
        "applications/cameras.html",
        refusal.status if refusal else 200,
        found=found,
        wanted=wanted,
        may_apply=may_apply,
        refusal=refusal,
    )
