"""The chat app that writes to single persons, on a page for administrators."""

from fastapi import APIRouter
from fastapi.responses import Response

from services.database.unit_of_work import Database
from services.domain.notifications import chat_apps
from services.domain.notifications.api.chat_app import ChatAppBody, new_of
from services.domain.notifications.pages.robots import SERVICES
from services.runtime.errors import Refused
from services.runtime.translations import Message
from services.web.dependencies import GivenDatabase, GivenSettings
from services.web.forms import Typed, TypedForm
from services.web.visitor import Visiting, Visitor

PATH = "/admin/notices/app"
router = APIRouter(prefix=PATH)


@router.get("")
async def show(visitor: Visiting, database: GivenDatabase) -> Response:
    """Show the app in use, and the form that sets one."""
    return await _page(visitor, database)


@router.post("")
async def set_app(visitor: Visiting, typed: Typed, database: GivenDatabase, settings: GivenSettings) -> Response:
    """Set the app."""
    try:
        new = new_of(typed.body(ChatAppBody), settings.allowed_networks)
        await database.run(visitor.actor, chat_apps.set_app, new)
    except Refused as refusal:
        return await _page(visitor, database, refusal=refusal, typed=typed)
    return visitor.redirect(PATH, Message("The chat app was set: send a test to yourself."))


@router.post("/test")
async def send_test(visitor: Visiting, database: GivenDatabase) -> Response:
    """Send a test to oneself by the app."""
    try:
        await database.run(visitor.actor, chat_apps.send_test)
    except Refused as refusal:
        return await _page(visitor, database, refusal=refusal)
    return visitor.redirect(
        "/admin/notices?state=delivered",
        Message("The test notice is being sent: it is listed here when delivered, otherwise under “Not delivered”."),
    )


@router.post("/end")
async def end(visitor: Visiting, database: GivenDatabase) -> Response:
    """End the app."""
    try:
        await database.run(visitor.actor, chat_apps.end)
    except Refused as refusal:
        return await _page(visitor, database, refusal=refusal)
    return visitor.redirect(PATH, Message("The chat app was ended: notices are mailed again."))


async def _page(
    visitor: Visitor, database: Database, *, refusal: Refused | None = None, typed: TypedForm | None = None
) -> Response:
    now = await database.read(visitor.actor, chat_apps.get_view)  # refuses whoever may not see the form either
    status = refusal.status if refusal is not None else 200
    return visitor.page(
        "notifications/chat_app.html",
        status,
        now=now,
        services=SERVICES,
        addresses=chat_apps.ADDRESSES,
        refusal=refusal,
        typed=typed,
    )
