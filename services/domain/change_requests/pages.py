"""Serve the page of the requests that need a second person."""

from collections.abc import Callable

from fastapi import APIRouter
from fastapi.responses import Response

from services.database.unit_of_work import Database, UnitOfWork
from services.domain.agreements import requested_acts
from services.domain.change_requests import holds, queries, service
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message, Text
from services.web.dependencies import GivenDatabase
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/requests")

ACTS: dict[str, tuple[Callable[[UnitOfWork, str], object], Text]] = {
    "confirm": (service.confirm, Message("It is confirmed: whoever asked for it can carry it out.")),
    "object": (service.object_to, Message("It will not be done.")),
    "release": (holds.release, Message("It is confirmed: the person signs again.")),
}


@router.get("")
async def list_requests(visitor: Visiting, database: GivenDatabase) -> Response:
    """Show the open requests."""
    return await _page(visitor, database)


@router.post("/{change_id}/{act}")
async def act_on_request(change_id: str, act: str, visitor: Visiting, database: GivenDatabase) -> Response:
    """Confirm a request, object to it or carry it out; let a held person sign again."""
    try:
        if act == "carry-out":
            initial = await requested_acts.carry_out(database, visitor.actor, change_id)
            if initial is None:
                return visitor.redirect("/requests", Message("It is done."))
            headers = {"Cache-Control": "no-store"}
            return visitor.page("accounts/first_password.html", headers=headers, initial=initial, new=False)
        if act not in ACTS:
            raise NotFound(Message("act"), act)
        change, message = ACTS[act]
        await database.run(visitor.actor, change, change_id)
    except Refused as refusal:
        if refusal.status == 404:
            raise
        return await _page(visitor, database, refusal)
    return visitor.redirect("/requests", message)


async def _page(visitor: Visitor, database: Database, refusal: Refused | None = None) -> Response:
    view = await database.run(visitor.actor, queries.list_open)
    status = refusal.status if refusal else 200
    return visitor.page("change_requests/requests.html", status=status, view=view, refusal=refusal)
