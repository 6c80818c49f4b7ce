"""Deliveries: one row for each notice and channel, with its result (R30, F25).

A row is written with its notice. ``next_at`` is the lease as well: a sender that claims a row advances it, so that no
other sends the same meanwhile. A process that dies after sending sends twice; the receiver deduplicates by the row's
id.
"""

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import Select, select

from services.database.tables.chat_apps import ChatApp
from services.database.tables.deliveries import Delivery
from services.database.tables.mail_servers import MailServer
from services.database.tables.notice_robots import NoticeRobot
from services.database.unit_of_work import UnitOfWork

if TYPE_CHECKING:
    from services.database.tables.notices import Notice

Sender = TypeVar("Sender", NoticeRobot, ChatApp)
MAIL, WEBHOOK, ROBOT, APP = "mail", "webhook", "robot", "app"
TO_ONE = (MAIL, APP)  # to a person, the others to whoever reads there
_ROBOTS, _CHANNELS, _APP = "robots in use", "channels in use", "app in use"  # in a session's notes
TOPIC = "deliveries"  # notified by every commit that adds a delivery


def add(uow: UnitOfWork, notice: "Notice", channels: Iterable[str]) -> None:
    """Add a delivery for each channel; by webhook and by robot, only one for the notice's recipients.

    The notice is in the unit's session already.
    """
    for channel in channels:
        if kind_of(channel) not in TO_ONE and _is_announced(uow, notice, channel):
            continue
        uow.session.add(
            Delivery(notice_id=notice.id, channel=channel, created_at=notice.created_at, next_at=notice.created_at)
        )
        uow.after_commit.add(TOPIC)


def add_to(uow: UnitOfWork, notice: "Notice", channel: str, addresses: Iterable[str]) -> None:
    """Add a mail or message to each of these addresses, beside the one to the person's own."""
    for address in addresses:
        row = Delivery(notice_id=notice.id, channel=channel, created_at=notice.created_at, next_at=notice.created_at)
        row.address = address
        uow.session.add(row)
        uow.after_commit.add(TOPIC)


def kind_of(channel: str) -> str:
    """Return ``mail``, ``webhook``, ``robot`` or ``app``.

    Each robot and each app has a channel of its own, and so has each mail server of the page that has ended.
    """
    return channel.partition(":")[0]


def channels_in_use(uow: UnitOfWork) -> tuple[str, ...]:
    """Return mail and webhook, as far as they are set, in the settings or on a page; asked once in a unit of work."""
    known: tuple[str, ...] | None = uow.session.info.get(_CHANNELS)
    if known is None:
        known = uow.rules.notice_channels
        if MAIL not in known:
            on_page = uow.session.scalar(select(MailServer.id).where(MailServer.ended_at.is_(None)).limit(1))
            known = known if on_page is None else (MAIL, *known)
        uow.session.info[_CHANNELS] = known
    return known


def forget_channels(uow: UnitOfWork) -> None:
    """Ask again which channels are in use: a mail server was set or ended."""
    uow.session.info.pop(_CHANNELS, None)


def robot_channels(uow: UnitOfWork) -> list[str]:
    """Return the channels of the robots in use; asked once in a unit of work."""
    known: list[str] | None = uow.session.info.get(_ROBOTS)
    if known is None:
        in_use = uow.session.scalars(select(NoticeRobot).where(NoticeRobot.ended_at.is_(None)))
        known = uow.session.info[_ROBOTS] = [robot.channel for robot in in_use]
    return known


def forget_robots(uow: UnitOfWork) -> None:
    """Ask again which robots are in use: one was added or ended."""
    uow.session.info.pop(_ROBOTS, None)


def app_channel(uow: UnitOfWork) -> str | None:
    """Return the channel of the chat app in use, if there is one; asked once in a unit of work."""
    if _APP not in uow.session.info:
        row = uow.session.scalar(select(ChatApp).where(ChatApp.ended_at.is_(None)))
        uow.session.info[_APP] = row.channel if row is not None else None
    channel: str | None = uow.session.info[_APP]
    return channel


def forget_app(uow: UnitOfWork) -> None:
    """Ask again which chat app is in use: one was set or ended."""
    uow.session.info.pop(_APP, None)


def is_due(uow: UnitOfWork, kind: str) -> bool:
    """Return whether something waits to be sent by a channel of this kind; looked at often, so it only reads."""
    return uow.session.scalar(_select_due(uow, kind).limit(1)) is not None


def list_due_channels(uow: UnitOfWork, kind: str) -> list[str]:
    """List the channels of this kind by which something waits to be sent now; of mail those of ended servers."""
    return list(uow.session.scalars(_select_due(uow, kind).distinct()))


def claim_senders(
    uow: UnitOfWork, senders: type[Sender], kind: str, pause: Callable[[Sender], timedelta]
) -> list[Sender]:
    """Take the robots or apps for which something is due and which may send now, each until its next moment.

    Two portals share the pace of each, because each takes it here before it sends.
    """
    ids = [channel.partition(":")[2] for channel in list_due_channels(uow, kind)]
    query = select(senders).where(senders.id.in_(ids), senders.next_at <= uow.now)
    taken = list(uow.session.scalars(query.order_by(senders.next_at).with_for_update(skip_locked=True)))
    for row in taken:
        row.next_at = uow.now + pause(row)
    return taken


def _select_due(uow: UnitOfWork, kind: str) -> Select[str]:
    """Build the query of the channels of this kind by which something waits to be sent now."""
    return select(Delivery.channel).where(
        Delivery.channel.like(f"{kind}:%"),
        Delivery.delivered_at.is_(None),
        Delivery.given_up_at.is_(None),
        Delivery.next_at <= uow.now,
    )


def _is_announced(uow: UnitOfWork, notice: "Notice", channel: str) -> bool:
    table = type(notice)
    query = (
        select(Delivery.id)
        .join(table, table.id == Delivery.notice_id)
        .where(
            Delivery.channel == channel,
            # for the index: what this unit of work has added still waits, and is due from its beginning
            Delivery.delivered_at.is_(None),
            Delivery.given_up_at.is_(None),
            Delivery.next_at == notice.created_at,
            Delivery.created_at == notice.created_at,
            table.code == notice.code,
            table.application_id == notice.application_id,
            table.subject_id == notice.subject_id,
        )
    )
    return uow.session.scalar(query.limit(1)) is not None
