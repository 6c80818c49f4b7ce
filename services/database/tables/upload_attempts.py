"""Upload attempts: a committed row with its own key before the first byte is sent (docs/sealing.md).

A crash between the upload and its completion leaves an object whose key the row knows.
"""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id


class UploadAttempt(Base):
    """One attempt to store one object; open until finished or abandoned."""

    __tablename__ = "upload_attempts"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    purpose: Mapped[str]  # quarantine, master, copy, replica, emergency
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"), index=True)
    item_id: Mapped[str] = mapped_column(ForeignKey("items.id"), index=True)
    subject_id: Mapped[str]  # what the key names: the item, or the copy to be
    job_key: Mapped[int]
    bucket: Mapped[str]
    key: Mapped[str] = mapped_column(unique=True)
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    version_id: Mapped[str | None]
    abandoned_at: Mapped[datetime | None]
    abandoned_because: Mapped[str | None]
    swept_at: Mapped[datetime | None]
