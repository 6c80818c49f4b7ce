"""The mail server that an administrator sets on a page; one in the settings comes first, and this one then waits.

Like a robot it is never changed, another takes its place: so a password never goes to another host than the one that it
was entered for. Whoever watches over changes is told.
"""

import ipaddress
import re
import ssl
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from sqlalchemy import select

from services.database.base import new_id
from services.database.tables.mail_servers import MailServer
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access.administrators import lock_setup, require_administrator
from services.domain.audit import trail as audit_trail
from services.domain.notifications import deliveries, service
from services.domain.notifications.dispatch import MAIL_CHANGED
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
        before.ended_at, before.ended_by = uow.now, uow.actor.id
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
    _tell(uow)


def end(uow: UnitOfWork) -> None:
    """Send no mails by the server of the page any more. Administrators only."""
    lock_setup(uow)
    require_administrator(uow)
    row = _find(uow)
    if row is None:
        raise Refused("no-mail-server", "No mail server is set on the page: there is nothing to end.")
    row.ended_at, row.ended_by = uow.now, uow.actor.id
    audit_trail.record(uow, "mail-server-ended", "mail-server", row.id, host=row.host)
    deliveries.forget_channels(uow)
    _tell(uow)


def open_account(uow: UnitOfWork) -> MailAccount | None:
    """Return the mail server that was set on the page, with its password, for the sender."""
    row = _find(uow)
    if row is None:
        return None
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


def _tell(uow: UnitOfWork) -> None:
    """Tell those who watch over changes: the head of Security and the supervisors."""
    directory = access_queries.load_directory(uow)
    for person_id in dict.fromkeys([*directory.holders_in("security", "head"), *directory.holders(None, "supervisor")]):
        service.notify(uow, person_id, MAIL_CHANGED, application_id=None)
