"""The page on which Security hands out what was allowed: fetch the files, print the list, record the receipt."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from services.database.unit_of_work import Database, UnitOfWork
from services.domain.attachments.schemas import AttachmentView
from services.domain.custody.api.footage import Vault, address
from services.domain.disclosures import queries, service
from services.domain.disclosures.api import list_file
from services.domain.disclosures.schemas import DisclosureView
from services.runtime.errors import Refused
from services.runtime.translations import Message
from services.web.dependencies import GivenDatabase
from services.web.forms import Typed, TypedForm
from services.web.schemas import Identifier
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/disclosures")


@router.get("/{matter_id}")
async def show(matter_id: Identifier, visitor: Visiting, database: GivenDatabase) -> Response:
    """Show what was allowed, to whom, what was fetched, and who has signed."""
    return await _page(visitor, database, matter_id)


@router.post("/{matter_id}/files/{copy_id}")
async def fetch(
    matter_id: Identifier,
    copy_id: Identifier,
    request: Request,
    *,
    visitor: Visiting,
    typed: Typed,
    database: GivenDatabase,
    vault: Annotated[Vault, Depends()],
) -> Response:
    """List a file to hand it out, and show its password once."""
    del typed  # the form has its token alone
    try:
        row, password = await list_file(database, vault, visitor.actor, matter_id, copy_id, caller=address(request))
    except Refused as refusal:
        return await _refused(visitor, database, matter_id, refusal)
    fetched = {"id": row.id, "copy_id": copy_id, "opens_with": row.opens_with, "password": password}
    return await _page(visitor, database, matter_id, fetched=fetched)


@router.post("/{matter_id}/receipt")
async def record_receipt(matter_id: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Record who has signed the printed list."""

    def act(uow: UnitOfWork) -> None:
        service.record_receipt(
            uow,
            matter_id,
            outsider_ids=[one for one in typed.all("outsiderIds") if one],
            attachment_id=typed.text("attachmentId") or None,
            note=typed.text("note")[:500],
        )

    try:
        await database.run(visitor.actor, act)
    except Refused as refusal:
        return await _refused(visitor, database, matter_id, refusal, typed)
    return visitor.redirect(f"/disclosures/{matter_id}", Message("The receipt was recorded."))


async def _refused(
    visitor: Visitor, database: Database, matter_id: str, refusal: Refused, typed: TypedForm | None = None
) -> Response:
    if refusal.status == 404:
        raise refusal
    return await _page(visitor, database, matter_id, refusal=refusal, typed=typed)


async def _page(
    visitor: Visitor,
    database: Database,
    matter_id: str,
    *,
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
    fetched: dict[str, Any] | None = None,
) -> Response:
    def read(uow: UnitOfWork) -> tuple[DisclosureView, list[AttachmentView]]:
        view = queries.get(uow, matter_id)
        return view, queries.list_receipts(uow, view.application_id)

    view, receipts = await database.read(visitor.actor, read)
    return visitor.page(
        "disclosures/disclosure.html",
        refusal.status if refusal else 200,
        view=view,
        receipts=receipts,
        fetched=fetched,
        refusal=refusal,
        typed=typed,
    )
