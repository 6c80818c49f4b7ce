"""Serve the mail server to administrators: what is set, set another, test, end."""

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import Field, SecretStr

from services.database.base import new_id
from services.database.tables.people import Person
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.access.administrators import require_administrator
from services.domain.audit import trail as audit_trail
from services.domain.notifications import mail_server
from services.domain.notifications.channels.errors import ERRORS, Undelivered
from services.domain.notifications.channels.mail import Mailer
from services.domain.notifications.dispatch import TEST, OutgoingNotice
from services.domain.notifications.mail_server import NewMailServer
from services.runtime.errors import Refused
from services.runtime.settings import Settings
from services.runtime.translations import Message, Text
from services.web.dependencies import GivenDatabase, GivenSettings
from services.web.errors import problems
from services.web.identity import Acting
from services.web.schemas import Answer, Body, Moment

router = APIRouter(prefix="/api/admin/mail-server", tags=["administration"])


class MailServerBody(Body):
    """``password`` is entered anew each time; ``authority``: certificates in PEM, else those of the machine count."""

    host: Annotated[str, Field(min_length=1, max_length=253)]
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    security: mail_server.Security = "starttls"
    sender: Annotated[str, Field(min_length=3, max_length=320)]
    username: Annotated[str | None, Field(max_length=200)] = None
    password: Annotated[SecretStr | None, Field(max_length=500)] = None
    authority: Annotated[str | None, Field(max_length=100_000)] = None


class MailServerAnswer(Answer):
    """``by``: settings (of the environment, which come first), page, or nobody where no mail is sent."""

    by: Literal["settings", "page", "nobody"]
    host: str | None = None
    port: int | None = None
    security: str | None = None
    sender: str | None = None
    username: str | None = None
    set_by: str | None = None
    set_at: Moment | None = None


class MailTestAnswer(Answer):
    """What the mail server said to the test mail, and to which address it went."""

    address: str
    said: str


@router.get("", responses=problems(401, 403))
async def read(actor: Acting, database: GivenDatabase, settings: GivenSettings) -> MailServerAnswer:
    """Return the mail server in use, without its password. Administrators only."""
    return answer_of(settings, await database.read(actor, mail_server.get_view))


@router.put("", responses=problems(401, 403, 422))
async def set_server(
    body: MailServerBody, actor: Acting, database: GivenDatabase, settings: GivenSettings
) -> MailServerAnswer:
    """Set the mail server. Administrators only; the head of Security and the supervisors are told."""
    await database.run(actor, mail_server.set_server, new_of(body))
    return answer_of(settings, await database.read(actor, mail_server.get_view))


@router.post("/test", responses=problems(401, 403, 409))
async def test(actor: Acting, database: GivenDatabase, settings: GivenSettings) -> MailTestAnswer:
    """Send a test mail to oneself, now. Administrators only."""
    return await send_test(actor, database, settings)


@router.delete("", status_code=204, responses=problems(401, 403, 409))
async def end(actor: Acting, database: GivenDatabase) -> None:
    """End the mail server that was set. Administrators only."""
    await database.run(actor, mail_server.end)


def answer_of(settings: Settings, view: mail_server.MailServerView | None) -> MailServerAnswer:
    """Return what is in use: the settings come first."""
    mail = settings.notices.mail
    if mail.host is not None:
        return MailServerAnswer(
            by="settings",
            host=mail.host,
            port=mail.port,
            security=mail.security,
            sender=mail.sender,
            username=mail.user,
        )
    if view is None:
        return MailServerAnswer(by="nobody")
    return MailServerAnswer.model_validate({"by": "page", **vars(view)})


def new_of(body: MailServerBody) -> NewMailServer:
    """Return what a body asks for."""
    password = body.password.get_secret_value() if body.password is not None else ""
    return NewMailServer(
        host=body.host.strip(),
        port=body.port,
        security=body.security,
        sender=body.sender.strip(),
        username=body.username or None,
        password=password or None,
        authority=(body.authority or "").strip() or None,
    )


async def send_test(actor: Actor, database: Database, settings: Settings) -> MailTestAnswer:
    """Send a test mail to the acting administrator and return the server's answer; Refused with what is wrong."""
    notice = await database.read(actor, _test_notice)
    try:
        said = await Mailer(settings, database).send(notice)
    except Undelivered as error:
        message: Text = ERRORS[error.code]
        if error.detail:
            message = Message("{message} The server said: {said}", message=message, said=error.detail)
        raise Refused("mail-not-sent", message) from error
    await database.run(actor, _record_test)
    return MailTestAnswer(address=str(notice.address), said=said)


def _test_notice(uow: UnitOfWork) -> OutgoingNotice:
    require_administrator(uow)
    person = uow.session.get_one(Person, uow.actor.id)
    if not person.email:
        raise Refused("no-address", "You have no mail address: add it under “People” first.")
    return OutgoingNotice(
        delivery_id=new_id(),
        attempt=1,
        notice_id=new_id(),
        code=TEST,
        number=None,
        application_id=None,
        subject_id=None,
        at=uow.now,
        language=person.locale,
        address=person.email,
    )


def _record_test(uow: UnitOfWork) -> None:
    audit_trail.record(uow, "test-notice", "person", uow.actor.id, channel="mail")
