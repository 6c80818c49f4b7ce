"""Receive a store's access log, event by event, under a token of its own."""

from typing import Literal

from fastapi import APIRouter, Request

from services.domain.storage import store_log_receiver
from services.domain.storage.reconciliation_schemas import StoreLogAnswer
from services.domain.storage.store_log_receiver import Receiver
from services.web.dependencies import GivenDatabase, GivenSettings
from services.web.errors import problems

router = APIRouter(prefix="/api/storage/access-log", tags=["storage"])


@router.post("/{place}", responses=problems(401, 404, 429))
async def receive_store_log(
    place: Literal["primary", "replica"], request: Request, database: GivenDatabase, settings: GivenSettings
) -> StoreLogAnswer:
    """Store events of MinIO's audit webhook; the header ``Authorization`` has the token of the place, and no session.

    The body is one event, a list of them, or one in each line. One of more than 2 MiB, and events that cannot be read
    besides others, are reported as such. The next reconciliation compares them with the register.
    """
    store_log_receiver.require_token(settings, place, request.headers.get("authorization", ""))
    prefix = (settings.store if place == "primary" else settings.replica).prefix
    receiver = _receiver(request, place)
    with receiver.admitted():
        body = await store_log_receiver.read_body(request.stream())
        received = await receiver.receive(database, prefix, body)
    return StoreLogAnswer(events=received.events, new=received.new, unread=received.unread)


def _receiver(request: Request, place: Literal["primary", "replica"]) -> Receiver:
    """Return what the calls of this place wait in, in this application."""
    receivers: dict[str, Receiver] = request.app.state.dependencies.setdefault("store_logs", {})
    return receivers.setdefault(place, Receiver(place))
