"""Stage visits: how long each case that has ended stayed in each stage (R62)."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, false, text
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base

TO_TOTAL = text("NOT totalled")
# the condition as the index has it, of which SQLite has the rows at once: ``totalled = 0`` would be another one
IS_TO_TOTAL = text("NOT stage_visits.totalled")


class StageVisit(Base):
    """One visit, written once its case has ended; ``place`` counts the visits of a case from 0.

    It follows from the rows of the case and only saves to derive it again: the timeline stays the truth (F24).
    """

    __tablename__ = "stage_visits"
    __table_args__ = (
        Index("ix_stage_visits_since", "since", "stage", "seconds", "application_id"),
        Index("ix_stage_visits_to_total", "application_id", sqlite_where=TO_TOTAL, postgresql_where=TO_TOTAL),
        Index(
            *("ix_stage_visits_not_totalled", "since", "stage", "seconds"),
            sqlite_where=TO_TOTAL,
            postgresql_where=TO_TOTAL,
        ),
    )

    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"), primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    stage: Mapped[str]
    since: Mapped[datetime]
    seconds: Mapped[float]
    totalled: Mapped[bool] = mapped_column(default=False, server_default=false())  # StageTotal has it
