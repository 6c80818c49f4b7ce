"""Masters: an item's footage in the vault, and its replica elsewhere (R6, R14, R15)."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id, reference
from services.database.tables.applications import Item


class Master(Base):
    """One item's original in the vault; disposed of after ``dispose_after``."""

    __tablename__ = "masters"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"), index=True)
    item_id: Mapped[str] = mapped_column(ForeignKey("items.id"), unique=True)
    attempt_id: Mapped[str] = mapped_column(ForeignKey("upload_attempts.id"), unique=True)
    origin: Mapped[str]  # recorder, quarantine, upload
    retrieved_at: Mapped[datetime]
    sealed: Mapped[dict[str, Any]]  # vault.sealing.Sealed as JSON: keys, hashes, coverage, fragments
    replica: Mapped[dict[str, Any] | None]
    replica_verified_at: Mapped[datetime | None]
    archived_at: Mapped[datetime | None]
    dispose_after: Mapped[datetime | None]  # from its class, set at re-archiving (T13)
    discarded_at: Mapped[datetime | None]
    discarded_because: Mapped[str | None]

    item: Mapped[Item] = reference()
