"""The mail server, on a page for administrators."""

from fastapi import APIRouter
from fastapi.responses import Response

from services.database.unit_of_work import Database
from services.domain.notifications import mail_server
from services.domain.notifications.api.mail_server import (
    MailServerBody,
    MailTestAnswer,
    answer_of,
    new_of,
    send_test,
)
from services.runtime.errors import Refused
from services.runtime.settings import Settings
from services.runtime.translations import Message
from services.web.dependencies import GivenDatabase, GivenSettings
from services.web.forms import Typed, TypedForm
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/admin/notices/mail")
PATH = "/admin/notices/mail"


@router.get("")
async def show(visitor: Visiting, database: GivenDatabase, settings: GivenSettings) -> Response:
    """Show the mail server in use, and the form that sets one."""
    return await _page(visitor, database, settings)


@router.post("")
async def set_server(visitor: Visiting, typed: Typed, database: GivenDatabase, settings: GivenSettings) -> Response:
    """Set the mail server."""
    try:
        await database.run(visitor.actor, mail_server.set_server, new_of(typed.body(MailServerBody)))
    except Refused as refusal:
        return await _page(visitor, database, settings, refusal=refusal, typed=typed)
    return visitor.redirect(PATH, Message("The mail server was set: send a test."))


@router.post("/test")
async def test(visitor: Visiting, database: GivenDatabase, settings: GivenSettings) -> Response:
    """Send a test mail to oneself, and show what the server said."""
    try:
        sent = await send_test(visitor.actor, database, settings)
    except Refused as refusal:
        return await _page(visitor, database, settings, refusal=refusal)
    return await _page(visitor, database, settings, sent=sent)


@router.post("/end")
async def end(visitor: Visiting, database: GivenDatabase, settings: GivenSettings) -> Response:
    """End the mail server that was set on this page."""
    try:
        await database.run(visitor.actor, mail_server.end)
    except Refused as refusal:
        return await _page(visitor, database, settings, refusal=refusal)
    return visitor.redirect(PATH, Message("The mail server was ended: no mails are sent by it."))


async def _page(
    visitor: Visitor,
    database: Database,
    settings: Settings,
    *,
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
    sent: MailTestAnswer | None = None,
) -> Response:
    view = await database.read(visitor.actor, mail_server.get_view)  # refuses whoever may not see the form either
    return visitor.page(
        "notifications/mail_server.html",
        refusal.status if refusal is not None else 200,
        now=answer_of(settings, view),
        waiting=view if settings.notices.mail.host is not None else None,
        refusal=refusal,
        typed=typed,
        sent=sent,
    )
