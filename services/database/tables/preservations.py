"""Preservations: footage at risk of being overwritten, copied into the quarantine (T4, F1), or not yet."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id

HELD = text("released_at IS NULL")
OPEN = text("next_try_at IS NOT NULL")
DAMAGED = "damaged"  # why an object counts as held no more that is kept till the others of its case are released


class Preservation(Base):
    """One quarantine object for one item; holds a legal hold until it is released."""

    __tablename__ = "preservations"
    __table_args__ = (Index("ix_preservations_held", "item_id", sqlite_where=HELD, postgresql_where=HELD),)

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"), index=True)
    item_id: Mapped[str] = mapped_column(ForeignKey("items.id"), index=True)
    attempt_id: Mapped[str] = mapped_column(ForeignKey("upload_attempts.id"), unique=True)
    preserved_at: Mapped[datetime]
    asked_start: Mapped[datetime]
    asked_end: Mapped[datetime]
    sealed: Mapped[dict[str, Any]]  # vault.sealing.Sealed as JSON
    released_at: Mapped[datetime | None]
    released_because: Mapped[str | None]
    discarded_at: Mapped[datetime | None]  # when the object was gone from the vault


class FailedPreservation(Base):
    """An item that could not be preserved whole, until it is, its case ends, or its case needs it no more."""

    __tablename__ = "failed_preservations"
    __table_args__ = (Index("ix_failed_preservations_due", "next_try_at", sqlite_where=OPEN, postgresql_where=OPEN),)

    item_id: Mapped[str] = mapped_column(ForeignKey("items.id"), primary_key=True)
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"), index=True)
    job_key: Mapped[int]  # of the job that failed; the tries that follow work under it
    failures: Mapped[int]  # of this job, and since
    since: Mapped[datetime | None]  # of the first failure, of earlier jobs too; None: a process of an earlier release
    failed_at: Mapped[datetime]
    code: Mapped[str]  # the name of the last error
    next_try_at: Mapped[datetime | None]  # None: the recorder has overwritten it
    claimed_until: Mapped[datetime | None]  # a process tries it now, and says so anew until it has ended
