"""The page on which attachments are added and removed, the one of identity cards, and what opens them."""

from collections.abc import Mapping

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import ValidationError

from services.database.unit_of_work import Database, UnitOfWork
from services.domain.access import visibility
from services.domain.attachments import content, queries, service
from services.domain.attachments.api import GivenReceiver
from services.domain.attachments.receiver import Receiver
from services.domain.attachments.schemas import (
    IDENTITY_CARD,
    KINDS,
    LARGEST,
    AttachmentList,
    AttachmentView,
    Description,
)
from services.domain.attachments.subjects import SubjectKind
from services.runtime.errors import Refused
from services.runtime.translations import Message
from services.web import upload_body
from services.web.dependencies import GivenDatabase, GivenStore
from services.web.schemas import Identifier
from services.web.uploader import Uploader, Uploading
from services.web.visitor import Visiting, Visitor, flash

router = APIRouter()


@router.get("/applications/{application_id}/attachments")
async def show(application_id: str, visitor: Visiting, database: GivenDatabase) -> Response:
    """Show the attachments of an application, and where they are added."""

    def read(uow: UnitOfWork) -> tuple[AttachmentList, bool, str | None]:
        application = visibility.get_visible(uow, application_id)
        edits = service.is_edited(uow, "application", application_id)
        return queries.get_list(uow, "application", application_id), edits, application.number

    attached, edits, number = await database.read(visitor.actor, read)
    back = f"/applications/{application_id}/edit" if edits else f"/cases/{application_id}#attachments"
    return visitor.page(
        "attachments/attachments.html",
        application_id=application_id,
        attached=attached,
        edits=edits,
        number=number,
        back=back,
        attachment_kinds=KINDS,
        largest=LARGEST,
    )


@router.get("/matters/{matter_id}/attachments")
async def show_of_matter(matter_id: Identifier, visitor: Visiting, database: GivenDatabase) -> Response:
    """Show the attachments of a matter, and where they are added."""
    return await _page_of(visitor, database, "matter", matter_id, back=f"/matters/{matter_id}")


@router.post("/matters/{matter_id}/attachments")
async def add_to_matter(
    matter_id: Identifier, request: Request, *, uploader: Uploading, receiver: GivenReceiver
) -> Response:
    """Add the file of a plain form to a matter, as to an application."""
    return await _receive(request, uploader, receiver, "matter", matter_id)


@router.get("/work-orders/{work_order_id}/attachments")
async def show_of_work_order(work_order_id: Identifier, visitor: Visiting, database: GivenDatabase) -> Response:
    """Show the attachments of a work order, and where they are added."""
    return await _page_of(visitor, database, "work-order", work_order_id, back=f"/work-orders/{work_order_id}")


@router.post("/work-orders/{work_order_id}/attachments")
async def add_to_work_order(
    work_order_id: Identifier, request: Request, *, uploader: Uploading, receiver: GivenReceiver
) -> Response:
    """Add the file of a plain form to a work order, as to an application."""
    return await _receive(request, uploader, receiver, "work-order", work_order_id)


@router.get("/supervision-groups/{group_id}/attachments")
async def show_of_group(group_id: Identifier, visitor: Visiting, database: GivenDatabase) -> Response:
    """Show the attachments of a supervision group, and where they are added."""
    return await _page_of(visitor, database, "supervision-group", group_id, back="/supervision/group")


@router.post("/supervision-groups/{group_id}/attachments")
async def add_to_group(
    group_id: Identifier, request: Request, *, uploader: Uploading, receiver: GivenReceiver
) -> Response:
    """Add the file of a plain form to a supervision group, as to an application."""
    return await _receive(request, uploader, receiver, "supervision-group", group_id)


@router.post("/applications/{application_id}/attachments")
async def add(
    application_id: Identifier, request: Request, *, uploader: Uploading, receiver: GivenReceiver
) -> Response:
    """Add the file of a plain form, for browsers without scripts: its token is checked before the file is read."""
    return await _receive(request, uploader, receiver, "application", application_id)


async def _page_of(visitor: Visitor, database: Database, kind: SubjectKind, subject_id: str, *, back: str) -> Response:
    """Show the attachments of what is no application: bound at once, and never copies of identity cards."""
    return visitor.page(
        "attachments/attachments.html",
        attach_to=f"/{kind}s/{subject_id}",
        attached=await database.read(visitor.actor, queries.get_list, kind, subject_id),
        edits=False,
        number=None,
        back=back,
        attachment_kinds={code: name for code, name in KINDS.items() if code != IDENTITY_CARD},
        largest=LARGEST,
    )


async def _receive(
    request: Request, uploader: Uploader, receiver: Receiver, kind: SubjectKind, subject_id: str
) -> Response:
    answer = RedirectResponse(f"/{kind}s/{subject_id}/attachments", 303)
    fields: dict[str, str] = {}

    def check(given: Mapping[str, str]) -> None:
        uploader.check(given)
        fields.update(given)

    try:
        await receiver.receive(
            uploader.actor,
            kind,
            subject_id,
            chunks=upload_body.file_of(request, largest=LARGEST, announced=None, check=check),
            described=lambda: _described(fields),
        )
    except Refused as refusal:
        if refusal.status in (403, 404):
            raise
        flash(answer, refusal.message, "refused")
    else:
        flash(answer, Message("The file was added."))
    return answer


@router.get("/applications/{application_id}/identity-cards")
async def show_identity_cards(application_id: str, visitor: Visiting, database: GivenDatabase) -> Response:
    """Show the copies of identity cards to who may open them; it is on record."""

    def read(uow: UnitOfWork) -> tuple[list[AttachmentView], bool]:
        cards = queries.get_identity_cards(uow, "application", application_id)
        return cards, service.is_edited(uow, "application", application_id)

    cards, edits = await database.read(visitor.actor, read)
    back = f"/applications/{application_id}/attachments" if edits else f"/cases/{application_id}#attachments"
    return visitor.page("attachments/identity_cards.html", cards=cards, back=back)


@router.get("/attachments/{attachment_id}")
async def read_content(
    attachment_id: Identifier, visitor: Visiting, database: GivenDatabase, store: GivenStore
) -> Response:
    """Open an attachment."""
    return await content.answer(visitor.actor, database, store, attachment_id)


@router.post("/attachments/{attachment_id}/remove")
async def remove(attachment_id: Identifier, visitor: Visiting, database: GivenDatabase) -> Response:
    """Remove an attachment of a draft or a correction that was not submitted yet."""
    row = await database.run(visitor.actor, service.remove, attachment_id)
    return visitor.redirect(f"/applications/{row.application_id}/attachments", Message("The file was removed."))


def _described(fields: Mapping[str, str]) -> Description:
    """Return what the form says of its file; Refused where no kind was chosen or the note is too long."""
    try:
        return Description.model_validate(
            {
                "kind": fields.get("kind", ""),
                "name": fields.get(upload_body.FILE_NAME, ""),
                "note": fields.get("note", ""),
            }
        )
    except ValidationError as error:
        raise Refused(
            "attachment-described",
            "Not saved: choose what the file is, and write a note of at most 500 characters.",
            status=422,
            field="kind",
        ) from error
