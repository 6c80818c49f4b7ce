"""The pages on which it is said on whose behalf an application asks, and the one with the numbers of the cards."""

from dataclasses import replace
from datetime import date

from fastapi import APIRouter
from fastapi.responses import Response

from services.database.tables.outsiders import Outsider
from services.database.unit_of_work import Database, UnitOfWork
from services.domain.access import visibility
from services.domain.applications import on_behalf, outsiders
from services.domain.applications.api.on_behalf import OnBehalfAnswer, view_of
from services.domain.applications.on_behalf import Letter, Named
from services.domain.applications.pages.typed_form import require_text
from services.runtime.errors import Refused
from services.runtime.translations import Message
from services.web.dependencies import GivenDatabase
from services.web.forms import Typed, TypedForm
from services.web.schemas import Identifier
from services.web.visitor import Visiting, Visitor

router = APIRouter()

TEXTS = ("letterTitle", "letterNumber", "letterDate")
OF_PERSON = ("name", "unit", "cardKind", "cardNumber", "contact")


@router.get("/applications/{application_id}/on-behalf")
async def show(application_id: Identifier, visitor: Visiting, database: GivenDatabase) -> Response:
    """Show on whose behalf the application asks, and the forms that change it."""
    return await _page(visitor, database, application_id)


@router.post("/applications/{application_id}/on-behalf")
async def set_kind(application_id: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Say on whose behalf it is asked, with the letter."""
    try:
        for name in TEXTS:
            require_text(name, typed.text(name))
        first = typed.text("letterFirst") or None
        letter = replace(_letter(typed), first=first if typed.text("kind") == outsiders.AUTHORITY else None)
        await database.run(visitor.actor, on_behalf.set_kind, application_id, typed.text("kind") or None, letter)
    except Refused as refusal:
        return await _refused(visitor, database, application_id, refusal, typed)
    return visitor.redirect(f"/applications/{application_id}/on-behalf", Message("Saved."))


@router.post("/applications/{application_id}/original-letter")
async def enter_original(
    application_id: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase
) -> Response:
    """Enter the original letter of an authority that has asked by telephone or fax."""
    try:
        for name in TEXTS:
            require_text(name, typed.text(name))
        await database.run(visitor.actor, on_behalf.enter_original, application_id, _letter(typed))
    except Refused as refusal:
        return await _refused(visitor, database, application_id, refusal, typed)
    return visitor.redirect(f"/cases/{application_id}", Message("The original letter was entered."))


@router.post("/applications/{application_id}/outsiders")
async def add(application_id: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Add a person."""
    try:
        for name in OF_PERSON:
            require_text(name, typed.text(name))
        named = Named(*(typed.text(name)[:200] for name in OF_PERSON))
        await database.run(visitor.actor, on_behalf.add, application_id, named)
    except Refused as refusal:
        return await _refused(visitor, database, application_id, refusal, typed)
    return visitor.redirect(f"/applications/{application_id}/on-behalf", Message("The person was added."))


@router.post("/outsiders/{outsider_id}/remove")
async def remove(outsider_id: Identifier, visitor: Visiting, database: GivenDatabase) -> Response:
    """Remove a person."""
    application_id = await database.run(visitor.actor, on_behalf.remove, outsider_id)
    return visitor.redirect(f"/applications/{application_id}/on-behalf", Message("The person was removed."))


@router.get("/applications/{application_id}/card-numbers")
async def show_card_numbers(application_id: Identifier, visitor: Visiting, database: GivenDatabase) -> Response:
    """Show the whole numbers of the cards to who handles the case; it is on record."""

    def read(uow: UnitOfWork) -> tuple[list[tuple[Outsider, str | None]], str | None]:
        application = visibility.get_visible(uow, application_id)
        return on_behalf.card_numbers(uow, application_id), application.number

    cards, number = await database.read(visitor.actor, read)
    return visitor.page("applications/card_numbers.html", cards=cards, number=number, application_id=application_id)


async def _refused(
    visitor: Visitor, database: Database, application_id: str, refusal: Refused, typed: TypedForm
) -> Response:
    if refusal.status in (403, 404):
        raise refusal
    return await _page(visitor, database, application_id, refusal, typed)


async def _page(
    visitor: Visitor,
    database: Database,
    application_id: str,
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
) -> Response:
    def read(uow: UnitOfWork) -> tuple[OnBehalfAnswer, str | None]:
        return view_of(uow, application_id), visibility.get_visible(uow, application_id).number

    view, number = await database.read(visitor.actor, read)
    return visitor.page(
        "applications/on_behalf.html",
        refusal.status if refusal else 200,
        application_id=application_id,
        number=number,
        view=view,
        kinds=outsiders.KINDS,
        cards=outsiders.CARDS,
        firsts=outsiders.FIRST,
        refusal=refusal,
        typed=typed,
    )


def _letter(typed: TypedForm) -> Letter:
    return Letter(
        typed.text("letterTitle"),
        typed.text("letterNumber"),
        _date(typed.text("letterDate")),
        typed.text("letterSealChecked") == "true",
    )


def _date(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Refused("missing", "Enter the date as year, month and day.", status=422, field="letterDate") from None
