"""Reading the footage of an urgent retrieval before its approval: looks and ranges, and no download (R41, R52, T9)."""

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse

from services.database.unit_of_work import Actor, Database
from services.domain.custody import emergency, playlist
from services.domain.custody.api import footage
from services.domain.custody.api.footage import (
    PARTIAL,
    ContentRequest,
    Vault,
    ViewingAnswer,
    ViewingBody,
    address,
    send,
    send_playlist,
)
from services.web.dependencies import GivenDatabase
from services.web.errors import problems, problems_beside
from services.web.identity import Acting, Lasting
from services.web.schemas import Identifier

router = APIRouter(prefix="/api/emergency-copies", tags=["footage"])

T = TypeVar("T")


@router.post("/{copy_id}/viewings", status_code=201, responses=problems(401, 403, 404))
async def open_viewing(
    copy_id: Identifier, body: ViewingBody, request: Request, actor: Acting, database: GivenDatabase
) -> ViewingAnswer:
    """Begin a look at footage that an urgent retrieval lets me see now."""
    opened = await run_allowed(
        database,
        actor,
        copy_id,
        lambda: database.run(
            actor,
            emergency.open_viewing,
            copy_id,
            purpose_confirmed=body.purpose_confirmed,
            address=address(request),
        ),
    )
    return ViewingAnswer.of(emergency.SUBJECT, opened)


@router.get(
    "/{copy_id}/content",
    responses={**problems_beside(401, 403, 404), **PARTIAL},
    response_class=StreamingResponse,
)
async def read_content(
    copy_id: Identifier,
    asked: Annotated[ContentRequest, Depends()],
    lasting: Lasting,
    database: GivenDatabase,
    vault: Annotated[Vault, Depends()],
) -> Response:
    """Return the footage, or a range of it; before each stretch grant and session are checked, and the read counted."""
    actor = lasting.actor

    async def check(offset: int, length: int) -> object:
        return await lasting.run(database, emergency.record_read, copy_id, asked.viewing, offset, length)

    opened, _ = await run_allowed(
        database, actor, copy_id, lambda: database.read(actor, emergency.require_open, copy_id, asked.viewing)
    )
    return await send(vault, copy_id, opened.sealed, asked, check)


@router.get(
    "/{copy_id}/playlist.m3u8",
    responses={200: {"content": {playlist.MEDIA_TYPE: {}}}, **problems_beside(401, 403, 404)},
    response_class=Response,
)
async def read_playlist(
    copy_id: Identifier, viewing: Annotated[Identifier, Query()], actor: Acting, database: GivenDatabase
) -> Response:
    """Return the playlist: where each fragment lies in ``content``, so that a player reads only what it shows."""
    opened, _ = await run_allowed(
        database, actor, copy_id, lambda: database.read(actor, emergency.require_open, copy_id, viewing)
    )
    return await send_playlist(opened.sealed, viewing)


async def run_allowed(database: Database, actor: Actor, copy_id: str, act: Callable[[], Awaitable[T]]) -> T:
    """Return the answer of ``act``; a refusal is recorded before it is raised (R41)."""
    return await footage.run_allowed(database, actor, copy_id, "view", act, kind=emergency.SUBJECT)
