"""Watching redacted copies: viewings, ranges, and what the player has played of them (R6, R41, R52, R58)."""

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import Field

from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.custody import derivative_queries, derivative_viewings, grants, playlist
from services.domain.custody.api.footage import (
    PARTIAL,
    ContentRequest,
    Vault,
    ViewingBody,
    address,
    content_of,
    playlist_of,
    send,
    send_playlist,
)
from services.domain.custody.schemas import DerivativeView, DerivativeViewingAnswer, WatchedAnswer
from services.runtime.errors import NotFound, Refused
from services.vault.redaction.recipe import LONGEST_MS
from services.web.dependencies import GivenDatabase
from services.web.errors import problems, problems_beside
from services.web.identity import Acting, Lasting
from services.web.schemas import Body, Identifier

router = APIRouter(prefix="/api/derivatives", tags=["footage"])

T = TypeVar("T")
LONGEST_STRETCH = 60_000  # milliseconds of one report


class PlayedBody(Body):
    """What the player has played, in milliseconds after the first picture."""

    start_ms: Annotated[int, Field(ge=0, le=LONGEST_MS)]
    length_ms: Annotated[int, Field(ge=1, le=LONGEST_STRETCH)]


@router.get("/{derivative_id}", responses=problems(401, 404))
async def read_derivative(derivative_id: Identifier, actor: Acting, database: GivenDatabase) -> DerivativeView:
    """Return a redacted copy: how far its making has come, and what you have not watched of it."""
    return await database.read(actor, derivative_queries.get, derivative_id)


@router.post("/{derivative_id}/viewings", status_code=201, responses=problems(401, 403, 404))
async def open_viewing(
    derivative_id: Identifier, body: ViewingBody, request: Request, actor: Acting, database: GivenDatabase
) -> DerivativeViewingAnswer:
    """Begin to watch a redacted copy."""
    opened = await run_allowed(
        database,
        actor,
        derivative_id,
        lambda: database.run(
            actor,
            derivative_viewings.open_viewing,
            derivative_id,
            purpose_confirmed=body.purpose_confirmed,
            address=address(request),
        ),
    )
    return DerivativeViewingAnswer(
        id=opened.viewing_id,
        derivative_id=derivative_id,
        purpose=opened.derivative.purpose,
        size=opened.size,
        content=content_of("derivative", derivative_id, opened.viewing_id),
        playlist=playlist_of("derivative", derivative_id, opened.viewing_id),
    )


@router.get(
    "/{derivative_id}/content",
    responses={**problems_beside(401, 403, 404), **PARTIAL},
    response_class=StreamingResponse,
)
async def read_content(
    derivative_id: Identifier,
    asked: Annotated[ContentRequest, Depends()],
    request: Request,
    lasting: Lasting,
    database: GivenDatabase,
    *,
    vault: Annotated[Vault, Depends()],
) -> Response:
    """Return the redacted footage, or a range of its bytes. Each stretch is checked and counted before it is sent."""
    actor = lasting.actor
    opened = await run_allowed(
        database,
        actor,
        derivative_id,
        lambda: database.read(actor, derivative_viewings.check, derivative_id, address=address(request)),
    )

    async def check(offset: int, length: int) -> object:
        return await lasting.run(
            database,
            derivative_viewings.record_read,
            derivative_id,
            asked.viewing,
            offset,
            length,
            address=address(request),
        )

    await database.read(actor, derivative_viewings.get_mine, derivative_id, asked.viewing)
    return await send(vault, opened.key_id, opened.sealed, asked, check)


@router.get(
    "/{derivative_id}/playlist.m3u8",
    responses={200: {"content": {playlist.MEDIA_TYPE: {}}}, **problems_beside(401, 403, 404)},
    response_class=Response,
)
async def read_playlist(
    derivative_id: Identifier,
    viewing: Annotated[Identifier, Query()],
    request: Request,
    actor: Acting,
    database: GivenDatabase,
) -> Response:
    """Return the playlist: where each fragment lies in ``content``."""
    opened = await run_allowed(
        database,
        actor,
        derivative_id,
        lambda: database.read(actor, derivative_viewings.check, derivative_id, address=address(request)),
    )
    await database.read(actor, derivative_viewings.get_mine, derivative_id, viewing)
    return await send_playlist(opened.sealed, viewing)


@router.post("/{derivative_id}/viewings/{viewing_id}/played", responses=problems(401, 403, 404, 409, 422))
async def record_played(
    derivative_id: Identifier,
    viewing_id: Identifier,
    body: PlayedBody,
    request: Request,
    actor: Acting,
    *,
    database: GivenDatabase,
) -> WatchedAnswer:
    """Say what was played: it counts as watched as far as its pictures were read, at double speed at most."""

    def act(uow: UnitOfWork) -> WatchedAnswer:
        end_ms = body.start_ms + body.length_ms
        derivative_viewings.record_played(
            uow, derivative_id, viewing_id, body.start_ms, end_ms, address=address(request)
        )
        return derivative_queries.get_watched(uow, derivative_id)

    return await run_allowed(database, actor, derivative_id, lambda: database.run(actor, act))


async def run_allowed(database: Database, actor: Actor, derivative_id: str, act: Callable[[], Awaitable[T]]) -> T:
    """Return the answer of ``act``; a refusal is recorded before it is raised (R41)."""
    try:
        return await act()
    except NotFound:
        raise
    except Refused as error:
        await record_denial(database, actor, derivative_id, error)
        raise


async def record_denial(database: Database, actor: Actor, derivative_id: str, refusal: Refused) -> None:
    """Record that the redacted copy did not open, where that was denied to the actor."""
    if refusal.status == 403:
        await database.run(actor, grants.record_denial, "derivative", derivative_id, "view", refusal.code)
