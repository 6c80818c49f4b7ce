"""Serve the form by which another custodian is named, from the approval until somebody has accepted the copies."""

from fastapi import APIRouter, Response

from services.database.unit_of_work import Database, UnitOfWork
from services.domain.custody import naming
from services.domain.custody.schemas import NewCustodian
from services.runtime.errors import Refused
from services.runtime.translations import Message
from services.web.dependencies import GivenDatabase
from services.web.forms import Typed, TypedForm
from services.web.schemas import Identifier, SearchText
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/cases")


@router.get("/{application_id}/custodian")
async def new_custodian(
    application_id: Identifier, visitor: Visiting, database: GivenDatabase, person: SearchText = ""
) -> Response:
    """Show the form."""
    return await _form(visitor, database, application_id, person=person)


@router.post("/{application_id}/custodian")
async def name_custodian(
    application_id: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase
) -> Response:
    """Name the custodian; a refusal shows the form again with what was typed."""

    def act(uow: UnitOfWork, body: NewCustodian) -> None:
        naming.name(uow, application_id, body.person_id, reason=body.reason)

    try:
        await database.run(visitor.actor, act, typed.body(NewCustodian))
    except Refused as refusal:
        if refusal.status in (403, 404):
            raise
        return await _form(visitor, database, application_id, refusal=refusal, typed=typed)
    return visitor.redirect(f"/cases/{application_id}", Message("Another custodian is named."))


async def _form(
    visitor: Visitor,
    database: Database,
    application_id: str,
    *,
    person: str = "",
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
) -> Response:
    view = await database.read(visitor.actor, naming.get_form, application_id, person)
    status = refusal.status if refusal else 200
    return visitor.page("custody/naming.html", status, view=view, refusal=refusal, typed=typed, person=person)
