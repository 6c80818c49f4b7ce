"""Notices of the signed-in person: a code and a case, never footage or names."""

from typing import Annotated

from fastapi import APIRouter, Query

from services.portal.api.dependencies import Books
from services.portal.api.errors import problems
from services.portal.api.session import Acting
from services.portal.api.shapes import LAST_OFFSET, Answer, Moment
from services.register import notices

router = APIRouter(prefix="/api/notices", tags=["notices"])


class NoticeAnswer(Answer):
    id: str
    code: str
    application_id: str | None
    subject_id: str | None
    created_at: Moment
    read_at: Moment | None


@router.get("", responses=problems(401))
async def list_notices(
    actor: Acting,
    books: Books,
    unread: bool = False,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    offset: Annotated[int, Query(ge=0, le=LAST_OFFSET)] = 0,
) -> list[NoticeAnswer]:
    """My notices, the newest first."""
    rows = await books.run(actor, notices.mine, unread_only=unread, limit=limit, offset=offset)
    return [NoticeAnswer.model_validate(row) for row in rows]


@router.post("/{notice_id}/read", responses=problems(401, 403, 404))
async def mark_read(notice_id: str, actor: Acting, books: Books) -> NoticeAnswer:
    """Mark a notice as read."""
    return NoticeAnswer.model_validate(await books.run(actor, notices.read, notice_id))
