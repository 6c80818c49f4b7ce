"""Issued copies under their own loan keys, grants, viewings and downloads (R36, R41, R55)."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id, reference
from services.database.tables.applications import Application, Item
from services.database.tables.masters import Master

OPENS = text("key_destroyed_at IS NULL")


def first_frame(context: DefaultExecutionContext) -> datetime | None:
    """Return when the footage of a row begins, in the recorder's time, from what it was sealed as."""
    return _frame(context, "firstFrame")


def last_frame(context: DefaultExecutionContext) -> datetime | None:
    """Return when the footage of a row ends, in the recorder's time."""
    return _frame(context, "lastFrame")


def _frame(context: DefaultExecutionContext, name: str) -> datetime | None:
    row: dict[str, Any] = context.get_current_parameters()  # type: ignore[no-untyped-call]  # SQLAlchemy types it not
    written = ((row.get("sealed") or {}).get("coverage") or {}).get(name)
    return datetime.fromisoformat(written) if written else None


class Copy(Base):
    """One item's issued copy, encrypted under a loan key that is destroyed when the loan ends.

    ``footage_from`` and ``footage_until`` are its first and last picture, which ``sealed`` has too: by these it is
    found who saw a moment, without what was sealed being read of each copy.
    """

    __tablename__ = "copies"
    __table_args__ = (Index("ix_copies_with_key", "id", sqlite_where=OPENS, postgresql_where=OPENS),)

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"), index=True)
    item_id: Mapped[str] = mapped_column(ForeignKey("items.id"), unique=True)
    master_id: Mapped[str] = mapped_column(ForeignKey("masters.id"))
    attempt_id: Mapped[str] = mapped_column(ForeignKey("upload_attempts.id"), unique=True)
    made_at: Mapped[datetime]
    sealed: Mapped[dict[str, Any]]
    footage_from: Mapped[datetime | None] = mapped_column(default=first_frame)
    footage_until: Mapped[datetime | None] = mapped_column(default=last_frame)
    hand_over_id: Mapped[str | None] = mapped_column(index=True)
    key_destroyed_at: Mapped[datetime | None]
    discarded_at: Mapped[datetime | None]
    discarded_because: Mapped[str | None]

    item: Mapped[Item] = reference()
    master: Mapped[Master] = reference()
    application: Mapped[Application] = reference()
    grants: Mapped[list["Grant"]] = reference(order_by="Grant.id")


class Grant(Base):
    """A person's right to one action on one copy; it always ends (F17)."""

    __tablename__ = "grants"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    copy_id: Mapped[str] = mapped_column(ForeignKey("copies.id"), index=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    action: Mapped[str]  # view, download
    since: Mapped[datetime]
    until: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_because: Mapped[str | None]

    copy: Mapped[Copy] = reference()


class Viewing(Base):
    """One viewing of one copy, for a confirmed purpose (R41); counts every read (F20)."""

    __tablename__ = "viewings"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    copy_id: Mapped[str] = mapped_column(ForeignKey("copies.id"), index=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    opened_at: Mapped[datetime]
    address: Mapped[str]
    last_read_at: Mapped[datetime | None]
    reads: Mapped[int] = mapped_column(default=0)
    bytes_read: Mapped[int] = mapped_column(default=0)
    ranges: Mapped[list[Any]] = mapped_column(default=list)  # merged [from, to) in bytes of the plaintext
    strips: Mapped[int] = mapped_column(default=0, server_default="0")  # rows of small pictures that were made
    sitting_id: Mapped[str | None] = mapped_column(ForeignKey("sittings.id"), index=True)  # of a viewing on site
    ended_at: Mapped[datetime | None]  # when the copy was opened again in the same sitting


class Download(Base):
    """A downloaded file, encrypted under a password or to the custodian's own key; named in the attestation (T2).

    The password is kept nowhere (``custody/download_password.py``); ``recipient`` is empty where there is one.
    """

    __tablename__ = "downloads"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    copy_id: Mapped[str] = mapped_column(ForeignKey("copies.id"), index=True)
    hand_over_id: Mapped[str] = mapped_column(index=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    recipient: Mapped[str]
    opens_with: Mapped[str] = mapped_column(default="age-key", server_default="age-key")  # browser, archiver, age-key
    medium: Mapped[str] = mapped_column(index=True)
    address: Mapped[str]
    asked_at: Mapped[datetime]
    reads: Mapped[int] = mapped_column(default=0)
    finished_at: Mapped[datetime | None]
