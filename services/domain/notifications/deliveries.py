"""The book of deliveries: which notice goes out by which channel, and what came of it (R30, F25).

A row is written with its notice. ``next_at`` is the lease as well: whoever takes a row moves it on, so that nobody
else sends the same meanwhile. A portal that dies after sending sends again; the receiver knows it by the row's id.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sqlalchemy import select

from services.database.tables.deliveries import Delivery
from services.database.unit_of_work import UnitOfWork

if TYPE_CHECKING:
    from services.database.tables.notices import Notice

MAIL, WEBHOOK = "mail", "webhook"
TOPIC = "deliveries"  # touched by every commit that leaves something to send


def add(uow: UnitOfWork, notice: "Notice", channels: Iterable[str]) -> None:
    """Leave the notice for the sender, once for each channel; the webhook hears once of what several people are told.

    The notice is in the unit's session already.
    """
    for channel in channels:
        if channel == WEBHOOK and _is_announced(uow, notice):
            continue
        uow.session.add(
            Delivery(notice_id=notice.id, channel=channel, created_at=notice.created_at, next_at=notice.created_at)
        )
        uow.after_commit.add(TOPIC)


def _is_announced(uow: UnitOfWork, notice: "Notice") -> bool:
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
    return uow.session.scalar(query.limit(1)) is not None
