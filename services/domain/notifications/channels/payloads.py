"""Build what is sent of a notice: a fixed sentence, the application's number, a link (F25)."""

import json
from dataclasses import dataclass, replace
from email.message import EmailMessage
from email.policy import SMTP
from zoneinfo import ZoneInfo

from services.domain.notifications.channels.errors import Undelivered
from services.domain.notifications.dispatch import OutgoingNotice
from services.domain.notifications.texts import get_text, link_path
from services.runtime.settings.notices import MAIL_ADDRESS
from services.runtime.translations import Message, languages

PRODUCT = Message("Footage Desk")
OPEN = Message("Open in the portal")
CLOSING = Message("This mail was sent automatically: please do not reply.")


def build_mail(notice: OutgoingNotice, *, sender: str, portal_url: str) -> EmailMessage:
    """Build the mail to one person, in their language. Raises Undelivered for a bad address."""
    if notice.address is None or not MAIL_ADDRESS.fullmatch(notice.address):
        raise Undelivered("bad-address", for_good=True)
    language = notice.language if notice.language in languages() else "zh"
    title, product = get_text(notice.code, notice.stage).message.translate(language), PRODUCT.translate(language)
    text = [title, ""]
    if notice.number is not None:
        text.append(Message("Number: {number}", number=notice.number).translate(language))
    for line in notice.lines:
        named = f"{line.number}  " if line.number is not None else ""
        text += [f"{named}{get_text(line.code, line.stage).message.translate(language)}", _link(line, portal_url), ""]
    if notice.unlisted:
        text += [Message("And {count} more in the portal.", count=notice.unlisted).translate(language), ""]
    text.append(Message("Open: {link}", link=_link(notice, portal_url)).translate(language))
    text += ["", "-- ", f"{product}  {CLOSING.translate(language)}"]
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = notice.address
    message["Subject"] = f"{product} {notice.number or ''} {title}".replace("  ", " ")
    message["Date"] = notice.at
    # the row's id, so that a mail that is sent twice is known to be the same
    message["Message-ID"] = f"<{notice.delivery_id}@{sender.partition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    body = "\n".join(text) + "\n"
    # encoded, because not every mail server takes eight bits; the English name of a stage may need them too
    message.set_content(body, cte="7bit" if body.isascii() else "base64")
    message["Content-Language"] = "zh-CN" if language == "zh" else language
    return message


def build_event(notice: OutgoingNotice, *, portal_url: str) -> bytes:
    """Build the webhook's payload as JSON; ``id`` is the same in each retry."""
    text = get_text(notice.code, notice.stage)
    return json.dumps(
        {
            "id": notice.delivery_id,
            "code": notice.code,
            "number": notice.number,
            "link": _link(notice, portal_url),
            "title_zh": text.zh,
            "title_en": text.en,
            "at": notice.at.isoformat(),
        },
        ensure_ascii=False,
    ).encode()


@dataclass(frozen=True)
class RobotMessage:
    """What a group or a person is told by a chat service: a sentence, lines of text, and a link with its words."""

    language: str
    title: str
    lines: tuple[str, ...]
    open: str
    link: str


def build_robot_message(notice: OutgoingNotice, language: str, *, portal_url: str) -> RobotMessage:
    """Build the message to a group, in the robot's language."""
    lines = () if notice.number is None else (Message("Number: {number}", number=notice.number).translate(language),)
    return RobotMessage(
        language=language,
        title=get_text(notice.code, notice.stage).message.translate(language),
        lines=(*lines, PRODUCT.translate(language)),
        open=OPEN.translate(language),
        link=_link(notice, portal_url),
    )


def build_app_message(notice: OutgoingNotice, *, portal_url: str, zone: ZoneInfo) -> RobotMessage:
    """Build the message to one person, in their language; its moment tells two notices in the same words apart."""
    language = notice.language if notice.language in languages() else "zh"
    message = build_robot_message(notice, language, portal_url=portal_url)
    return replace(message, lines=(*message.lines, f"{notice.at.astimezone(zone):%Y-%m-%d %H:%M}"))


def _link(notice: OutgoingNotice, portal_url: str) -> str:
    return portal_url + link_path(notice.code, notice.application_id, notice.subject_id)
