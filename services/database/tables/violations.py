"""Violations: overdue, loss, discrepancy (R48, R51); a process of its own handles them."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id


class Violation(Base):
    """One breach of a loan's rules, once for each hand-over and kind."""

    __tablename__ = "violations"
    __table_args__ = (UniqueConstraint("hand_over_id", "kind"),)

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"), index=True)
    hand_over_id: Mapped[str] = mapped_column(ForeignKey("hand_overs.id"))
    kind: Mapped[str]
    opened_at: Mapped[datetime]
    facts: Mapped[dict[str, Any]]
