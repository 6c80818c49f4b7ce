"""Serve the page of the requests that need a second person."""

from collections.abc import Callable

from fastapi import APIRouter
from fastapi.responses import Response

from services.database.unit_of_work import Database, UnitOfWork
from services.domain.accounts import second_person
from services.domain.accounts.signatures import signing
from services.domain.accounts.signatures.bodies import Signing
from services.domain.accounts.signatures.given import Proof
from services.domain.change_requests import queries, service
from services.domain.change_requests.schemas import ObjectionBody, OpenRequestsAnswer
from services.domain.work_orders import requested_acts
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message, Text
from services.web.dependencies import GivenDatabase
from services.web.forms import Typed
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/requests")

SIGNED_ACTS: dict[str, tuple[Callable[[UnitOfWork, str, Proof], object], Text]] = {
    "confirm": (second_person.confirm, Message("Confirmed: the requester can carry it out.")),
    "release": (second_person.release_signatures, Message("Confirmed: the person can sign again.")),
}


@router.get("")
async def list_requests(visitor: Visiting, database: GivenDatabase) -> Response:
    """Show the open requests."""
    return await _page(visitor, database)


@router.post("/{change_id}/{act}")
async def act_on_request(
    change_id: str, act: str, visitor: Visiting, typed: Typed, database: GivenDatabase
) -> Response:
    """Confirm a request, object to it or carry it out; let a held person sign again."""
    try:
        if act == "carry-out":
            initial = await requested_acts.carry_out(database, visitor.actor, change_id)
            if initial is None:
                return visitor.redirect("/requests", Message("The change was carried out."))
            headers = {"Cache-Control": "no-store"}
            return visitor.page("accounts/first_password.html", headers=headers, initial=initial, new=False)
        if act == "object":
            body = typed.body(ObjectionBody, reason=" ".join(typed.text("reason").split()) or None)
            await database.run(visitor.actor, service.object_to, change_id, body.reason)
            return visitor.redirect("/requests", Message("The request was cancelled."))
        if act not in SIGNED_ACTS:
            raise NotFound(Message("action"), act)
        confirm, message = SIGNED_ACTS[act]
        await database.run(visitor.actor, confirm, change_id, typed.body(Signing).proof())
    except Refused as refusal:
        if refusal.status == 404:
            raise
        return await _page(visitor, database, refusal)
    return visitor.redirect("/requests", message)


async def _page(visitor: Visitor, database: Database, refusal: Refused | None = None) -> Response:
    def read(uow: UnitOfWork) -> tuple[OpenRequestsAnswer, bool]:
        return queries.list_open(uow), "totp" in signing.methods(uow, second_person.LEVEL)

    view, with_code = await database.read(visitor.actor, read)
    status = refusal.status if refusal else 200
    return visitor.page("change_requests/requests.html", status=status, view=view, with_code=with_code, refusal=refusal)
