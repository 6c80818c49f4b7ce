"""Reading footage under a grant: viewings and ranges. No store address ever leaves (R52, R55, F18, F20)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from services.database.unit_of_work import Actor, Database
from services.domain.custody import footage_reader, grants, playlist, viewings
from services.domain.custody.grants import Action, CopyKind
from services.domain.custody.viewings import OpenedViewing
from services.runtime.errors import NotFound, Refused
from services.runtime.threads import run_in_thread
from services.vault.coverage import Coverage, fragments_from_json
from services.web import ranges
from services.web.dependencies import GivenDatabase, GivenLoanKeys, GivenStore
from services.web.errors import problems, problems_beside
from services.web.identity import Acting, Lasting
from services.web.schemas import Answer, Body, Identifier

router = APIRouter(prefix="/api", tags=["footage"])

T = TypeVar("T")
# Nothing between us and the reader may cache it.
PRIVATE = {"Cache-Control": "no-store, private", "X-Content-Type-Options": "nosniff"}
FOOTAGE = "video/mp4"
PATHS: dict[CopyKind, str] = {
    "copy": "/api/copies",
    "emergency-copy": "/api/emergency-copies",
    "derivative": "/api/derivatives",
}
PARTIAL: dict[int | str, dict[str, Any]] = {
    206: {"description": "The range that was asked for", "content": {FOOTAGE: {}}},
    416: {"description": "The range lies outside the footage; Content-Range says how long it is"},
}


class ViewingBody(Body):
    """The purpose of the application is confirmed anew for each viewing (R41)."""

    purpose_confirmed: bool


class ViewingAnswer(Answer):
    """A viewing; ``content`` is where its footage is read, ``size`` in bytes; ``playlist`` is the same for a player."""

    id: str
    copy_id: str
    purpose: str
    size: int
    content: str
    playlist: str

    @classmethod
    def of(cls, kind: CopyKind, opened: OpenedViewing) -> "ViewingAnswer":
        """Return the answer for a viewing that was opened of a copy of this kind."""
        return cls(
            id=opened.viewing_id,
            copy_id=opened.copy_id,
            purpose=opened.purpose,
            size=opened.size,
            content=content_of(kind, opened.copy_id, opened.viewing_id),
            playlist=playlist_of(kind, opened.copy_id, opened.viewing_id),
        )


def content_of(kind: CopyKind, copy_id: str, viewing_id: str) -> str:
    """Return where the footage of a viewing is read."""
    return f"{PATHS[kind]}/{copy_id}/content?viewing={viewing_id}"


def playlist_of(kind: CopyKind, copy_id: str, viewing_id: str) -> str:
    """Return where a player reads the playlist of a viewing."""
    return f"{PATHS[kind]}/{copy_id}/playlist.m3u8?viewing={viewing_id}"


async def _open_copies(request: Request) -> footage_reader.OpenCopies:
    """Return the opened copies of this application."""
    opened: footage_reader.OpenCopies = request.app.state.dependencies.setdefault(
        "open_copies", footage_reader.OpenCopies()
    )
    return opened


@dataclass(frozen=True)
class Vault:
    """Where copies lie, and the keys that open those on loan; never the vault's own key."""

    store: GivenStore
    loan_keys: GivenLoanKeys
    open_copies: Annotated[footage_reader.OpenCopies, Depends(_open_copies)]


@dataclass(frozen=True)
class ContentRequest:
    """What a read asks for: a viewing, and of its footage a range or everything."""

    viewing: Annotated[Identifier, Query()]
    bytes: Annotated[str | None, Header(alias="Range")] = None
    if_range: Annotated[str | None, Header(alias="If-Range")] = None


@router.post("/copies/{copy_id}/viewings", status_code=201, responses=problems(401, 403, 404))
async def open_viewing(
    copy_id: Identifier, body: ViewingBody, request: Request, actor: Acting, database: GivenDatabase
) -> ViewingAnswer:
    """Begin a viewing of a copy that is granted to me now."""
    opened = await run_allowed(
        database,
        actor,
        copy_id,
        "view",
        lambda: database.run(
            actor,
            viewings.open_viewing,
            copy_id,
            purpose_confirmed=body.purpose_confirmed,
            address=address(request),
        ),
    )
    return ViewingAnswer.of("copy", opened)


@router.get(
    "/copies/{copy_id}/content",
    responses={**problems_beside(401, 403, 404), **PARTIAL},
    response_class=StreamingResponse,
)
async def read_content(
    copy_id: Identifier,
    asked: Annotated[ContentRequest, Depends()],
    request: Request,
    *,
    lasting: Lasting,
    database: GivenDatabase,
    vault: Annotated[Vault, Depends()],
) -> Response:
    """Return the footage, or a range of it; before each stretch grant and session are checked, and the read counted."""
    actor, caller = lasting.actor, address(request)

    async def check(offset: int, length: int) -> object:
        return await lasting.run(database, viewings.record_read, copy_id, asked.viewing, offset, length, address=caller)

    # The first stretch is checked before the answer begins, so that a refusal is an answer and not a broken stream.
    opened, _ = await run_allowed(
        database,
        actor,
        copy_id,
        "view",
        lambda: database.read(actor, viewings.require_open, copy_id, asked.viewing, address=caller),
    )
    return await send(vault, copy_id, opened.sealed, asked, check)


async def send(
    vault: Vault, copy_id: str, sealed: dict[str, Any], asked: ContentRequest, check: footage_reader.Check
) -> Response:
    """Return the footage of a copy that may be read now, or a range of it; ``check`` runs before each stretch."""
    size: int = sealed["plainSize"]
    tag = f'"{sealed["sha256Plain"]}"'
    headers = {**PRIVATE, "Accept-Ranges": "bytes", "ETag": tag, "Content-Disposition": "inline"}
    try:
        part = ranges.parse(asked.bytes if asked.if_range in (None, tag) else None, size)
    except ranges.Unsatisfiable:
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{size}"})
    start, end = (part.start, part.end) if part else (0, size)
    reader = await vault.open_copies.open(vault.store, vault.loan_keys, copy_id, sealed)
    headers["Content-Length"] = str(end - start)
    if part is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    return StreamingResponse(
        footage_reader.read_range(reader, start, end, check), 206 if part else 200, headers=headers, media_type=FOOTAGE
    )


@router.get(
    "/copies/{copy_id}/playlist.m3u8",
    responses={200: {"content": {playlist.MEDIA_TYPE: {}}}, **problems_beside(401, 403, 404)},
    response_class=Response,
)
async def read_playlist(
    copy_id: Identifier,
    viewing: Annotated[Identifier, Query()],
    request: Request,
    actor: Acting,
    database: GivenDatabase,
) -> Response:
    """Return the playlist: where each fragment lies in ``content``, so that a player reads only what it shows."""
    caller = address(request)
    opened, _ = await run_allowed(
        database,
        actor,
        copy_id,
        "view",
        lambda: database.read(actor, viewings.require_open, copy_id, viewing, address=caller),
    )
    return await send_playlist(opened.sealed, viewing)


async def send_playlist(sealed: dict[str, Any], viewing: str) -> Response:
    """Return the playlist of a copy that may be read now."""
    coverage = Coverage.from_json(sealed["coverage"])
    fragments = fragments_from_json(sealed["fragments"])
    text = await run_in_thread(playlist.write, coverage, fragments, f"content?viewing={viewing}")
    return Response(text, headers=PRIVATE, media_type=playlist.MEDIA_TYPE)


async def run_allowed(
    database: Database,
    actor: Actor,
    copy_id: str,
    action: Action,
    act: Callable[[], Awaitable[T]],
    *,
    kind: CopyKind = "copy",
) -> T:
    """Return the answer of ``act``; a refusal is recorded before it is raised (R41)."""
    try:
        return await act()
    except NotFound:
        raise
    except Refused as error:
        await database.run(actor, grants.record_denial, kind, copy_id, action, error.code)
        raise


def address(request: Request) -> str:
    """Return the address of the caller: behind proxies what those say whom the settings trust, and no others."""
    return request.client.host if request.client else "unknown"
