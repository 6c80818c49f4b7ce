"""Who holds each post and who stands in, as a page."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response

from services.database.unit_of_work import UnitOfWork
from services.domain.staffing import posts_overview
from services.domain.staffing.posts_overview import Overview
from services.web.dependencies import GivenDatabase
from services.web.visitor import Visiting

router = APIRouter(prefix="/posts")


@router.get("")
async def show(
    visitor: Visiting, database: GivenDatabase, show: Annotated[Literal["all", "gaps"], Query()] = "all"
) -> Response:
    """Show the posts with who holds them, who stands in, and when nobody does."""

    def read(uow: UnitOfWork) -> Overview:
        return posts_overview.get_overview(uow, only_gaps=show == "gaps")

    return visitor.page("staffing/posts.html", overview=await database.read(visitor.actor, read), wanted=show)
