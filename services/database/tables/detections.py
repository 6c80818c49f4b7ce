"""Detections: what the face detector proposes for a copy, each run of which begins from the start (R58)."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id

TO_MAKE = text("made_at IS NULL AND failed_at IS NULL AND ended_at IS NULL")


class Detection(Base):
    """One search for faces in an issued copy. It waits until ``made_at``, ``failed_at`` or ``ended_at`` is set.

    ``runs``: how many were begun, of which ``excused`` ended because a part was away or the process was stopped;
    ``pictures`` and ``reached_ms`` say how far the last one has come.
    """

    __tablename__ = "detections"
    __table_args__ = (
        Index("ix_detections_to_make", "queued_at", "id", sqlite_where=TO_MAKE, postgresql_where=TO_MAKE),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"), index=True)
    copy_id: Mapped[str] = mapped_column(ForeignKey("copies.id"), index=True)
    asked_by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    tool: Mapped[dict[str, Any]]  # what proposes: vault.redaction.detector.tool and its parameters
    queued_at: Mapped[datetime]
    runs: Mapped[int] = mapped_column(default=0)
    excused: Mapped[int] = mapped_column(default=0)
    pictures: Mapped[int] = mapped_column(default=0)
    reached_ms: Mapped[int] = mapped_column(default=0)
    made_at: Mapped[datetime | None]
    proposals: Mapped[
        dict[str, Any] | None
    ]  # vault.redaction.detection.Detection.proposals; none once the copy is gone
    facts: Mapped[dict[str, Any] | None]  # pictures, and those that were looked at
    failed_at: Mapped[datetime | None]
    failed_because: Mapped[str | None]
    ended_at: Mapped[datetime | None]
