"""Notices of the signed-in person: a sentence, a number and a link, never footage or names."""

from typing import Annotated

from fastapi import APIRouter, Query

from services.portal.api.dependencies import Books
from services.portal.api.errors import problems
from services.portal.api.session import Acting
from services.portal.api.shapes import LAST_OFFSET, Answer, Moment
from services.register import notice_views, notices

router = APIRouter(prefix="/api/notices", tags=["notices"])


class NoticeAnswer(Answer):
    """``zh`` and ``en`` are the notice's sentence; ``link`` is the path of the page where something can be done."""

    id: str
    code: str
    application_id: str | None
    subject_id: str | None
    number: str | None
    zh: str
    en: str
    link: str
    created_at: Moment
    read_at: Moment | None


class UnreadAnswer(Answer):
    unread: int


@router.get("", responses=problems(401))
async def list_notices(
    actor: Acting,
    books: Books,
    unread: bool = False,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    offset: Annotated[int, Query(ge=0, le=LAST_OFFSET)] = 0,
) -> list[NoticeAnswer]:
    """My notices, the newest first."""
    rows = await books.run(actor, notice_views.mine, unread_only=unread, limit=limit, offset=offset)
    return [NoticeAnswer.model_validate(row) for row in rows]


@router.get("/unread", responses=problems(401))
async def count_unread(actor: Acting, books: Books) -> UnreadAnswer:
    """How many of my notices I have not read."""
    return UnreadAnswer(unread=await books.run(actor, notices.unread_count))


@router.post("/read", responses=problems(401, 403))
async def mark_all_read(actor: Acting, books: Books) -> UnreadAnswer:
    """Mark all of my notices as read."""
    await books.run(actor, notices.read_all)
    return UnreadAnswer(unread=0)


@router.post("/{notice_id}/read", responses=problems(401, 403, 404))
async def mark_read(notice_id: str, actor: Acting, books: Books) -> NoticeAnswer:
    """Mark a notice as read."""
    return NoticeAnswer.model_validate(await books.run(actor, notice_views.read, notice_id))
