"""Issued copies, each under a loan key of its own, and the grants to open them (R36, R55)."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from services.register.base import Base, new_id


class Copy(Base):
    __tablename__ = "copies"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"), index=True)
    item_id: Mapped[str] = mapped_column(ForeignKey("items.id"), unique=True)
    master_id: Mapped[str] = mapped_column(ForeignKey("masters.id"))
    attempt_id: Mapped[str] = mapped_column(ForeignKey("upload_attempts.id"), unique=True)
    made_at: Mapped[datetime]
    sealed: Mapped[dict[str, Any]]
    hand_over_id: Mapped[str | None] = mapped_column(index=True)
    key_destroyed_at: Mapped[datetime | None]
    discarded_at: Mapped[datetime | None]
    discarded_because: Mapped[str | None]


class Grant(Base):
    """One person may do one thing with one copy, from ``since`` up to ``until``; never without an end (F17)."""

    __tablename__ = "grants"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    copy_id: Mapped[str] = mapped_column(ForeignKey("copies.id"), index=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    action: Mapped[str]  # view, download
    since: Mapped[datetime]
    until: Mapped[datetime]
    suspended_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    ended_because: Mapped[str | None]
