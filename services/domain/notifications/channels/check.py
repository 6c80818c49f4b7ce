"""Check the notification channels for the doctor."""

from collections.abc import Awaitable, Callable

from services.domain.notifications.channels.errors import ERRORS, Undelivered
from services.domain.notifications.channels.mail import Mailer
from services.domain.notifications.channels.webhook import Webhook
from services.runtime.errors import Fatal
from services.runtime.settings import Settings, variable
from services.runtime.translations import Message, Text


async def check_mail(settings: Settings) -> Text:
    """Connect to the mail server without sending; return one sentence. Raises Fatal."""
    mail = settings.notices.mail
    if mail.host is None:
        return Message(
            "not set; notices stay in the portal. {variable} makes it mail them", variable=variable("notices.mail.host")
        )
    await _check(Mailer(settings).check)
    _public(settings)
    values = {"address": f"{mail.host}:{mail.port}", "sender": mail.sender}
    if mail.security == "none":
        return Message("{address} answers, in the clear; mails come from {sender}", **values)
    return Message("{address} answers, by {security}; mails come from {sender}", security=mail.security, **values)


async def check_webhook(settings: Settings) -> Text:
    """Reach the webhook's address without sending; return one sentence. Raises Fatal."""
    if settings.notices.webhook.url is None:
        return Message(
            "not set; {variable} makes every notice go to an address of yours",
            variable=variable("notices.webhook.url"),
        )
    await _check(Webhook(settings).check)
    _public(settings)
    if settings.notices.webhook.url.startswith("https:"):
        return Message("the address answers")
    return Message("the address answers, in the clear")


async def _check(act: Callable[[], Awaitable[None]]) -> None:
    try:
        await act()
    except Undelivered as error:
        sentence = ERRORS[error.code]
        if not error.detail:
            raise Fatal(sentence) from error
        raise Fatal(Message("{sentence} ({detail})", sentence=sentence, detail=error.detail)) from error


def _public(settings: Settings) -> None:
    if settings.portal.public_url is None:
        raise Fatal(
            Message(
                "links in notices lead to {address}: set {variable} to what people type",
                address=settings.portal.url,
                variable=variable("portal.public_url"),
            )
        )
