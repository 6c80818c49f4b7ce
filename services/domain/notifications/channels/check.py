"""Check the notification channels for the doctor."""

from collections.abc import Awaitable, Callable

from services.domain.notifications.channels.errors import ERRORS, Undelivered
from services.domain.notifications.channels.mail import Mailer
from services.domain.notifications.channels.webhook import Webhook
from services.runtime.errors import Fatal
from services.runtime.settings import Settings, variable


async def check_mail(settings: Settings) -> str:
    """Connect to the mail server without sending; return one sentence. Raises Fatal."""
    mail = settings.notices.mail
    if mail.host is None:
        return f"not set; notices stay in the portal. {variable('notices.mail.host')} makes it mail them"
    await _check(Mailer(settings).check)
    _public(settings)
    secured = "in the clear" if mail.security == "none" else f"by {mail.security}"
    return f"{mail.host}:{mail.port} answers, {secured}; mails come from {mail.sender}"


async def check_webhook(settings: Settings) -> str:
    """Reach the webhook's address without sending; return one sentence. Raises Fatal."""
    if settings.notices.webhook.url is None:
        return f"not set; {variable('notices.webhook.url')} makes every notice go to an address of yours"
    await _check(Webhook(settings).check)
    _public(settings)
    return "the address answers" + ("" if settings.notices.webhook.url.startswith("https:") else ", in the clear")


async def _check(act: Callable[[], Awaitable[None]]) -> None:
    try:
        await act()
    except Undelivered as error:
        detail = f" ({error.detail})" if error.detail else ""
        raise Fatal(f"{ERRORS[error.code].en}{detail}") from error


def _public(settings: Settings) -> None:
    if settings.portal.public_url is None:
        raise Fatal(
            f"links in notices lead to {settings.portal.url}: set {variable('portal.public_url')} to what people type"
        )
