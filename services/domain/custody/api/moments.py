"""Small pictures below the time bar, bookmarks and stills: all of it in an open viewing (R41, R47, R52, R55, R57, F20).

Each making of pictures is one confined process. How many run at once is limited, for each person to one, so that who
asks again and again takes nothing from who watches.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar

from fastapi import APIRouter, Depends, Query, Request, Response

from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.attachments import reader as attachment_reader
from services.domain.attachments.api import GivenReceiver
from services.domain.attachments.service import Stored
from services.domain.custody import footage_reader, grants, moments, stills, thumbnails
from services.domain.custody.api.footage import PRIVATE, Vault, address
from services.domain.custody.grants import CopyKind
from services.domain.custody.moments import MarkedKind
from services.domain.custody.schemas import MarkedMoment, MomentBody
from services.rendering import marks
from services.runtime.errors import NotFound, Refused
from services.runtime.threads import run_in_thread
from services.vault.age import Reader
from services.vault.frames import client as frames
from services.vault.frames.protocol import CELL
from services.web.dependencies import GivenDatabase
from services.web.errors import problems, problems_beside
from services.web.identity import Acting
from services.web.schemas import Identifier

router = APIRouter(prefix="/api", tags=["footage"])

T = TypeVar("T")
JPEG = "image/jpeg"
PICTURE = {200: {"content": {JPEG: {}}}, **problems_beside(401, 403, 404, 422, 429)}
MOST_AT_ONCE = 2  # makings of pictures in this process
MARK = (1280, 720)  # pixels of the marks over one whole picture; they grow with it


@dataclass(frozen=True)
class RowRequest:
    """A row of small pictures, of a viewing: six for a narrow screen, or twelve."""

    viewing: Annotated[Identifier, Query()]
    cells: Annotated[Literal["6", "12"], Query()] = "12"


@dataclass(frozen=True)
class Making:
    """What is needed to make pictures of a copy for somebody."""

    request: Request
    actor: Acting
    database: GivenDatabase
    vault: Annotated[Vault, Depends()]

    @property
    def address(self) -> str:
        """Where the actor is."""
        return address(self.request)

    async def row(self, kind: CopyKind, copy_id: str, asked: RowRequest) -> Response:
        """Return a row of small pictures, made now."""
        with _reserve(self.actor.id):
            row = await run_allowed(
                self.database,
                self.actor,
                kind,
                copy_id,
                lambda: self.database.run(
                    self.actor, thumbnails.record, kind, copy_id, asked.viewing, int(asked.cells), address=self.address
                ),
            )
            opened = await self.vault.open_copies.open(self.vault.store, self.vault.loan_keys, row.key_id, row.sealed)
            heads: dict[int, bytes] = {}
            pieces: list[bytes | None] = []
            for piece in row.pieces:
                if piece is None:
                    pieces.append(None)
                    continue
                if piece.part not in heads:
                    heads[piece.part] = await footage_reader.read_bytes(opened, piece.part, piece.init)
                body = await footage_reader.read_bytes(opened, piece.offset, piece.length)
                pieces.append(heads[piece.part] + body)
            width, height = CELL
            over = await run_in_thread(
                lambda: marks.draw(row.mark, width * len(pieces), height, size=height // 6, gap=1.25)
            )
            jpeg = await frames.strip(pieces, over)
        if jpeg is None:
            raise Refused("thumbnails-undecodable", "No thumbnails can be made of this footage.", status=422)
        return Response(jpeg, headers=PRIVATE, media_type=JPEG)

    async def still(self, wanted: stills.Wanted) -> frames.Still:
        """Return the picture of a still, marked; Refused where it cannot be decoded."""
        place = wanted.place
        opened = await self.vault.open_copies.open(self.vault.store, self.vault.loan_keys, wanted.key_id, wanted.sealed)
        head = await footage_reader.read_bytes(opened, place.part.offset, place.part.init)
        body = await _read_all(opened, place.fragment.offset, place.fragment.length)
        picture = await frames.still(head + body, place.inside_ms, await _marks(wanted.mark))
        if picture is None:
            raise _undecodable()
        return picture

    async def save_still(
        self, kind: MarkedKind, footage_id: str, body: MomentBody, receiver: GivenReceiver
    ) -> list[MarkedMoment]:
        """Save the picture that is shown at a moment; return the whole list."""
        actor, database, where = self.actor, self.database, self.address

        async def save() -> list[MarkedMoment]:
            wanted = await database.run(
                actor, stills.prepare, kind, footage_id, body.viewing, at_ms=body.at_ms, text=body.text, address=where
            )
            picture = await self.still(wanted)

            def enter(uow: UnitOfWork, stored: Stored) -> list[MarkedMoment]:
                stills.save(uow, wanted, picture, stored, address=where)
                uow.session.flush()
                return moments.get_list(uow, kind, footage_id, body.viewing, address=where)

            return await receiver.keep(actor, picture.jpeg, JPEG, enter)

        with _reserve(actor.id):
            return await run_allowed(database, actor, kind, footage_id, save)

    async def read_still(self, kind: MarkedKind, footage_id: str, still_id: str, viewing: str) -> Response:
        """Return the picture of a still, marked with who sees it now as well."""
        with _reserve(self.actor.id):
            opened, mark = await run_allowed(
                self.database,
                self.actor,
                kind,
                footage_id,
                lambda: self.database.run(
                    self.actor, stills.open_, kind, footage_id, still_id, viewing, address=self.address
                ),
            )
            kept = await run_in_thread(attachment_reader.read, self.vault.store, opened)
            shown = await frames.again(kept, await _marks(mark))
        if shown is None:
            raise _undecodable()
        return Response(shown, headers=PRIVATE, media_type=JPEG)


@dataclass(frozen=True)
class Marking:
    """What is needed to read and write bookmarks for somebody."""

    request: Request
    actor: Acting
    database: GivenDatabase

    async def read(self, kind: MarkedKind, footage_id: str, viewing: str) -> list[MarkedMoment]:
        """Return what was marked."""
        where = address(self.request)
        return await run_allowed(
            self.database,
            self.actor,
            kind,
            footage_id,
            lambda: self.database.read(self.actor, moments.get_list, kind, footage_id, viewing, address=where),
        )

    async def add(self, kind: MarkedKind, footage_id: str, body: MomentBody) -> list[MarkedMoment]:
        """Enter a bookmark; return the whole list."""
        where = address(self.request)

        def act(uow: UnitOfWork) -> list[MarkedMoment]:
            moments.add_bookmark(uow, kind, footage_id, body.viewing, at_ms=body.at_ms, text=body.text, address=where)
            uow.session.flush()
            return moments.get_list(uow, kind, footage_id, body.viewing, address=where)

        return await run_allowed(
            self.database, self.actor, kind, footage_id, lambda: self.database.run(self.actor, act)
        )


Maker = Annotated[Making, Depends()]
Marker = Annotated[Marking, Depends()]


@router.get("/copies/{copy_id}/thumbnails", responses=PICTURE, response_class=Response)
async def read_thumbnails(copy_id: Identifier, asked: Annotated[RowRequest, Depends()], maker: Maker) -> Response:
    """Return small pictures of a copy, evenly spread over its time, as one JPEG with the watermark.

    They are made for this viewing, and their reads are counted with those of the player. In a gap the place is blank.
    """
    return await maker.row("copy", copy_id, asked)


@router.get("/derivatives/{copy_id}/thumbnails", responses=PICTURE, response_class=Response)
async def read_thumbnails_of_derivative(
    copy_id: Identifier, asked: Annotated[RowRequest, Depends()], maker: Maker
) -> Response:
    """Return small pictures of a redacted copy, as those of a copy. They do not count as watched."""
    return await maker.row("derivative", copy_id, asked)


@router.get("/emergency-copies/{copy_id}/thumbnails", responses=PICTURE, response_class=Response)
async def read_thumbnails_of_emergency_copy(
    copy_id: Identifier, asked: Annotated[RowRequest, Depends()], maker: Maker
) -> Response:
    """Return small pictures of footage that an urgent retrieval lets me see now, as those of a copy."""
    return await maker.row("emergency-copy", copy_id, asked)


@router.get("/copies/{copy_id}/moments", responses=problems(401, 403, 404))
async def list_moments(
    copy_id: Identifier, viewing: Annotated[Identifier, Query()], marker: Marker
) -> list[MarkedMoment]:
    """List the bookmarks and stills of a copy that I am viewing, in the order of the footage."""
    return await marker.read("copy", copy_id, viewing)


@router.post("/copies/{copy_id}/bookmarks", status_code=201, responses=problems(401, 403, 404, 409))
async def add_bookmark(copy_id: Identifier, body: MomentBody, marker: Marker) -> list[MarkedMoment]:
    """Bookmark a moment with words, as an entry of the custody log; the answer is the whole list."""
    return await marker.add("copy", copy_id, body)


@router.post("/copies/{copy_id}/stills", status_code=201, responses=problems(401, 403, 404, 409, 429))
async def save_still(
    copy_id: Identifier, body: MomentBody, maker: Maker, receiver: GivenReceiver
) -> list[MarkedMoment]:
    """Save the picture that is shown at a moment, as a sealed document of the case; the answer is the whole list.

    It is decoded from the sealed copy, not sent by the browser, and carries the watermark.
    """
    return await maker.save_still("copy", copy_id, body, receiver)


@router.get("/copies/{copy_id}/stills/{still_id}/picture", responses=PICTURE, response_class=Response)
async def read_still(
    copy_id: Identifier, still_id: Identifier, viewing: Annotated[Identifier, Query()], maker: Maker
) -> Response:
    """Return the picture of a still in an open viewing of its copy, marked with who sees it now as well.

    So these bytes are not those that the document's hash is of; the evidence package has them.
    """
    return await maker.read_still("copy", copy_id, still_id, viewing)


@router.get("/derivatives/{derivative_id}/moments", responses=problems(401, 403, 404))
async def list_moments_of_derivative(
    derivative_id: Identifier, viewing: Annotated[Identifier, Query()], marker: Marker
) -> list[MarkedMoment]:
    """List the bookmarks and stills of a redacted copy that I am watching, as those of a copy."""
    return await marker.read("derivative", derivative_id, viewing)


@router.post("/derivatives/{derivative_id}/bookmarks", status_code=201, responses=problems(401, 403, 404, 409))
async def add_bookmark_to_derivative(derivative_id: Identifier, body: MomentBody, marker: Marker) -> list[MarkedMoment]:
    """Bookmark a moment of a redacted copy, in the custody log of the loan, which names the redaction."""
    return await marker.add("derivative", derivative_id, body)


@router.post("/derivatives/{derivative_id}/stills", status_code=201, responses=problems(401, 403, 404, 409, 429))
async def save_still_of_derivative(
    derivative_id: Identifier, body: MomentBody, maker: Maker, receiver: GivenReceiver
) -> list[MarkedMoment]:
    """Save the picture of a redacted copy, as a sealed document that says it is derived. It counts as nothing watched.

    It is decoded from the redacted copy, and never from what that was derived of.
    """
    return await maker.save_still("derivative", derivative_id, body, receiver)


@router.get("/derivatives/{derivative_id}/stills/{still_id}/picture", responses=PICTURE, response_class=Response)
async def read_still_of_derivative(
    derivative_id: Identifier, still_id: Identifier, viewing: Annotated[Identifier, Query()], maker: Maker
) -> Response:
    """Return the picture of a still of a redacted copy in an open viewing of that copy, as of a copy."""
    return await maker.read_still("derivative", derivative_id, still_id, viewing)


async def run_allowed(
    database: Database, actor: Actor, kind: CopyKind, copy_id: str, act: Callable[[], Awaitable[T]]
) -> T:
    """Return the answer of ``act``; that a person may not see the footage is recorded before it is raised (R41)."""
    try:
        return await act()
    except NotFound:
        raise
    except Refused as error:
        if error.status == 403:
            await database.run(actor, grants.record_denial, kind, copy_id, "view", error.code)
        raise


def _undecodable() -> Refused:
    return Refused(
        "still-undecodable",
        "The image at this moment cannot be decoded: choose a moment close by, or report a problem.",
        status=422,
    )


async def _marks(text: str) -> bytes:
    width, height = MARK
    return await run_in_thread(lambda: marks.draw(text, width, height, size=height // 30, gap=4))


async def _read_all(reader: Reader, start: int, length: int) -> bytes:
    """Read in steps, so that other reads come between them."""
    read = bytearray()
    while len(read) < length:
        piece = await footage_reader.read_bytes(
            reader, start + len(read), min(footage_reader.CHECKED_EVERY, length - len(read))
        )
        if not piece:
            break
        read += piece
    return bytes(read)


_making: Counter[str] = Counter()


@contextmanager
def _reserve(person_id: str) -> Iterator[None]:
    """Reserve the making of one picture or row; Refused where too many are under way, before anything is read."""
    if _making[person_id] or _making.total() >= MOST_AT_ONCE:
        raise Refused(
            "pictures-busy",
            "Several images are being made: try again in a few seconds.",
            status=429,
        )
    _making[person_id] += 1
    try:
        yield
    finally:
        del _making[person_id]
