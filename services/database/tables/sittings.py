"""Sittings of viewings on site: who was present, at which station, and how each ended (R41, R47, R56, R58)."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id

NOT_CLOSED = text("closed_at IS NULL")


class Sitting(Base):
    """One sitting of a loan that is viewed on site; a loan has one at a time that is not closed.

    Nothing is shown after ``confirmed_at`` and ``interval_seconds``, whether anybody closes it or not. ``present`` has
    the people of the organisation and the outsiders as they were then, by name; ``departure`` who signed how when they
    left.
    """

    __tablename__ = "sittings"
    __table_args__ = (
        Index(
            "ix_sittings_not_closed", "hand_over_id", unique=True, sqlite_where=NOT_CLOSED, postgresql_where=NOT_CLOSED
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    number: Mapped[str] = mapped_column(unique=True)  # of its sheet
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"), index=True)
    hand_over_id: Mapped[str] = mapped_column(ForeignKey("hand_overs.id"), index=True)
    companion_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    station: Mapped[str]
    address: Mapped[str]
    purpose: Mapped[str]  # as it was read out and confirmed
    present: Mapped[dict[str, Any]]
    opened_at: Mapped[datetime]
    confirmed_at: Mapped[datetime]  # when the companion last said to be present
    interval_seconds: Mapped[int]  # as the rule was when it was opened
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    closed_as: Mapped[str | None]  # left, or loan-ended where nobody has signed for it before
    departure: Mapped[dict[str, Any] | None]
    statement_sha256: Mapped[str | None]
    signature: Mapped[dict[str, Any] | None]
