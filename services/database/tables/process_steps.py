"""Process steps: the jobs of a case, on any engine (R2, F24)."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base

WAITING = text("waiting_since IS NOT NULL")


class ProcessStep(Base):
    """One job of the process; under way while ``ended_at`` is empty.

    The key is the engine's, so that a second run of a job finds its first. Waits for people have no row here:
    reviews, corrections and hand-overs have theirs.
    """

    __tablename__ = "process_steps"
    __table_args__ = (Index("ix_process_steps_waiting", "waiting_for", sqlite_where=WAITING, postgresql_where=WAITING),)

    element_instance_key: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"), index=True)
    process_id: Mapped[str]
    process_instance_key: Mapped[int] = mapped_column(index=True)
    element_id: Mapped[str]
    process_version: Mapped[int | None]  # as the engine numbers it; None before schema 1144, like the next
    process_definition_key: Mapped[int | None]
    item_id: Mapped[str | None]
    began_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str | None]  # completed, cancelled, or the code of a BPMN error
    attempts: Mapped[int]
    stuck_since: Mapped[datetime | None]  # waits for a person to remove the cause
    # waits for a part that is away: recorder, store or database; which one it was stays on a step that became stuck
    waiting_for: Mapped[str | None]
    waiting_since: Mapped[datetime | None]
    next_try_at: Mapped[datetime | None]  # None while a try runs
    waiting_until: Mapped[datetime | None]  # then it becomes stuck
