"""Reaches: how far back each camera's recordings go, day by day (F33)."""

from datetime import datetime, timedelta

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base


class Reach(Base):
    """One camera's last measurement of a day (UTC): its oldest picture, and when that was looked for."""

    __tablename__ = "reaches"

    camera_id: Mapped[str] = mapped_column(ForeignKey("cameras.id"), primary_key=True)
    day: Mapped[str] = mapped_column(primary_key=True)
    measured_at: Mapped[datetime]
    oldest_frame_at: Mapped[datetime]

    @property
    def length(self) -> timedelta:
        return self.measured_at - self.oldest_frame_at
