"""Redacted copies: what is made of which copy by which recipe, each run that makes it, and who has watched it (R58)."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id, reference
from services.database.tables.applications import Application, Item
from services.database.tables.copies import Copy
from services.database.tables.masters import Master

TO_MAKE = text("made_at IS NULL AND failed_at IS NULL AND ended_at IS NULL")
KEPT = text("made_at IS NOT NULL AND discarded_at IS NULL")


class Derivative(Base):
    """One redacted copy: derived of an issued copy of a master, which both stay as they are.

    It waits to be made until one of ``made_at``, ``failed_at`` and ``ended_at`` (its matter closed before) is set. Its
    object is encrypted under a key named after ``attempt_id``, the run that has made it.
    """

    __tablename__ = "derivatives"
    __table_args__ = (
        Index("ix_derivatives_to_make", "queued_at", "id", sqlite_where=TO_MAKE, postgresql_where=TO_MAKE),
        Index("ix_derivatives_verified", "last_verified_at", "id", sqlite_where=KEPT, postgresql_where=KEPT),
        Index("ix_derivatives_kept", "retain_until", "id", sqlite_where=KEPT, postgresql_where=KEPT),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    matter_id: Mapped[str] = mapped_column(ForeignKey("matters.id"), unique=True)
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"), index=True)
    item_id: Mapped[str] = mapped_column(ForeignKey("items.id"))
    copy_id: Mapped[str] = mapped_column(ForeignKey("copies.id"), index=True)
    master_id: Mapped[str] = mapped_column(ForeignKey("masters.id"))
    recipe: Mapped[dict[str, Any]]  # vault.redaction.recipe.Recipe as JSON
    recipe_sha256: Mapped[str]
    queued_at: Mapped[datetime]
    attempt_id: Mapped[str | None]  # the run that has made it
    made_at: Mapped[datetime | None]
    sealed: Mapped[dict[str, Any] | None]  # vault.sealing.Sealed as JSON
    facts: Mapped[dict[str, Any] | None]  # pictures and tools: what was done
    label_sha256: Mapped[str | None]  # of the text that its label signs
    failed_at: Mapped[datetime | None]
    failed_because: Mapped[str | None]
    ended_at: Mapped[datetime | None]
    approved_at: Mapped[datetime | None]
    retain_until: Mapped[datetime | None]
    key_destroyed_at: Mapped[datetime | None]
    discarded_at: Mapped[datetime | None]
    last_verified_at: Mapped[datetime | None]  # read again, and compared with what was sealed
    damaged_at: Mapped[datetime | None]  # from then on nobody opens it: it is to be made anew
    damaged_as: Mapped[list[str] | None]

    application: Mapped[Application] = reference()
    item: Mapped[Item] = reference()
    copy: Mapped[Copy] = reference()
    master: Mapped[Master] = reference()


class DerivativeAttempt(Base):
    """One run that makes a redacted copy, with a key of its own in the store; the row is there before the first byte.

    ``pictures`` and ``reached_ms`` say how far it has come.
    """

    __tablename__ = "derivative_attempts"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    derivative_id: Mapped[str] = mapped_column(ForeignKey("derivatives.id"), index=True)
    bucket: Mapped[str]
    key: Mapped[str] = mapped_column(unique=True)
    started_at: Mapped[datetime]
    pictures: Mapped[int] = mapped_column(default=0)
    reached_ms: Mapped[int] = mapped_column(default=0)
    finished_at: Mapped[datetime | None]
    abandoned_at: Mapped[datetime | None]
    abandoned_because: Mapped[str | None]
    swept_at: Mapped[datetime | None]


class DerivativeViewing(Base):
    """One person's viewing of a redacted copy: bytes that were read, and what the player has played of them.

    ``ranges`` are all bytes of the plaintext that were read, for stills and thumbnails too, and ``streamed`` those that
    the player has read, both as merged [from, to). ``played`` are merged [from, to) in milliseconds after the first
    picture, of pictures that the player has read; ``credited_ms`` counts all that was reported, which is no faster than
    the clock allows. ``credit_left_ms`` is what the person could report at once then, at ``credited_at``, of all
    viewings; None before the first report.
    """

    __tablename__ = "derivative_viewings"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    derivative_id: Mapped[str] = mapped_column(ForeignKey("derivatives.id"), index=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    opened_at: Mapped[datetime]
    address: Mapped[str]
    last_read_at: Mapped[datetime | None]
    reads: Mapped[int] = mapped_column(default=0)
    bytes_read: Mapped[int] = mapped_column(default=0)
    ranges: Mapped[list[Any]] = mapped_column(default=list)
    streamed: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")
    strips: Mapped[int] = mapped_column(default=0, server_default="0")  # rows of small pictures that were made
    played: Mapped[list[Any]] = mapped_column(default=list)
    credited_ms: Mapped[int] = mapped_column(default=0)
    credit_left_ms: Mapped[int | None]
    credited_at: Mapped[datetime | None]

    @property
    def copy_id(self) -> str:
        """What is read, as the audit trail of readings names it."""
        return self.derivative_id
