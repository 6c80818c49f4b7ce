"""Progress of the work on an item's footage, for the storage office and the sweeper (R31, R32)."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base


class Progress(Base):
    """The progress of one item's work for one purpose: for display, and to tell an upload that lives from a dead one.

    ``phase``: probing, fetching, retrying-fetch, sealing, adopting, storing, replicating, verifying, issuing. ``share``
    is 0 to 1.
    """

    __tablename__ = "progress"

    item_id: Mapped[str] = mapped_column(ForeignKey("items.id"), primary_key=True)
    purpose: Mapped[str] = mapped_column(primary_key=True)  # quarantine, master, replica, copy
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"), index=True)
    phase: Mapped[str]
    size: Mapped[int] = mapped_column(default=0)  # bytes so far
    share: Mapped[float] = mapped_column(default=0.0)
    since: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    heartbeat_at: Mapped[datetime]  # of the last sign of life, whether anything had changed or not
    last_error: Mapped[str | None]  # the name of the last error
    last_error_at: Mapped[datetime | None]
