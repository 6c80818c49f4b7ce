"""Claim due deliveries, record their results, escalate failures (F25).

A failed attempt is retried with growing delays for about a day. Once the time to notify people is over (R30), or no
retry is left, the person's head or deputy is notified, and the administrators are.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import ColumnElement, Select, case, func, or_, select, update

from services.database.tables.applications import Application
from services.database.tables.deliveries import NOT_NEEDED, Delivery
from services.database.tables.notices import Notice
from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.audit import trail as audit_trail
from services.domain.notifications import deliveries, service
from services.domain.notifications.deliveries import APP, MAIL, TO_ONE, kind_of
from services.domain.notifications.texts import DIGEST, codes_of_work
from services.runtime.errors import Fatal
from services.runtime.logs import get_logger

log = get_logger(__name__)
Opened = TypeVar("Opened")
LEASE = timedelta(minutes=5)  # longer than any attempt may take
RETRY_DELAYS = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 30, 60, 120, 240, 480, 480))
MAX_DETAIL_LENGTH = 200
MOST_LINES = 50  # of a digest
MOST_GIVEN_UP = 100  # in one unit of work, which keeps others from writing
# Notices about notices: their failures are not escalated.
UNDELIVERED, FAILING, TEST = "notice-undelivered", "deliveries-failing", "test-notice"
ROBOT_CHANGED, ROBOT_ENDED, MAIL_CHANGED = "robot-changed", "robot-ended", "mail-server-changed"
APP_CHANGED = "chat-app-changed"
ABOUT_NOTICES = (UNDELIVERED, FAILING, TEST, ROBOT_CHANGED, ROBOT_ENDED, MAIL_CHANGED, APP_CHANGED)
UNREADABLE = "channel-unreadable"  # why what waits for a robot or an app is not sent whose secret does not open
MOST_BY_APP = 4  # attempts, within half an hour; then a mail takes the message's place
# WeCom drops what is more than 30 messages to one person in a minute, and says nothing.
MOST_TO_ONE, WITHIN = 20, timedelta(minutes=1)


@dataclass(frozen=True)
class OutgoingNotice:
    """One notice to send, detached from its session; ``address`` if the channel needs one.

    ``stage``: of the review that it is about. ``lines``: of a digest, the open notices, work before news and the oldest
    first; ``unlisted`` counts those that are left out.
    """

    delivery_id: str
    attempt: int
    notice_id: str
    code: str
    number: str | None
    application_id: str | None
    subject_id: str | None
    at: datetime
    language: str
    address: str | None
    stage: str | None = None
    lines: tuple["OutgoingNotice", ...] = ()
    unlisted: int = 0


def is_due(uow: UnitOfWork, channel: str) -> bool:
    """Return whether something waits to be sent by the channel; looked at often, so it only reads."""
    query = select(Delivery.id).where(
        Delivery.channel == channel,
        Delivery.delivered_at.is_(None),
        Delivery.given_up_at.is_(None),
        Delivery.next_at <= uow.now,
    )
    return uow.session.scalar(query.limit(1)) is not None


def claim_next(uow: UnitOfWork, channel: str) -> OutgoingNotice | None:
    """Lease the longest due delivery to the caller; None if nothing is due.

    What is not to be sent any more is given up on the way, ``MOST_GIVEN_UP`` at once: then it is None as well, though
    ``is_due`` says that something is.
    """
    for _ in range(MOST_GIVEN_UP):
        query = _select_due(uow, channel).limit(1)
        if kind_of(channel) == APP:
            query = _without_flooded(uow, query, channel)
        row = uow.session.scalar(query)
        if row is None:
            return None
        notice = uow.session.get_one(Notice, row.notice_id)
        person = uow.session.get_one(Person, notice.person_id)
        reason = None if row.address else _undeliverable_because(channel, notice, person)
        if reason is None:
            row.attempts += 1
            row.next_at = uow.now + LEASE
            return _outgoing(uow, row, notice, person)
        _give_up(uow, row, notice, reason)
        uow.session.flush()
    return None


def open_channel(uow: UnitOfWork, channel: str, open_: Callable[[], Opened]) -> Opened | None:
    """Open a robot, an app or an ended mail server; None where its secret does not open any more.

    Then what is due by it is given up. The portal's key may be lost for good, and neither the other channels nor these
    notices wait for it.
    """
    try:
        return open_()
    except Fatal as error:
        log.error(  # noqa: TRY400  # says all
            "a robot, an app or a mail server cannot be used: end it and set it anew", channel=channel, cause=str(error)
        )
    for row in uow.session.scalars(_select_due(uow, channel).limit(MOST_GIVEN_UP)).all():
        notice = uow.session.get_one(Notice, row.notice_id)
        person = uow.session.get_one(Person, notice.person_id)
        reason = None if row.address else _undeliverable_because(channel, notice, person)
        _give_up(uow, row, notice, reason or UNREADABLE)
    return None


def _select_due(uow: UnitOfWork, channel: str) -> Select[Delivery]:
    """Build the query of what is due by the channel, the longest due first, and locks what no other sender has."""
    return (
        select(Delivery)
        .where(
            Delivery.channel == channel,
            Delivery.delivered_at.is_(None),
            Delivery.given_up_at.is_(None),
            Delivery.next_at <= uow.now,
        )
        .order_by(Delivery.next_at, Delivery.id)
        .with_for_update(skip_locked=True, of=Delivery)
    )


def _without_flooded(uow: UnitOfWork, query: Select[Delivery], channel: str) -> Select[Delivery]:
    """Leave out who got so many messages in the last minute that the service may drop further ones."""
    flooded = (
        select(Notice.person_id)
        .join(Delivery, Delivery.notice_id == Notice.id)
        .where(
            Delivery.channel == channel,
            Delivery.given_up_at.is_(None),  # for the index: what was delivered is not given up
            Delivery.delivered_at > uow.now - WITHIN,
        )
        .group_by(Notice.person_id)
        .having(func.count() >= MOST_TO_ONE)
    )
    return query.join(Notice, Notice.id == Delivery.notice_id).where(Notice.person_id.not_in(flooded))


def mark_delivered(uow: UnitOfWork, delivery_id: str) -> None:
    """Record that the channel accepted the notice, in any attempt."""
    uow.session.execute(
        update(Delivery)
        .where(Delivery.id == delivery_id, Delivery.delivered_at.is_(None))
        .values(delivered_at=uow.now, given_up_at=None, last_error=None, last_detail=None)
    )


def record_failure(
    uow: UnitOfWork,
    delivery_id: str,
    attempt: int,
    error: str,
    detail: str,
    *,
    for_good: bool,
    wait: timedelta = timedelta(),
) -> bool:
    """Record a failed attempt; return whether it was the last. Ignores an outdated attempt.

    ``wait``: the next attempt is no sooner, as the server has asked.
    """
    row = uow.session.get_one(Delivery, delivery_id, with_for_update=True, populate_existing=True)
    if row.state != "waiting" or row.attempts != attempt:
        return False
    notice = uow.session.get_one(Notice, row.notice_id)
    row.last_detail = "".join(char if char.isprintable() else " " for char in detail)[:MAX_DETAIL_LENGTH] or None
    most = MOST_BY_APP if _is_mailable(uow, row, notice) else len(RETRY_DELAYS) + 1
    if for_good or attempt >= most:
        _give_up(uow, row, notice, error)
        return True
    row.last_error, row.next_at = error, uow.now + max(RETRY_DELAYS[attempt - 1], wait)
    if uow.now - row.created_at >= uow.rules.notify_limit:
        _escalate(uow, row, notice)
    return False


def _outgoing(uow: UnitOfWork, row: Delivery, notice: Notice, person: Person) -> OutgoingNotice:
    number = None
    if notice.application_id is not None:
        number = uow.session.get_one(Application, notice.application_id).number
    lines = _open_lines(uow, row, person) if notice.code == DIGEST else ()
    return OutgoingNotice(
        delivery_id=row.id,
        attempt=row.attempts,
        notice_id=notice.id,
        code=notice.code,
        number=number,
        application_id=notice.application_id,
        subject_id=notice.subject_id,
        at=notice.created_at,
        language=person.locale,
        address=row.address or {MAIL: person.email, APP: person.chat_id}.get(kind_of(row.channel)),
        stage=service.get_stages(uow, [notice.subject_id or ""]).get(notice.subject_id or ""),
        lines=lines,
        unlisted=service.count_open(uow, person.id) - len(lines) if lines else 0,
    )


def _open_lines(uow: UnitOfWork, row: Delivery, person: Person) -> tuple[OutgoingNotice, ...]:
    query = select(Notice).where(Notice.person_id == person.id, Notice.code != DIGEST, *service.OPEN)
    work_first = case((Notice.code.in_(codes_of_work()), 0), else_=1)
    notices = uow.session.scalars(query.order_by(work_first, Notice.created_at, Notice.id).limit(MOST_LINES)).all()
    return tuple(_outgoing(uow, row, notice, person) for notice in notices)


def _undeliverable_because(channel: str, notice: Notice, person: Person) -> str | None:
    """Return why nothing is sent to this person, or None."""
    if kind_of(channel) not in TO_ONE:
        return None
    if notice.code != DIGEST and notice.read_at is not None:
        return "read"
    if notice.done_at is not None:
        return "done"
    if not person.active:
        return "inactive"
    if kind_of(channel) == APP:
        return None if person.chat_id else "no-chat-id"
    return None if person.email else "no-address"


def _give_up(uow: UnitOfWork, row: Delivery, notice: Notice, error: str) -> None:
    row.last_error, row.given_up_at = error, uow.now
    if error not in NOT_NEEDED:
        if by_mail := _is_mailable(uow, row, notice):
            _mail_instead(uow, notice, row.address)
        audit_trail.record(
            uow,
            "delivery-given-up",
            "delivery",
            row.id,
            application_id=notice.application_id,
            channel=row.channel,
            code=notice.code,
            error=error,
            attempts=row.attempts,
            **({"instead": MAIL} if by_mail else {}),
        )
        _escalate(uow, row, notice)


def _is_mailable(uow: UnitOfWork, row: Delivery, notice: Notice) -> bool:
    """Return whether a mail takes the place of what does not arrive in the chat app, or by a mail server that ended."""
    if row.channel == MAIL or kind_of(row.channel) not in TO_ONE or notice.code == TEST:
        return False
    if row.address is not None:
        return kind_of(row.channel) == MAIL and MAIL in deliveries.channels_in_use(uow)
    return MAIL in deliveries.channels_in_use(uow) and bool(uow.session.get_one(Person, notice.person_id).email)


def _mail_instead(uow: UnitOfWork, notice: Notice, address: str | None) -> None:
    """Mail a notice, to a former address if one is named, unless it is mailed beside, as what is personal is."""
    mailed = select(Delivery.id).where(
        Delivery.notice_id == notice.id, Delivery.channel == MAIL, Delivery.address == address
    )
    if uow.session.scalar(mailed.limit(1)) is not None:
        return
    if address is None:
        deliveries.add(uow, notice, [MAIL])
    else:
        deliveries.add_to(uow, notice, MAIL, [address])


def _escalate(uow: UnitOfWork, row: Delivery, notice: Notice) -> None:
    """Escalate a delivery once; the department is told only of what nobody reads in the portal or gets by mail."""
    if row.escalated_at is not None or notice.code in ABOUT_NOTICES:
        return
    row.escalated_at = uow.now
    substitutes: list[str] = []
    alone = kind_of(row.channel) in TO_ONE and not _is_mailable(uow, row, notice)
    concerned = _concerned_in_unseen(uow, notice) if alone else None
    if concerned is not None:
        substitutes = service.list_substitutes(uow, notice.person_id, notice.application_id, concerned)
        for person_id in substitutes:
            _notify_once(uow, person_id, UNDELIVERED, notice.application_id)
    administrators = access_queries.load_directory(uow).holders(None, "administrator")
    for person_id in administrators:
        _notify_once(uow, person_id, FAILING, None)
    audit_trail.record(
        uow,
        "delivery-escalated",
        "delivery",
        row.id,
        application_id=notice.application_id,
        channel=row.channel,
        notified=[*substitutes, *administrators],
    )


def _concerned_in_unseen(uow: UnitOfWork, notice: Notice) -> set[str] | None:
    """Return whom the cases of what the person has not seen concern; None where all is seen.

    Of a mail of the day that is the open work of which nothing else was sent.
    """
    if notice.code != DIGEST:
        return set() if notice.read_at is None and notice.done_at is None else None
    query = (
        select(Notice.id, Application.subject_ids)
        .outerjoin(Application, Application.id == Notice.application_id)
        .where(
            Notice.person_id == notice.person_id,
            Notice.code.in_(codes_of_work()),
            *service.OPEN,
            ~is_sent_alone(),
        )
    )
    unseen = uow.session.execute(query).all()
    return {person_id for row in unseen for person_id in row.subject_ids or ()} if unseen else None


def is_sent_alone() -> ColumnElement[bool]:
    """Build the condition that a notice has a mail or message of its own."""
    of_notice = select(Delivery.id).where(Delivery.notice_id == Notice.id)
    return of_notice.where(or_(Delivery.channel == MAIL, Delivery.channel.like(f"{APP}:%"))).exists()


def _notify_once(uow: UnitOfWork, person_id: str, code: str, application_id: str | None) -> None:
    """Notify unless the same notice is unread: a server that is down causes one notice."""
    unread = select(Notice.id).where(
        Notice.person_id == person_id,
        Notice.code == code,
        Notice.application_id == application_id,
        Notice.read_at.is_(None),
        Notice.done_at.is_(None),
    )
    if uow.session.scalar(unread.limit(1)) is None:
        service.notify(uow, person_id, code, application_id=application_id)
