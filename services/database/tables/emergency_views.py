"""Emergency views of an urgent retrieval: copies under keys of their own, who may see them, and each look (4.6)."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id, reference
from services.database.tables.applications import Item
from services.database.tables.copies import first_frame, last_frame


class EmergencyCopy(Base):
    """What the quarantine has of one item, encrypted anew under a key that is destroyed when the view ends."""

    __tablename__ = "emergency_copies"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    matter_id: Mapped[str] = mapped_column(ForeignKey("matters.id"), index=True)
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"), index=True)
    item_id: Mapped[str] = mapped_column(ForeignKey("items.id"), unique=True)
    attempt_id: Mapped[str] = mapped_column(ForeignKey("upload_attempts.id"), unique=True)
    made_at: Mapped[datetime]
    sealed: Mapped[dict[str, Any]]  # vault.sealing.Sealed as JSON
    footage_from: Mapped[datetime | None] = mapped_column(default=first_frame)
    footage_until: Mapped[datetime | None] = mapped_column(default=last_frame)
    key_destroyed_at: Mapped[datetime | None]
    discarded_at: Mapped[datetime | None]

    item: Mapped[Item] = reference()


class EmergencyGrant(Base):
    """One person's right to see the emergency copies of one urgent retrieval; never to download them."""

    __tablename__ = "emergency_grants"
    __table_args__ = (UniqueConstraint("matter_id", "person_id"),)

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    matter_id: Mapped[str] = mapped_column(ForeignKey("matters.id"), index=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    since: Mapped[datetime]
    until: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_because: Mapped[str | None]


class EmergencyViewing(Base):
    """One look at one emergency copy; counts every read (F20)."""

    __tablename__ = "emergency_viewings"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    copy_id: Mapped[str] = mapped_column(ForeignKey("emergency_copies.id"), index=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    opened_at: Mapped[datetime]
    address: Mapped[str]
    last_read_at: Mapped[datetime | None]
    reads: Mapped[int] = mapped_column(default=0)
    bytes_read: Mapped[int] = mapped_column(default=0)
    ranges: Mapped[list[Any]] = mapped_column(default=list)  # merged [from, to) in bytes of the plaintext
    strips: Mapped[int] = mapped_column(default=0, server_default="0")  # rows of small pictures that were made
