"""Returns, their inspections, and the re-archiving (R38 to R40)."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id


class Return(Base):
    """The custodian's signed return of all copies of one hand-over."""

    __tablename__ = "returns"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    hand_over_id: Mapped[str] = mapped_column(ForeignKey("hand_overs.id"), unique=True)
    returned_by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    returned_at: Mapped[datetime]
    return_to: Mapped[str]  # security, storage
    attestation: Mapped[dict[str, Any]]  # for each download and medium: destroyed or given back
    statement_sha256: Mapped[str]
    signature: Mapped[dict[str, Any]]


class Inspection(Base):
    """The findings of a return's automatic inspection; the inspector's answer is a decision."""

    __tablename__ = "inspections"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    hand_over_id: Mapped[str] = mapped_column(ForeignKey("hand_overs.id"), unique=True)
    inspected_at: Mapped[datetime]
    hashes: Mapped[dict[str, Any]]  # copy id -> matches
    findings: Mapped[list[Any]]


class ArchiveEntry(Base):
    """The end of a case: when its masters were re-archived, and when they may be disposed of."""

    __tablename__ = "archive_entries"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"), unique=True)
    archived_at: Mapped[datetime]
    in_order: Mapped[bool]
    dispose_after: Mapped[datetime]
    location: Mapped[str]
