"""Attachments of applications and matters: list, add, read, remove (R3, R21, R55)."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from services.database.tables.attachments import Attachment
from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork
from services.domain.attachments import content, queries, service
from services.domain.attachments.receiver import Receiver
from services.domain.attachments.schemas import LARGEST, AttachmentList, AttachmentView, Description
from services.domain.attachments.subjects import SubjectKind
from services.web import upload_body
from services.web.dependencies import GivenDatabase, GivenStore, GivenVaultRecipients
from services.web.errors import USUAL, problems, problems_beside
from services.web.identity import Acting
from services.web.schemas import Identifier

router = APIRouter(prefix="/api", tags=["attachments"])

FILE = {"schema": {"type": "string", "format": "binary"}}
MEDIA_TYPES = ("image/jpeg", "image/png", "application/pdf")
FILES = dict.fromkeys(MEDIA_TYPES, FILE)
BODY = {"requestBody": {"required": True, "content": FILES}}


async def receiver(database: GivenDatabase, store: GivenStore, recipients: GivenVaultRecipients) -> Receiver:
    return Receiver(database, store, recipients)


GivenReceiver = Annotated[Receiver, Depends(receiver)]


@dataclass(frozen=True)
class Sent:
    """A file that is sent as the whole body, described in the query."""

    described: Annotated[Description, Query()]
    request: Request
    actor: Acting
    database: GivenDatabase
    receiver: GivenReceiver

    async def add_to(self, kind: SubjectKind, subject_id: str) -> AttachmentView:
        """Add the file to an application, a matter, a work order or a supervision group."""
        row = await self.receiver.receive(
            self.actor,
            kind,
            subject_id,
            chunks=upload_body.file_of(self.request, largest=LARGEST, announced=None),
            described=lambda: self.described,
        )
        return await self.database.read(self.actor, _view_of, row)


@router.get("/applications/{application_id}/attachments", responses=problems(401, 404))
async def list_attachments(application_id: Identifier, actor: Acting, database: GivenDatabase) -> AttachmentList:
    """List the attachments of an application, without copies of identity cards."""
    return await database.read(actor, queries.get_list, "application", application_id)


@router.post(
    "/applications/{application_id}/attachments",
    status_code=201,
    responses=problems(*USUAL, 429),
    openapi_extra=BODY,
)
async def add_attachment(application_id: Identifier, sent: Annotated[Sent, Depends()]) -> AttachmentView:
    """Add a JPEG, PNG or PDF of at most 20 MiB, as the whole body. The answer has the hash of what is kept.

    An image is written anew without its metadata. While a draft or a correction is edited, the attachment becomes a
    part of the form.
    """
    return await sent.add_to("application", application_id)


@router.get("/matters/{matter_id}/attachments", responses=problems(401, 404))
async def list_attachments_of_matter(matter_id: Identifier, actor: Acting, database: GivenDatabase) -> AttachmentList:
    """List the attachments of a matter, for who may see it."""
    return await database.read(actor, queries.get_list, "matter", matter_id)


@router.post(
    "/matters/{matter_id}/attachments",
    status_code=201,
    responses=problems(*USUAL, 429),
    openapi_extra=BODY,
)
async def add_attachment_to_matter(matter_id: Identifier, sent: Annotated[Sent, Depends()]) -> AttachmentView:
    """Add a JPEG, PNG or PDF to a matter, as to an application: who has asked for it, or is accused, while it is open.

    It belongs to the matter at once, and nobody removes it. A reply to a violation names what was added before it.
    """
    return await sent.add_to("matter", matter_id)


@router.get("/work-orders/{work_order_id}/attachments", responses=problems(401, 404))
async def list_attachments_of_work_order(
    work_order_id: Identifier, actor: Acting, database: GivenDatabase
) -> AttachmentList:
    """List the attachments of a work order, for who may see it."""
    return await database.read(actor, queries.get_list, "work-order", work_order_id)


@router.post(
    "/work-orders/{work_order_id}/attachments",
    status_code=201,
    responses=problems(*USUAL, 429),
    openapi_extra=BODY,
)
async def add_attachment_to_work_order(work_order_id: Identifier, sent: Annotated[Sent, Depends()]) -> AttachmentView:
    """Add a JPEG, PNG or PDF to an open work order, as to an application: who does, verifies or opened it.

    It belongs to the work order at once, and nobody removes it. Doer and verifier sign over what is there.
    """
    return await sent.add_to("work-order", work_order_id)


@router.get("/supervision-groups/{group_id}/attachments", responses=problems(401, 404))
async def list_attachments_of_group(group_id: Identifier, actor: Acting, database: GivenDatabase) -> AttachmentList:
    """List the attachments of a supervision group: its appointment document."""
    return await database.read(actor, queries.get_list, "supervision-group", group_id)


@router.post(
    "/supervision-groups/{group_id}/attachments",
    status_code=201,
    responses=problems(*USUAL, 429),
    openapi_extra=BODY,
)
async def add_attachment_to_group(group_id: Identifier, sent: Annotated[Sent, Depends()]) -> AttachmentView:
    """Add a JPEG, PNG or PDF to a proposed supervision group, as the management: the appointment document.

    It belongs to the group at once, and nobody removes it. The confirmation is signed over what is there.
    """
    return await sent.add_to("supervision-group", group_id)


@router.get("/applications/{application_id}/identity-cards", responses=problems(401, 404))
async def list_identity_cards(
    application_id: Identifier, actor: Acting, database: GivenDatabase
) -> list[AttachmentView]:
    """List the copies of identity cards, for who decides in the case now, Security and Legal; it is on record."""
    return await database.read(actor, queries.get_identity_cards, "application", application_id)


@router.get(
    "/attachments/{attachment_id}/content",
    responses={200: {"content": FILES}, **problems_beside(401, 404, 409)},
    response_class=Response,
)
async def read_content(
    attachment_id: Identifier, actor: Acting, database: GivenDatabase, store: GivenStore
) -> Response:
    """Return an attachment; each reading is on record."""
    return await content.answer(actor, database, store, attachment_id)


@router.delete("/attachments/{attachment_id}", status_code=204, responses=problems(*USUAL))
async def remove_attachment(attachment_id: Identifier, actor: Acting, database: GivenDatabase) -> None:
    """Remove an attachment of a draft or a correction that was not submitted yet."""
    await database.run(actor, service.remove, attachment_id)


def _view_of(uow: UnitOfWork, row: Attachment) -> AttachmentView:
    name = uow.session.get_one(Person, row.added_by).name
    return AttachmentView.of(row, name, removable=row.bound_at is None)
