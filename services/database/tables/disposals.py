"""Disposal: what is past its retention, what of it two people have agreed to destroy, and what became of each (R52)."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id
from services.database.tables.masters import Master
from services.database.tables.matters import Matter

LISTED, LEFT_OUT, DUE, KEPT, HELD, DELETED = "listed", "left-out", "due", "kept", "held", "deleted"
UNDER_WAY = text("state IN ('listed', 'left-out', 'due')")
TO_DELETE = text("state = 'due'")


class DisposalItem(Base):
    """One object in a batch: a master with its label, its replica and the copies that were issued of it.

    ``facts`` is what was listed, and never changes: what it is, its hashes, where it lies, until when it was retained.
    ``state``: ``listed``, ``left-out`` (with a reason, while nobody has signed), ``due`` once two people have signed,
    ``kept`` where it was left out or the batch refused, ``held`` where something held it again before it was deleted,
    ``deleted``. ``results``: what the stores answered.
    """

    __tablename__ = "disposal_items"
    # a master is in one batch at a time; what was left out or held may be listed again
    __table_args__ = (
        Index("ix_disposal_items_open", "master_id", unique=True, sqlite_where=UNDER_WAY, postgresql_where=UNDER_WAY),
        Index("ix_disposal_items_due", "id", sqlite_where=TO_DELETE, postgresql_where=TO_DELETE),
        Index("ix_disposal_items_of_state", "matter_id", "state"),
        UniqueConstraint("matter_id", "position"),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    matter_id: Mapped[str] = mapped_column(ForeignKey(Matter.id))
    position: Mapped[int]
    master_id: Mapped[str] = mapped_column(ForeignKey(Master.id), index=True)
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"), index=True)
    facts: Mapped[dict[str, Any]]
    state: Mapped[str]
    because: Mapped[str | None]  # why it was left out, or what held it
    marked_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    results: Mapped[list[Any] | None]
    ended_at: Mapped[datetime | None]
