"""My notices: read one by following its link, read all, filter the unread (R30)."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from services.portal.api.dependencies import Books
from services.portal.api.shapes import Identifier
from services.portal.pages.forms import Typed
from services.portal.pages.notices import deliveries
from services.portal.pages.visitor import Visiting
from services.register import notice_views, notices

router = APIRouter()
router.include_router(deliveries.router)

PAGE = 20
Page = Annotated[int, Query(ge=1, le=10_000)]


@router.get("/notices")
async def listed(visitor: Visiting, books: Books, page: Page = 1, unread: bool = False) -> Response:
    """The newest first."""
    lines = await books.run(
        visitor.actor, notice_views.mine, unread_only=unread, limit=PAGE + 1, offset=(page - 1) * PAGE
    )
    return visitor.page(
        "notices/list.html", lines=lines[:PAGE], more=len(lines) > PAGE, page_number=page, unread_only=unread
    )


@router.post("/notices/read")
async def read_all(visitor: Visiting, typed: Typed, books: Books) -> Response:
    await books.run(visitor.actor, notices.read_all)
    return visitor.go("/notices", "已全部标为已读。", "All are marked as read.")


@router.post("/notices/{notice_id}/read")
async def read(notice_id: Identifier, visitor: Visiting, typed: Typed, books: Books) -> Response:
    """Mark one as read; with ``open`` go on to the page that it leads to."""
    line = await books.run(visitor.actor, notice_views.read, notice_id)
    if typed.text("open"):
        return visitor.go(line.link)
    return visitor.go("/notices?unread=true" if typed.text("unread") else "/notices")
