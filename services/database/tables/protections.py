"""Protections: spans that a recorder was asked not to overwrite (T4, F1, F14)."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id


class Protection(Base):
    """A span on a recorder's channel; committed before the recorder is asked.

    ``outcome`` is None while the recorder has not answered; only what it cannot do needs no release. Recorder and
    channel are those that were asked, also if the camera is moved later.
    """

    __tablename__ = "protections"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"), index=True)
    item_id: Mapped[str] = mapped_column(ForeignKey("items.id"), index=True)
    recorder_id: Mapped[str] = mapped_column(ForeignKey("recorders.id"), index=True)
    channel: Mapped[str]
    span_start: Mapped[datetime]
    span_end: Mapped[datetime]
    requested_at: Mapped[datetime]
    outcome: Mapped[str | None]  # protected, unsupported, failed
    ended_at: Mapped[datetime | None]  # its case no longer needs it
    released_at: Mapped[datetime | None]  # on the recorder
