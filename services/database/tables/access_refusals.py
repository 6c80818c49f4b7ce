"""Accesses that were refused to a signed-in person, as far as they count towards a pattern (R52)."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id


class AccessRefusal(Base):
    """One address that was refused to a person: the same one again is none, and beyond a bound none is kept.

    ``told``: with this one they were many within the window, and the head of Security and supervision were told.
    """

    __tablename__ = "access_refusals"
    __table_args__ = (Index("ix_access_refusals_of_person", "person_id", "at"),)

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"))
    at: Mapped[datetime]
    cause: Mapped[str]  # of services.runtime.metrics.REFUSED_CAUSES
    code: Mapped[str]
    asked: Mapped[str]  # method and path, without a query
    application_id: Mapped[str | None] = mapped_column(ForeignKey("applications.id"), index=True)
    told: Mapped[bool]
