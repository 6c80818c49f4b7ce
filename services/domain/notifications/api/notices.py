"""Serve a person's own notices: a sentence, a link, number and title of the case; never footage or names."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from services.domain.notifications import queries, service
from services.web.dependencies import GivenDatabase
from services.web.errors import problems
from services.web.identity import Acting
from services.web.schemas import Answer, ListParameters, Moment

router = APIRouter(prefix="/api/notices", tags=["notices"])


class NoticesQuestion(ListParameters):
    """``text`` is searched in the notices' words and the applications' numbers."""

    sort: queries.Sort = "created"
    order: Literal["asc", "desc"] = "desc"
    unread: bool = False


class NoticeAnswer(Answer):
    """``zh`` and ``en`` are the notice's sentence; ``link`` the path of its page.

    ``title`` is the application's, where you may see it; it is never mailed.
    """

    id: str
    code: str
    application_id: str | None
    subject_id: str | None
    number: str | None
    title: str | None
    zh: str
    en: str
    link: str
    created_at: Moment
    read_at: Moment | None
    done_at: Moment | None = Field(description="When the work was done that it is about; without work, none.")


class UnreadAnswer(Answer):
    unread: int


@router.get("", responses=problems(401))
async def list_notices(
    question: Annotated[NoticesQuestion, Query()], actor: Acting, database: GivenDatabase
) -> list[NoticeAnswer]:
    """My notices, the newest first."""
    rows = await database.read(actor, queries.list_own, question.listing(), unread_only=question.unread)
    return [NoticeAnswer.model_validate(row) for row in rows]


@router.get("/unread", responses=problems(401))
async def count_unread(actor: Acting, database: GivenDatabase) -> UnreadAnswer:
    """How many of my notices are neither read nor done."""
    return UnreadAnswer(unread=await database.read(actor, service.count_unread))


@router.post("/read", responses=problems(401, 403))
async def mark_all_read(actor: Acting, database: GivenDatabase) -> UnreadAnswer:
    """Mark all of my notices as read."""
    await database.run(actor, service.mark_all_read)
    return UnreadAnswer(unread=0)


@router.post("/{notice_id}/read", responses=problems(401, 403, 404))
async def mark_read(notice_id: str, actor: Acting, database: GivenDatabase) -> NoticeAnswer:
    """Mark a notice as read."""
    return NoticeAnswer.model_validate(await database.run(actor, queries.mark_read, notice_id))
