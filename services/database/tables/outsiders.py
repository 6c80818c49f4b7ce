"""Outsiders: the people for whom an application asks, with the cards that they have shown (R21, R58)."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id


class Outsider(Base):
    """A person outside the organisation who is named in an application.

    ``card_tail`` is the end of the card's number, which everybody sees who sees the form; ``card_sealed`` the whole
    number, encrypted with the portal's key, and empty once it was deleted.
    """

    __tablename__ = "outsiders"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"), index=True)
    position: Mapped[int]
    name: Mapped[str]
    unit: Mapped[str]
    card_kind: Mapped[str]  # one of domain.applications.outsiders.CARDS
    card_tail: Mapped[str]
    card_sealed: Mapped[str]
    contact: Mapped[str]
    added_by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    added_at: Mapped[datetime]
    purge_after: Mapped[datetime | None] = mapped_column(index=True)  # then the whole number is deleted
    purged_at: Mapped[datetime | None]  # when it was; its end stays
