"""Suspensions: why and since when a copy does not open (R41, R44, R51, R65)."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id


class Suspension(Base):
    """One reason why copies do not open: of one hand-over, or of a person in every hand-over that they hold.

    It is open until it is lifted, or until ``until``. Lifting one leaves the others open.
    """

    __tablename__ = "suspensions"
    __table_args__ = (CheckConstraint("(hand_over_id IS NULL) <> (person_id IS NULL)", name="subject"),)

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    hand_over_id: Mapped[str | None] = mapped_column(ForeignKey("hand_overs.id"), index=True)
    person_id: Mapped[str | None] = mapped_column(ForeignKey("people.id"), index=True)
    cause: Mapped[str]  # of services.domain.custody.suspensions.CAUSES
    violation_id: Mapped[str | None] = mapped_column(ForeignKey("violations.id"), index=True)  # that it stands with
    matter_id: Mapped[str | None]  # that it stands with
    since: Mapped[datetime]
    until: Mapped[datetime | None]
    lifted_at: Mapped[datetime | None]
    lifted_by: Mapped[str | None]  # who acted: a person's id, a job type or a part of the system
