"""Preservations: footage at risk of being overwritten, copied into the quarantine (T4, F1)."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id

HELD = text("released_at IS NULL")


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
