"""The mail server that an administrator sets on a page; one in the settings comes first, and this one then waits.

Like a robot it is never changed, another takes its place: so a password never goes to another host than the one that it
was entered for. Whoever watches over changes is told, also by the server before: it still sends what was written while
it was in use, and its own end, so that nobody takes notices away by a server of his own.
"""

import ipaddress
import re
import ssl
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Literal

from sqlalchemy import select, update

from services.database.base import new_id
from services.database.tables.deliveries import Delivery
from services.database.tables.mail_servers import MailServer
from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access.administrators import lock_setup, require_administrator
from services.domain.audit import trail as audit_trail
from services.domain.notifications import deliveries, service
from services.domain.notifications.dispatch import MAIL_CHANGED, open_channel
from services.runtime.errors import Refused
from services.runtime.settings.notices import MAIL_ADDRESS, MailSettings
from services.runtime.translations import Message

Security = Literal["starttls", "tls", "none"]
PURPOSE = "mail server"
HOST = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*")
PORTS = (25, 465, 587)  # of mail; others from 1024
FREE_PORTS = range(1024, 65536)


@dataclass(frozen=True)
class MailAccount:
    """A mail server with its password in clear, for the sender. ``guarded``: somebody has typed the host on a page."""

    host: str
    port: int
    security: str
    sender: str
    username: str | None
    password: str | None = field(repr=False)
    context: ssl.SSLContext = field(repr=False)
    guarded: bool = False

    @classmethod
    def of_settings(cls, mail: MailSettings) -> "MailAccount":
        """Return the server of the settings, whose host is set."""
        return cls(
            host=str(mail.host),
            port=mail.port,
            security=mail.security,
            sender=str(mail.sender),
            username=mail.user,
            password=mail.password.get_secret_value() if mail.password is not None else None,
            context=ssl.create_default_context(cafile=mail.ca_file),
        )


@dataclass(frozen=True)
class NewMailServer:
    """A mail server to set; ``authority``: certificates to trust in PEM, else those of this machine."""

    host: str
    port: int
    security: Security
    sender: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    authority: str | None = None


@dataclass(frozen=True)
class MailServerView:
    """The mail server as pages show it: never its password."""

    host: str
    port: int
    security: str
    sender: str
    username: str | None
    with_authority: bool
    set_by: str
    set_at: datetime


def get_view(uow: UnitOfWork) -> MailServerView | None:
    """Return the mail server that was set on the page, or None. Administrators only."""
    require_administrator(uow)
    row = _find(uow)
    if row is None:
        return None
    return MailServerView(
        host=row.host,
        port=row.port,
        security=row.security,
        sender=row.sender,
        username=row.username,
        with_authority=row.authority is not None,
        set_by=access_queries.get_names(uow, [row.set_by]).get(row.set_by, ""),
        set_at=row.set_at,
    )


def set_server(uow: UnitOfWork, new: NewMailServer) -> None:
    """Set the mail server, in place of the one that was set before. Administrators only."""
    lock_setup(uow)
    require_administrator(uow)
    _check(new)
    if (before := _find(uow)) is not None:
        _end(uow, before)
    row = MailServer(
        id=new_id(),
        host=new.host.lower(),
        port=new.port,
        security=new.security,
        sender=new.sender,
        username=new.username,
        password=uow.secrets.encrypt(new.password, PURPOSE) if new.password else None,
        authority=new.authority,
        set_by=uow.actor.id,
        set_at=uow.now,
    )
    uow.session.add(row)
    uow.session.flush()
    audit_trail.record(
        uow, "mail-server-set", "mail-server", row.id, host=row.host, port=row.port, security=row.security
    )
    deliveries.forget_channels(uow)
    _tell(uow, before)


def end(uow: UnitOfWork) -> None:
    """Send no mails by the server of the page any more. Administrators only."""
    lock_setup(uow)
    require_administrator(uow)
    row = _find(uow)
    if row is None:
        raise Refused("no-mail-server", "No mail server is set on the page: there is nothing to end.")
    _end(uow, row)
    audit_trail.record(uow, "mail-server-ended", "mail-server", row.id, host=row.host)
    deliveries.forget_channels(uow)
    _tell(uow, row)


def open_account(uow: UnitOfWork) -> MailAccount | None:
    """Return the mail server that was set on the page, with its password, for the sender."""
    row = _find(uow)
    return _open(uow, row) if row is not None else None


def open_ended(uow: UnitOfWork) -> dict[str, MailAccount]:
    """Return the ended servers by which something is due, by channel; what is due by one that cannot be opened ends."""
    ids = [channel.partition(":")[2] for channel in deliveries.list_due_channels(uow, deliveries.MAIL)]
    rows = uow.session.scalars(select(MailServer).where(MailServer.id.in_(ids))).all()
    opened = {row.channel: open_channel(uow, row.channel, partial(_open, uow, row)) for row in rows}
    return {channel: account for channel, account in opened.items() if account is not None}


def _open(uow: UnitOfWork, row: MailServer) -> MailAccount:
    return MailAccount(
        host=row.host,
        port=row.port,
        security=row.security,
        sender=row.sender,
        username=row.username,
        password=uow.secrets.decrypt(row.password, PURPOSE) if row.password is not None else None,
        context=ssl.create_default_context(cadata=row.authority),
        guarded=True,
    )


def _end(uow: UnitOfWork, row: MailServer) -> None:
    """End the server, and leave what waits to it, unless the settings name the one that sends."""
    row.ended_at, row.ended_by = uow.now, uow.actor.id
    if deliveries.MAIL in uow.rules.notice_channels:
        return
    # what it has failed to take already goes by the next one
    waits = (
        *(Delivery.channel == deliveries.MAIL, Delivery.attempts == 0),
        *(Delivery.delivered_at.is_(None), Delivery.given_up_at.is_(None)),
    )
    uow.session.execute(
        update(Delivery).where(*waits).values(channel=row.channel).execution_options(synchronize_session=False)
    )


def _find(uow: UnitOfWork) -> MailServer | None:
    return uow.session.scalar(select(MailServer).where(MailServer.ended_at.is_(None)))


def _check(new: NewMailServer) -> None:
    if not (_is_address(new.host) or HOST.fullmatch(new.host)):
        raise _refused("host", Message("Enter the mail server's name alone, such as mail.example."))
    if new.port not in PORTS and new.port not in FREE_PORTS:
        raise _refused(
            "port", Message("Port {port} is not allowed: use 25, 465, 587 or a port from 1024.", port=new.port)
        )
    if not MAIL_ADDRESS.fullmatch(new.sender):
        raise _refused("sender", Message("Enter a bare mail address, such as desk@footage.example."))
    if bool(new.username) != bool(new.password):
        raise _refused("password", Message("Enter both the username and the password, or neither."))
    if new.username and new.security == "none":
        raise _refused("security", Message("The password would travel in the clear: choose STARTTLS or TLS."))
    if new.authority is not None:
        try:
            ssl.create_default_context(cadata=new.authority)
        except (ssl.SSLError, ValueError) as error:
            raise _refused("authority", Message("This is no certificate in PEM: copy it whole.")) from error


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _refused(at: str, message: Message) -> Refused:
    return Refused(f"mail-{at}", message, status=422, field=at)


def _tell(uow: UnitOfWork, before: MailServer | None) -> None:
    """Tell those who watch over changes: the head of Security and the supervisors, also by the server before."""
    directory = access_queries.load_directory(uow)
    by_before = deliveries.MAIL not in uow.rules.notice_channels
    for person_id in dict.fromkeys([*directory.holders_in("security", "head"), *directory.holders(None, "supervisor")]):
        notice = service.notify(uow, person_id, MAIL_CHANGED, application_id=None)
        if before is not None and by_before and uow.session.get_one(Person, person_id).email:
            uow.session.flush()  # the delivery refers to it
            deliveries.add(uow, notice, [before.channel])
