"""Bringing a recording as a file, and answering for a department of a joint application (R8, R9, R17)."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from services.database.tables.uploads import Upload
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.signatures import signing as signature_signing
from services.domain.applications import joint
from services.domain.applications.api.consents import ConsentBody, RefusalBody
from services.domain.applications.pages.upload import TypedFacts, local_start, start_of
from services.domain.cases import consent_queries
from services.domain.cases.schemas.consents import ConsentView
from services.domain.retrieval import upload_receiver, uploads
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message
from services.web.dependencies import GivenDatabase, GivenSettings
from services.web.forms import Typed, TypedForm
from services.web.schemas import Identifier, Paragraph
from services.web.visitor import Visiting, Visitor


class Answered(ConsentBody):
    """A consent from the page, which has a field for a reason as well."""

    reason: Paragraph = ""


router = APIRouter()


@router.get("/uploads")
async def my_uploads(
    visitor: Visiting,
    database: GivenDatabase,
    settings: GivenSettings,
    earlier: Annotated[Identifier | None, Query(alias="from")] = None,
) -> Response:
    """My files that no submitted application names, and the form to upload another.

    ``from`` is one whose file did not come: what was said of it need not be typed again.
    """
    facts = await database.read(visitor.actor, uploads.get_own, earlier) if earlier else None
    return await _uploads_page(visitor, database, settings, facts=facts)


@router.post("/uploads")
async def announce(visitor: Visiting, database: GivenDatabase, settings: GivenSettings, typed: Typed) -> Response:
    """Announce a recording; the file follows."""
    try:
        body = typed.body(TypedFacts, **start_of(typed, visitor.zone))
        upload = await database.run(visitor.actor, uploads.announce, body.facts(), None)
    except Refused as refusal:
        return await _uploads_page(visitor, database, settings, refusal=refusal, typed=typed)
    return visitor.redirect(f"/uploads/{upload.id}")


@router.get("/uploads/{upload_id}")
async def show_upload(
    upload_id: Identifier, visitor: Visiting, database: GivenDatabase, settings: GivenSettings
) -> Response:
    """Return one of my files: to be sent, or as it was received and measured."""
    return await _upload_page(visitor, database, settings, upload_id)


@router.post("/uploads/{upload_id}")
async def update_upload(
    upload_id: Identifier, visitor: Visiting, database: GivenDatabase, settings: GivenSettings, typed: Typed
) -> Response:
    """Update what is stated of the recording."""
    try:
        body = typed.body(TypedFacts, **start_of(typed, visitor.zone))
        await database.run(
            visitor.actor,
            lambda uow: uploads.update(uow, upload_id, body.facts(), upload_receiver.upload_configuration),
        )
    except NotFound:
        raise
    except Refused as refusal:
        return await _upload_page(visitor, database, settings, upload_id, refusal=refusal, typed=typed)
    return visitor.redirect(f"/uploads/{upload_id}", Message("Saved."))


@router.post("/uploads/{upload_id}/delete")
async def delete(
    upload_id: Identifier, visitor: Visiting, database: GivenDatabase, settings: GivenSettings
) -> Response:
    """Delete a file of mine that no submitted application names."""
    try:
        await database.run(visitor.actor, uploads.remove, upload_id)
    except NotFound:
        raise
    except Refused as refusal:
        return await _upload_page(visitor, database, settings, upload_id, refusal=refusal)
    return visitor.redirect("/uploads", Message("The file was deleted."))


@router.get("/consents/{consent_id}")
async def read_consent(consent_id: Identifier, visitor: Visiting, database: GivenDatabase) -> Response:
    """Return a joint application for whoever answers for a named department."""
    return await _consent_page(visitor, database, consent_id)


@router.post("/consents/{consent_id}/consent")
async def consent(consent_id: Identifier, visitor: Visiting, database: GivenDatabase, typed: Typed) -> Response:
    """Agree that the other department is the applicant."""
    try:
        await database.run(visitor.actor, joint.consent, consent_id, typed.body(Answered).proof())
    except NotFound:
        raise
    except Refused as refusal:
        return await _consent_page(visitor, database, consent_id, refusal=refusal, typed=typed)
    return visitor.redirect("/inbox", Message("You have consented."))


@router.post("/consents/{consent_id}/refuse")
async def refuse(consent_id: Identifier, visitor: Visiting, database: GivenDatabase, typed: Typed) -> Response:
    """Do not agree; the form goes back to its drafter with the reason."""
    try:
        body = _refusal(typed)
        await database.run(visitor.actor, joint.refuse, consent_id, body.reason, body.proof())
    except NotFound:
        raise
    except Refused as refusal:
        return await _consent_page(visitor, database, consent_id, refusal=refusal, typed=typed)
    return visitor.redirect("/inbox", Message("You have refused: the application goes back to its drafter."))


def _refusal(typed: TypedForm) -> RefusalBody:
    if not typed.text("reason"):
        raise Refused("reason-missing", "Enter a reason for refusing.", status=422, field="reason")
    return typed.body(RefusalBody)


async def _consent_page(
    visitor: Visitor,
    database: GivenDatabase,
    consent_id: str,
    *,
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
) -> Response:
    def read(uow: UnitOfWork) -> tuple[ConsentView, tuple[str, ...]]:
        return consent_queries.get_consent(uow, consent_id), signature_signing.methods(uow, "password")

    view, methods = await database.read(visitor.actor, read)
    return visitor.page(
        "applications/consent.html",
        refusal.status if refusal else 200,
        view=view,
        form=view.form,
        methods=methods,
        refusal=refusal,
        typed=typed,
    )


async def _uploads_page(
    visitor: Visitor,
    database: GivenDatabase,
    settings: GivenSettings,
    *,
    facts: Upload | None = None,
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
) -> Response:
    return visitor.page(
        "applications/uploads.html",
        refusal.status if refusal else 200,
        rows=await database.read(visitor.actor, uploads.list_unused),
        facts=facts,
        start_local=local_start(facts) if facts else "",
        largest=settings.portal.max_upload_mib << 20,
        refusal=refusal,
        typed=typed,
    )


async def _upload_page(
    visitor: Visitor,
    database: GivenDatabase,
    settings: GivenSettings,
    upload_id: str,
    *,
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
) -> Response:
    upload = await database.read(visitor.actor, uploads.get_own, upload_id)
    return visitor.page(
        "applications/upload.html",
        refusal.status if refusal else 200,
        upload=upload,
        start_local=local_start(upload),
        largest=settings.portal.max_upload_mib << 20,
        refusal=refusal,
        typed=typed,
    )
