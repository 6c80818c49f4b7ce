"""Recordings that are not from cameras: announce one, send its file, read it, delete it (R8, R9).

What was received is named by an item as ``uploadId`` in the place of a camera.
"""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from services.database.tables.uploads import Upload
from services.database.unit_of_work import UnitOfWork
from services.domain.retrieval import upload_receiver, uploads
from services.domain.retrieval.upload_receiver import Receiver
from services.domain.retrieval.uploads import Facts
from services.web import upload_body
from services.web.dependencies import GivenDatabase, GivenSettings, GivenStore, GivenVaultRecipients
from services.web.errors import USUAL, problems
from services.web.identity import Acting, GivenIdentity, Token
from services.web.schemas import Answer, Body, Identifier, Line, Moment, Note, Paragraph

router = APIRouter(prefix="/api/uploads", tags=["uploads"])

Source = Literal["meeting", "training", "event", "other"]
FILE = {"schema": {"type": "string", "format": "binary"}}
FORM = {"schema": {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}}}


# Fields of the answer that are no columns.
DERIVED = {"codecs", "outcome", "start_known_by", "end", "failed_because", "content"}


class UploadBody(Body):
    """What a person says of a recording. Where the file does not say when it began, ``start`` does, with how it is
    known; ``other`` needs a description."""

    source: Source
    title: Line
    occasion: Note = ""
    place: Line
    recorded_by: Line
    description: Paragraph = ""
    zone: Line = "Asia/Shanghai"
    start: Moment | None = None
    start_known_by: Note | None = None

    def facts(self) -> Facts:
        return Facts(**{name: getattr(self, name) for name in UploadBody.model_fields})


class AnnouncementBody(UploadBody):
    """``size`` in bytes, where it is known: a file of another length is then refused."""

    size: Annotated[int, Field(ge=1, le=1 << 50)] | None = None


class UploadAnswer(Answer):
    """``state``: announced, receiving, received, failed or removed. ``sha256`` and ``size`` are of the file as it
    came; ``start`` is what is used: as stated, else as the file says. ``end`` is after its last picture."""

    id: str
    state: str
    source: str
    title: str
    occasion: str
    place: str
    recorded_by: str
    description: str
    zone: str
    sha256: str | None
    size: int | None
    duration_ms: int | None
    codecs: list[str]
    outcome: str | None
    file_start: Moment | None
    stated_start: Moment | None
    start_known_by: str
    start: Moment | None
    end: Moment | None
    application_id: str | None
    failed_because: str | None
    content: str


async def receiver(database: GivenDatabase, store: GivenStore, recipients: GivenVaultRecipients) -> Receiver:
    return Receiver(database, store, recipients)


GivenReceiver = Annotated[Receiver, Depends(receiver)]


@router.get("", responses=problems(401))
async def list_uploads(actor: Acting, database: GivenDatabase) -> list[UploadAnswer]:
    """My uploads that no submitted application names, the newest first."""
    return [to_answer(row) for row in await database.read(actor, uploads.list_unused)]


@router.post("", status_code=201, responses=problems(*USUAL))
async def announce(body: AnnouncementBody, actor: Acting, database: GivenDatabase) -> UploadAnswer:
    """Announce an upload; then send the file to ``content``."""
    return to_answer(await database.run(actor, uploads.announce, body.facts(), body.size))


@router.get("/{upload_id}", responses=problems(401, 404))
async def read_upload(upload_id: Identifier, actor: Acting, database: GivenDatabase) -> UploadAnswer:
    """Return one of my uploads."""
    return to_answer(await database.read(actor, uploads.get_own, upload_id))


@router.put("/{upload_id}", responses=problems(*USUAL))
async def update_upload(
    upload_id: Identifier, body: UploadBody, actor: Acting, database: GivenDatabase
) -> UploadAnswer:
    """Update what is stated of a recording while no submitted application names it."""

    def act(uow: UnitOfWork) -> Upload:
        return uploads.update(uow, upload_id, body.facts(), upload_receiver.upload_configuration)

    return to_answer(await database.run(actor, act))


@router.put(
    "/{upload_id}/content",
    responses=problems(*USUAL, 429),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": FILE, "video/mp4": FILE, "multipart/form-data": FORM},
        }
    },
)
async def receive_file(
    upload_id: Identifier,
    request: Request,
    *,
    actor: Acting,
    token: Token,
    accounts: GivenIdentity,
    receiver: GivenReceiver,
    settings: GivenSettings,
) -> UploadAnswer:
    """Receive the file, as the whole body or as a form's file; the answer has its hash."""
    largest = settings.portal.max_upload_mib << 20
    upload = await receiver.receive(
        actor,
        upload_id,
        lambda row: upload_body.file_of(request, largest=largest, announced=row.announced_size),
        still_allowed=lambda uow: accounts.require_not_ended(uow, token),
    )
    return to_answer(upload)


@router.delete("/{upload_id}", status_code=204, responses=problems(*USUAL))
async def delete(upload_id: Identifier, actor: Acting, database: GivenDatabase) -> None:
    """Delete one of my uploads that no submitted application names.

    The sweeper removes its file within a quarter of an hour.
    """
    await database.run(actor, uploads.remove, upload_id)


def to_answer(row: Upload) -> UploadAnswer:
    """Return the upload as its owner sees it, without its place in the vault."""
    sealed = row.sealed or {}
    return UploadAnswer(
        **{name: getattr(row, name) for name in UploadAnswer.model_fields if name not in DERIVED},
        codecs=list(row.codecs or ()),
        outcome=sealed.get("outcome"),
        start_known_by=row.known_by,
        end=sealed["coverage"]["asked"][1] if sealed and row.start is not None else None,
        failed_because=row.abandoned_because,
        content=f"/api/uploads/{row.id}/content",
    )
