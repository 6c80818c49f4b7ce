"""Deliveries of notices by channel, with their results (R30, F25)."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id, reference
from services.database.tables.notices import Notice

WAITING = text("delivered_at IS NULL AND given_up_at IS NULL")

# Errors of what is not sent any more, and need not be: the notice was read, or its work was done, before; or its
# channel was ended.
NOT_NEEDED = frozenset({"read", "done", "channel-removed"})


class Delivery(Base):
    """One notice on one channel; waiting while ``delivered_at`` and ``given_up_at`` are empty.

    ``next_at`` is the lease as well: a sender advances it, so that no other sends the same meanwhile. ``last_error``
    is a code, ``last_detail`` the answer of the server.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        Index("ix_deliveries_waiting", "channel", "given_up_at", "delivered_at", "next_at"),
        Index("ix_deliveries_open", "channel", sqlite_where=WAITING, postgresql_where=WAITING),
    )

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
    address: Mapped[str | None]  # a former address of the person's, which is told of changes; empty: that of the person

    notice: Mapped[Notice] = reference()

    @property
    def state(self) -> str:
        """``waiting``, ``delivered``, ``failed``, or ``unneeded`` when the notice was read before it could be sent."""
        if self.delivered_at is not None:
            return "delivered"
        if self.given_up_at is None:
            return "waiting"
        return "unneeded" if self.last_error in NOT_NEEDED else "failed"
