"""The working calendar: each year's days off and working weekends, as administrators imported them."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base


class CalendarYear(Base):
    """One import of a year; the newest of a year counts, rows are only added.

    ``days`` lists what differs from the week, by date: ``date`` (ISO 8601), ``kind`` (off, working), ``zh``, ``en``.
    """

    __tablename__ = "calendar_years"

    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    year: Mapped[int] = mapped_column(index=True)
    days: Mapped[list[Any]]
    imported_at: Mapped[datetime]
    imported_by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    reason: Mapped[str]
