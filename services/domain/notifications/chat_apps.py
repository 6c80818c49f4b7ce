"""The app of WeCom, DingTalk or Feishu that writes to single persons: an administrator sets, tests and ends it.

A person with an id in the app gets its messages in the place of mails; what concerns the own account goes both ways.
Like the mail server an app is never changed, another takes its place: so a secret never goes to another address than
the one that it was entered for. An ended app still sends what was written for it before, its own end last. Whoever
watches over changes is told.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Literal
from urllib.parse import urlsplit

from sqlalchemy import func, select

from services.database.base import new_id
from services.database.tables.chat_apps import ChatApp
from services.database.tables.deliveries import Delivery
from services.database.tables.notices import Notice
from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access.administrators import lock_setup, require_administrator
from services.domain.audit import trail as audit_trail
from services.domain.notifications import deliveries, service
from services.domain.notifications.dispatch import APP_CHANGED, TEST, open_channel
from services.runtime.addresses import Guard, parse_networks
from services.runtime.errors import Refused
from services.runtime.translations import Message, Text

Kind = Literal["wecom", "dingtalk", "feishu"]
IdType = Literal["user_id", "open_id", "email"]
PURPOSE = "chat app"
ADDRESSES = {
    "wecom": "https://qyapi.weixin.qq.com",
    "dingtalk": "https://api.dingtalk.com",
    "feishu": "https://open.feishu.cn",
}
UNKNOWN = "app-person"  # why a message to somebody failed whom the app does not know
# Fewer than each service takes: DingTalk 20 in a second, Feishu 50, and 5 to one person.
AT_ONCE, PAUSE = 12, timedelta(seconds=3.4)
AFTER_TOO_MANY = timedelta(minutes=1)
MOST_UNKNOWN = 100
_ACCOUNT = re.compile(r"[A-Za-z0-9_.:-]{2,128}")
_AGENT_NUMBER = re.compile(r"[0-9]{1,12}")


@dataclass
class OpenApp:
    """An app with its secret in clear, for the sender; ``token`` where it has one that still counts."""

    id: str
    kind: str
    address: str
    account: str
    agent: str | None
    id_type: str | None
    secret: str = field(repr=False)
    token: str | None = field(repr=False)
    paused: bool = False


@dataclass(frozen=True)
class NewApp:
    """An app to set; ``networks`` may be called inside (``FOOTAGE_DESK_ALLOWED_NETWORKS``)."""

    kind: Kind
    account: str
    secret: str = field(repr=False)
    agent: str | None = None
    id_type: IdType | None = None
    address: str | None = None
    networks: str | None = None


@dataclass(frozen=True)
class UnknownPerson:
    """Somebody to whom the app could not write, and whose id has not been corrected since."""

    id: str
    name: str
    chat_id: str


@dataclass(frozen=True)
class AppView:
    """The app as pages show it: never its secret. ``reached`` of ``people`` who are active have an id."""

    kind: str
    address: str
    account: str
    agent: str | None
    id_type: str | None
    set_by: str
    set_at: datetime
    waiting: int
    reached: int
    people: int
    unknown: list[UnknownPerson]


def get_view(uow: UnitOfWork) -> AppView | None:
    """Return the app in use, or None. Administrators only."""
    require_administrator(uow)
    row = _find(uow)
    if row is None:
        return None
    waiting = select(func.count(Delivery.id)).where(
        Delivery.channel == row.channel, Delivery.delivered_at.is_(None), Delivery.given_up_at.is_(None)
    )
    active = select(func.count(Person.id), func.count(Person.chat_id)).where(Person.active)
    people, reached = uow.session.execute(active).one()
    return AppView(
        kind=row.kind,
        address=row.address,
        account=row.account,
        agent=row.agent,
        id_type=row.id_type,
        set_by=access_queries.get_names(uow, [row.set_by]).get(row.set_by, ""),
        set_at=row.set_at,
        waiting=uow.session.scalar(waiting) or 0,
        reached=reached,
        people=people,
        unknown=_list_unknown(uow, row),
    )


def set_app(uow: UnitOfWork, new: NewApp) -> None:
    """Set the app, in place of the one that was set before. Administrators only.

    Refused for an address that is none, and for what its service does not have or needs.
    """
    lock_setup(uow)
    require_administrator(uow)
    address = _check(new)
    before = _find(uow)
    if before is not None:
        before.ended_at, before.ended_by = uow.now, uow.actor.id
    row = ChatApp(
        id=new_id(),
        kind=new.kind,
        address=address,
        account=new.account,
        agent=new.agent or (new.account if new.kind == "dingtalk" else None),
        id_type=(new.id_type or "user_id") if new.kind == "feishu" else None,
        secret=uow.secrets.encrypt(new.secret, PURPOSE),
        set_by=uow.actor.id,
        set_at=uow.now,
        next_at=uow.now,
    )
    uow.session.add(row)
    uow.session.flush()
    audit_trail.record(uow, "chat-app-set", "chat-app", row.id, kind=row.kind, address=row.address, account=row.account)
    deliveries.forget_app(uow)
    _tell(uow, before)


def end(uow: UnitOfWork) -> None:
    """Write no new messages by the app any more; notices are mailed again. Administrators only."""
    lock_setup(uow)
    require_administrator(uow)
    row = _find(uow)
    if row is None:
        raise Refused("no-chat-app", "No chat app is set: there is nothing to end.")
    row.ended_at, row.ended_by = uow.now, uow.actor.id
    audit_trail.record(uow, "chat-app-ended", "chat-app", row.id, kind=row.kind, account=row.account)
    deliveries.forget_app(uow)
    _tell(uow, row)


def send_test(uow: UnitOfWork) -> Notice:
    """Send a test by the app to oneself. Administrators only."""
    require_administrator(uow)
    row = _find(uow)
    if row is None:
        raise Refused("no-chat-app", "No chat app is set: set it first.")
    if uow.session.get_one(Person, uow.actor.id).chat_id is None:
        raise Refused("no-chat-id", "You have no id in the chat app: add it under “People” first.")
    notice = service.notify(uow, uow.actor.id, TEST, application_id=None, channels=(row.channel,))
    audit_trail.record(uow, "test-notice", "notice", notice.id, channel=row.channel)
    return notice


def claim(uow: UnitOfWork) -> list[OpenApp]:
    """Take the apps that send now, with their secrets in clear; what is due by one that does not open is given up."""
    taken = deliveries.claim_senders(uow, ChatApp, deliveries.APP, lambda _: PAUSE)
    opened = [open_channel(uow, app.channel, partial(_open, uow, app)) for app in taken]
    return [app for app in opened if app is not None]


def pause(uow: UnitOfWork, app_id: str) -> None:
    """Send nothing for a while: the service says that there was too much."""
    uow.session.get_one(ChatApp, app_id, with_for_update=True).next_at = uow.now + AFTER_TOO_MANY


def keep_token(uow: UnitOfWork, app_id: str, token: str, lasts: timedelta) -> None:
    """Keep an access token for as long as it counts, by the real clock: a service knows no other."""
    row = uow.session.get_one(ChatApp, app_id, with_for_update=True)
    row.token, row.token_until = uow.secrets.encrypt(token, PURPOSE), uow.real_now + lasts


def _open(uow: UnitOfWork, row: ChatApp) -> OpenApp:
    counts = row.token is not None and row.token_until is not None and row.token_until > uow.real_now
    return OpenApp(
        id=row.id,
        kind=row.kind,
        address=row.address,
        account=row.account,
        agent=row.agent,
        id_type=row.id_type,
        secret=uow.secrets.decrypt(row.secret, PURPOSE),
        token=uow.secrets.decrypt(row.token, PURPOSE) if counts and row.token is not None else None,
    )


def _find(uow: UnitOfWork) -> ChatApp | None:
    return uow.session.scalar(select(ChatApp).where(ChatApp.ended_at.is_(None)))


def _list_unknown(uow: UnitOfWork, app: ChatApp) -> list[UnknownPerson]:
    """List the active people of whom the app's last answer was that it does not know them."""
    failed = (
        select(Notice.person_id, func.max(Delivery.created_at).label("at"))
        .join(Delivery, Delivery.notice_id == Notice.id)
        .where(Delivery.channel == app.channel, Delivery.last_error == UNKNOWN, Delivery.address.is_(None))
        .group_by(Notice.person_id)
        .subquery()
    )
    arrived = (
        select(Delivery.id)
        .join(Notice, Notice.id == Delivery.notice_id)
        .where(
            Notice.person_id == failed.c.person_id,
            Delivery.channel == app.channel,
            Delivery.delivered_at > failed.c.at,
            Delivery.address.is_(None),
        )
    )
    query = (
        select(Person.id, Person.name, Person.chat_id)
        .join(failed, failed.c.person_id == Person.id)
        .where(Person.active, Person.chat_id.is_not(None), ~arrived.exists())
        .order_by(Person.name, Person.id)
        .limit(MOST_UNKNOWN)
    )
    return [UnknownPerson(row.id, row.name, str(row.chat_id)) for row in uow.session.execute(query)]


def _check(new: NewApp) -> str:
    """Return the address of an app's service; Refused with what is wrong."""
    networks = parse_networks(new.networks)
    guard = Guard(networks, ("https", "http") if networks else ("https",), field="address", secret=True)
    address = guard.read((new.address or ADDRESSES[new.kind]).strip().rstrip("/")).url.rstrip("/")
    parts = urlsplit(address)
    if parts.path or parts.query or parts.fragment:
        raise _refused(
            "address", Message("Enter the address of the service alone, such as {form}", form=ADDRESSES[new.kind])
        )
    if not _ACCOUNT.fullmatch(new.account):
        raise _refused("account", Message("This is no such id: copy it from the app's page at the service."))
    if new.kind == "wecom" and not _AGENT_NUMBER.fullmatch(new.agent or ""):
        raise _refused("agent", Message("An app of WeCom has a number (AgentId): copy it from the app's page."))
    if new.kind == "dingtalk" and new.agent and not _ACCOUNT.fullmatch(new.agent):
        raise _refused("agent", Message("This is no such id: copy it from the app's page at the service."))
    if new.kind == "feishu" and new.agent:
        raise _refused("agent", Message("An app of Feishu has no such number: leave it empty."))
    return address


def _refused(at: str, message: Text) -> Refused:
    return Refused(f"chat-app-{at}", message, status=422, field=at)


def _tell(uow: UnitOfWork, before: ChatApp | None) -> None:
    """Tell those who watch over changes: the head of Security and the supervisors, also by the app before."""
    directory = access_queries.load_directory(uow)
    for person_id in dict.fromkeys([*directory.holders_in("security", "head"), *directory.holders(None, "supervisor")]):
        notice = service.notify(uow, person_id, APP_CHANGED, application_id=None)
        if before is not None and uow.session.get_one(Person, person_id).chat_id is not None:
            deliveries.add(uow, notice, [before.channel])
