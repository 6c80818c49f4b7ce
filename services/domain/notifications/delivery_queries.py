"""Deliveries for administrators: list, count, retry, send a test."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import ColumnElement, Select, func, literal, or_, select, update
from sqlalchemy.orm import aliased

from services.database.listing import EVERYTHING, Listing
from services.database.tables.deliveries import NOT_NEEDED, Delivery
from services.database.tables.notice_robots import NoticeRobot
from services.database.tables.notices import Notice
from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork
from services.domain.access.administrators import require_administrator
from services.domain.audit import trail as audit_trail
from services.domain.notifications import deliveries, service
from services.domain.notifications.deliveries import MAIL
from services.domain.notifications.dispatch import TEST
from services.domain.notifications.texts import find_codes, get_text
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message, Text, Worded

_OPEN = Delivery.delivered_at.is_(None) & Delivery.given_up_at.is_(None)
_FAILED = Delivery.given_up_at.is_not(None) & Delivery.last_error.not_in(NOT_NEEDED)
# The condition of each state; ``Delivery.state`` computes the same for one row.
STATES: Mapping[str, ColumnElement[bool]] = {
    "waiting": _OPEN,
    "failed": _FAILED,
    "delivered": Delivery.delivered_at.is_not(None),
}
OPEN_OR_FAILED = "open"
Sort = Literal["created", "person", "attempts"]


@dataclass(frozen=True)
class DeliveryRow(Worded):
    """One delivery, without number and case, which administrators do not see (R2).

    ``robot`` and ``robot_address``: of a chat group, the name of its robot, also of one that has ended, and what is
    shown of its address.
    """

    id: str
    channel: str
    state: str
    code: str
    message: Text
    person_id: str
    person: str
    email: str | None
    attempts: int
    created_at: datetime
    next_at: datetime
    delivered_at: datetime | None
    given_up_at: datetime | None
    last_error: str | None
    last_detail: str | None
    robot: str | None = None
    robot_address: str | None = None


def list_deliveries(uow: UnitOfWork, state: str = OPEN_OR_FAILED, listing: Listing = EVERYTHING) -> list[DeliveryRow]:
    """List the deliveries in a state, newest first; by default all that have not arrived.

    Administrators only. Searches the notices' words, the recipients, robots too, and the server's answers.
    """
    require_administrator(uow)
    query = (
        select(Delivery, Notice, Person, NoticeRobot)
        .join(Notice, Notice.id == Delivery.notice_id)
        .join(Person, Person.id == Notice.person_id)
        .outerjoin(NoticeRobot, Delivery.channel == literal(f"{deliveries.ROBOT}:") + NoticeRobot.id)
        .where(
            STATES.get(state, _OPEN | _FAILED),
            listing.mentioned(
                *(Person.name, Person.email, Delivery.last_detail, NoticeRobot.name),
                also=Notice.code.in_(find_codes(listing.text)),
            ),
        )
    )
    columns = {"created": Delivery.created_at, "person": Person.name, "attempts": Delivery.attempts}
    part = listing.part(query, columns, Delivery.created_at.desc(), Delivery.id)
    return [_delivery_row(*found) for found in uow.session.execute(part)]


def count_by_state(uow: UnitOfWork) -> dict[str, int]:
    """Count the deliveries in each state. Administrators only."""
    require_administrator(uow)
    return {
        state: uow.session.scalar(select(func.count()).select_from(Delivery).where(where)) or 0
        for state, where in STATES.items()
    }


def retry_delivery(uow: UnitOfWork, delivery_id: str) -> DeliveryRow:
    """Resend a delivery now, with all retries. Refused if it has arrived; administrators only."""
    require_administrator(uow)
    row = uow.session.get(Delivery, delivery_id, with_for_update=True)
    if row is None:
        raise NotFound(Message("delivery"), delivery_id)
    if row.state not in ("waiting", "failed"):
        raise Refused(
            "delivered-already",
            "This notice was delivered or read: it does not need to be sent again.",
        )
    _reset(uow, Delivery.id == delivery_id)
    audit_trail.record(uow, "delivery-retried", "delivery", delivery_id)
    uow.session.refresh(row)
    notice = uow.session.get_one(Notice, row.notice_id)
    robot = uow.session.get(NoticeRobot, row.channel.partition(":")[2])
    return _delivery_row(row, notice, uow.session.get_one(Person, notice.person_id), robot)


def retry_failed(uow: UnitOfWork) -> int:
    """Resend all failed deliveries, but not what was mailed in place of a message; return how many.

    Administrators only.
    """
    require_administrator(uow)
    wanted = _FAILED & Delivery.id.not_in(_mailed_instead())
    count = uow.session.scalar(select(func.count()).select_from(Delivery).where(wanted)) or 0
    if count:
        _reset(uow, wanted)
        audit_trail.record(uow, "deliveries-retried", "delivery", "all", count=count)
    return count


def _mailed_instead() -> Select[str]:
    """Build the query of what did not arrive in the chat app, or by an ended mail server, and was mailed instead."""
    mail = aliased(Delivery)
    return (
        select(Delivery.id)
        .join(mail, mail.notice_id == Delivery.notice_id)
        .where(
            or_(Delivery.channel.like(f"{deliveries.APP}:%"), Delivery.channel.like(f"{MAIL}:%")), mail.channel == MAIL
        )
    )


def send_test(uow: UnitOfWork, channel: str) -> Notice:
    """Send a notice to oneself by this channel. Administrators only."""
    require_administrator(uow)
    if channel not in deliveries.channels_in_use(uow):
        raise Refused(
            "channel-not-set",
            "This way of delivery is not configured: set the mail server, or the webhook in the environment, first.",
        )
    if channel == MAIL and not uow.session.get_one(Person, uow.actor.id).email:
        raise Refused(
            "no-address",
            "You have no mail address: add it under “People” first.",
        )
    notice = service.notify(uow, uow.actor.id, TEST, application_id=None, channels=(channel,))
    audit_trail.record(uow, "test-notice", "notice", notice.id, channel=channel)
    return notice


def _reset(uow: UnitOfWork, which: ColumnElement[bool]) -> None:
    uow.session.execute(
        update(Delivery)
        .where(which)
        .values(attempts=0, next_at=uow.now, given_up_at=None, last_error=None, last_detail=None)
        .execution_options(synchronize_session=False)
    )
    uow.after_commit.add(deliveries.TOPIC)


def _delivery_row(row: Delivery, notice: Notice, person: Person, robot: NoticeRobot | None) -> DeliveryRow:
    return DeliveryRow(
        id=row.id,
        channel=row.channel,
        state=row.state,
        code=notice.code,
        message=get_text(notice.code).message,
        person_id=person.id,
        person=person.name,
        email=person.email if deliveries.kind_of(row.channel) == MAIL else None,
        attempts=row.attempts,
        created_at=row.created_at,
        next_at=row.next_at,
        delivered_at=row.delivered_at,
        given_up_at=row.given_up_at,
        last_error=row.last_error,
        last_detail=row.last_detail,
        robot=robot.name if robot is not None else None,
        robot_address=robot.shown if robot is not None else None,
    )
