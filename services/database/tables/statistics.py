"""Totals that the statistics keep: of months that are over, and of the stages of cases that have ended (R62)."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base


class CountedMonth(Base):
    """A month that is over and whose figures were counted, such as 2031-03; they never change then."""

    __tablename__ = "counted_months"

    month: Mapped[str] = mapped_column(primary_key=True)
    counted_at: Mapped[datetime]


class MonthCount(Base):
    """One figure of a counted month; ``kind`` is that of violations, else empty. What is zero has no row."""

    __tablename__ = "month_counts"

    month: Mapped[str] = mapped_column(ForeignKey("counted_months.month"), primary_key=True)
    measure: Mapped[str] = mapped_column(primary_key=True)
    department_id: Mapped[str] = mapped_column(ForeignKey("departments.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int]


class StageTotal(Base):
    """The visits of a stage that began in a month, of a department's cases that have ended; grows as cases end."""

    __tablename__ = "stage_totals"
    __table_args__ = (Index("ix_stage_totals_department", "department_id", "month"),)

    month: Mapped[str] = mapped_column(primary_key=True)
    stage: Mapped[str] = mapped_column(primary_key=True)
    department_id: Mapped[str] = mapped_column(ForeignKey("departments.id"), primary_key=True)
    ended: Mapped[int]
    seconds: Mapped[float]
    longest: Mapped[float]
