"""What is written in a notice that leaves the portal: a fixed sentence, the application's number, a link (F25)."""

import json
from email.message import EmailMessage
from email.policy import SMTP

from services.domain.notifications.channels.errors import Undelivered
from services.domain.notifications.dispatch import OutgoingNotice
from services.domain.notifications.texts import get_text, link_path
from services.runtime.settings.notices import MAIL_ADDRESS
from services.runtime.translations import Message, languages

PRODUCT = Message("Footage Desk")
CLOSING = Message("This mail was sent by a machine: do not answer it.")


def build_mail(parcel: OutgoingNotice, *, sender: str, portal_url: str) -> EmailMessage:
    """The mail to one person, in their language. Raises Undelivered for an address that no header may hold."""
    if parcel.address is None or not MAIL_ADDRESS.fullmatch(parcel.address):
        raise Undelivered("bad-address", for_good=True)
    language = parcel.language if parcel.language in languages() else "zh"
    title, product = get_text(parcel.code).message.translate(language), PRODUCT.translate(language)
    text = [title, ""]
    if parcel.number is not None:
        text.append(Message("Number: {number}", number=parcel.number).translate(language))
    text.append(Message("Open: {link}", link=_link(parcel, portal_url)).translate(language))
    text += ["", "-- ", f"{product}  {CLOSING.translate(language)}"]
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = parcel.address
    message["Subject"] = f"{product} {parcel.number or ''} {title}".replace("  ", " ")
    message["Date"] = parcel.at
    # the row's id, so that a mail that is sent again is known to be the same
    message["Message-ID"] = f"<{parcel.delivery_id}@{sender.partition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    # encoded, because not every mail server takes eight bits
    message.set_content("\n".join(text) + "\n", cte="7bit" if language == "en" else "base64")
    message["Content-Language"] = "zh-CN" if language == "zh" else language
    return message


def build_event(parcel: OutgoingNotice, *, portal_url: str) -> bytes:
    """What the webhook is told, as JSON; ``id`` stays the same however often it is sent."""
    words = get_text(parcel.code)
    return json.dumps(
        {
            "id": parcel.delivery_id,
            "code": parcel.code,
            "number": parcel.number,
            "link": _link(parcel, portal_url),
            "title_zh": words.zh,
            "title_en": words.en,
            "at": parcel.at.isoformat(),
        },
        ensure_ascii=False,
    ).encode()


def _link(parcel: OutgoingNotice, portal_url: str) -> str:
    return portal_url + link_path(parcel.code, parcel.application_id, parcel.subject_id)
