"""Uploads: recordings that are not from cameras, uploaded as files (R8, R9)."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id


class Upload(Base):
    """One file: announced, then received or abandoned, and in the end removed.

    The received file is sealed in the quarantine, and is a camera of its own recorder of the kind ``upload``.
    ``sha256`` and ``size`` (bytes) are of the file. ``changed_at``: while it is received, its last sign of life.
    """

    __tablename__ = "uploads"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    application_id: Mapped[str | None] = mapped_column(ForeignKey("applications.id"), index=True)
    source: Mapped[str]  # meeting, training, event, other
    title: Mapped[str]
    occasion: Mapped[str]
    place: Mapped[str]
    recorded_by: Mapped[str]
    description: Mapped[str]
    zone: Mapped[str]
    stated_start: Mapped[datetime | None]
    start_known_by: Mapped[str | None]
    announced_size: Mapped[int | None]
    announced_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    key: Mapped[str] = mapped_column(unique=True)
    begun_at: Mapped[datetime | None]
    received_at: Mapped[datetime | None]
    sha256: Mapped[str | None]
    size: Mapped[int | None]
    duration_ms: Mapped[int | None]
    codecs: Mapped[list[str] | None]
    file_start: Mapped[datetime | None]  # from the file itself
    sealed: Mapped[dict[str, Any] | None]  # vault.sealing.Sealed as JSON, at its start if that is known
    abandoned_at: Mapped[datetime | None]
    abandoned_because: Mapped[str | None]
    swept_at: Mapped[datetime | None]
    removed_at: Mapped[datetime | None]
    removed_because: Mapped[str | None]

    @property
    def start(self) -> datetime | None:
        """The time of the first picture: as stated, else as in the file. Neither is ever corrected."""
        return self.stated_start or self.file_start

    @property
    def known_by(self) -> str:
        """The source of the start: in the applicant's words, or the file itself."""
        return self.start_known_by if self.stated_start and self.start_known_by else "the file's own creation time"

    @property
    def state(self) -> str:
        """announced, receiving, received, failed or removed."""
        if self.removed_at is not None:
            return "removed"
        if self.abandoned_at is not None:
            return "failed"
        if self.received_at is not None:
            return "received"
        return "announced" if self.begun_at is None else "receiving"
