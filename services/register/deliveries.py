"""The book of deliveries: which notice goes out by which channel, and what came of it (R30, F25).

A row is written with its notice. ``next_at`` is the lease as well: whoever takes a row moves it on, so that nobody
else sends the same meanwhile. A portal that dies after sending sends again; the receiver knows it by the row's id.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import ForeignKey, Index, select
from sqlalchemy.orm import Mapped, mapped_column

from services.register.base import Base, new_id
from services.register.unit import Unit

if TYPE_CHECKING:
    from services.register.notices import Notice

MAIL, WEBHOOK = "mail", "webhook"
TOPIC = "deliveries"  # touched by every commit that leaves something to send


class Delivery(Base):
    """Waiting while ``delivered_at`` and ``given_up_at`` are empty. ``last_error`` is a code, ``last_detail`` says it
    in the words of whoever refused."""

    __tablename__ = "deliveries"
    __table_args__ = (Index("ix_deliveries_waiting", "channel", "given_up_at", "delivered_at", "next_at"),)

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    notice_id: Mapped[str] = mapped_column(ForeignKey("notices.id"), index=True)
    channel: Mapped[str]
    created_at: Mapped[datetime]
    next_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    delivered_at: Mapped[datetime | None]
    last_error: Mapped[str | None]
    last_detail: Mapped[str | None]
    given_up_at: Mapped[datetime | None]
    escalated_at: Mapped[datetime | None]

    @property
    def state(self) -> str:
        """``waiting``, ``delivered``, ``failed``, or ``unneeded`` when the notice was read before it could be sent."""
        if self.delivered_at is not None:
            return "delivered"
        if self.given_up_at is None:
            return "waiting"
        return "unneeded" if self.last_error == "read" else "failed"


def enter(unit: Unit, notice: "Notice", channels: Iterable[str]) -> None:
    """Leave the notice for the sender, once for each channel; the webhook hears once of what several people are told.

    The notice is in the unit's session already.
    """
    for channel in channels:
        if channel == WEBHOOK and _heard(unit, notice):
            continue
        unit.session.add(
            Delivery(notice_id=notice.id, channel=channel, created_at=notice.created_at, next_at=notice.created_at)
        )
        unit.after_commit.add(TOPIC)


def _heard(unit: Unit, notice: "Notice") -> bool:
    of = type(notice)
    query = (
        select(Delivery.id)
        .join(of, of.id == Delivery.notice_id)
        .where(
            Delivery.channel == WEBHOOK,
            Delivery.created_at == notice.created_at,
            of.code == notice.code,
            of.application_id == notice.application_id,
            of.subject_id == notice.subject_id,
        )
    )
    return unit.session.scalar(query.limit(1)) is not None
