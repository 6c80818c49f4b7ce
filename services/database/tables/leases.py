"""Leases, by which one process of several does what only one must do, and what it counted for all."""

from sqlalchemy import Double
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base


class LeaseRow(Base):
    """Who does a task now; after ``until``, in seconds since 1970 by the database's clock, anybody may take it."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[str]
    until: Mapped[float] = mapped_column(Double)


class CountedMetrics(Base):
    """The metrics that a task last counted, in Prometheus' text format; every portal exports them."""

    __tablename__ = "counted_metrics"

    task: Mapped[str] = mapped_column(primary_key=True)
    text: Mapped[str]
