"""Deliveries: one row for each notice and channel, with its result (R30, F25).

A row is written with its notice. ``next_at`` is the lease as well: a sender that claims a row advances it, so that no
other sends the same meanwhile. A process that dies after sending sends twice; the receiver deduplicates by the row's
id.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sqlalchemy import select

from services.database.tables.deliveries import Delivery
from services.database.unit_of_work import UnitOfWork

if TYPE_CHECKING:
    from services.database.tables.notices import Notice

MAIL, WEBHOOK = "mail", "webhook"
TOPIC = "deliveries"  # notified by every commit that adds a delivery


def add(uow: UnitOfWork, notice: "Notice", channels: Iterable[str]) -> None:
    """Add a delivery for each channel; by webhook, only one for the notice's recipients.

    The notice is in the unit's session already.
    """
    for channel in channels:
        if channel == WEBHOOK and _is_announced(uow, notice):
            continue
        uow.session.add(
            Delivery(notice_id=notice.id, channel=channel, created_at=notice.created_at, next_at=notice.created_at)
        )
        uow.after_commit.add(TOPIC)


def add_mails(uow: UnitOfWork, notice: "Notice", addresses: Iterable[str]) -> None:
    """Add a mail to each of these addresses, beside the one to the person's own."""
    for address in addresses:
        row = Delivery(notice_id=notice.id, channel=MAIL, created_at=notice.created_at, next_at=notice.created_at)
        row.address = address
        uow.session.add(row)
        uow.after_commit.add(TOPIC)


def _is_announced(uow: UnitOfWork, notice: "Notice") -> bool:
    table = type(notice)
    query = (
        select(Delivery.id)
        .join(table, table.id == Delivery.notice_id)
        .where(
            Delivery.channel == WEBHOOK,
            Delivery.created_at == notice.created_at,
            table.code == notice.code,
            table.application_id == notice.application_id,
            table.subject_id == notice.subject_id,
        )
    )
    return uow.session.scalar(query.limit(1)) is not None
