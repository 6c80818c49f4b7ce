"""Integrity checks of a case's objects in the vault (R6, R53)."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id


class IntegrityCheck(Base):
    """Runs while ``ended_at`` is empty; ``objects`` grows as they are examined, each with its faults."""

    __tablename__ = "integrity_checks"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"), index=True)
    asked_by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    began_at: Mapped[datetime]
    heartbeat_at: Mapped[datetime]  # of its last sign of life
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str | None]  # intact, damaged, unfinished
    bytes_total: Mapped[int]
    bytes_read: Mapped[int] = mapped_column(default=0)
    objects: Mapped[list[Any]] = mapped_column(default=list)
