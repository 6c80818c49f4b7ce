"""Violations: overdue, lost, disputed (R48, R51). Their handling is a process of its own."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.register.base import Base, new_id

KINDS = ("overdue", "loss", "discrepancy")


class Violation(Base):
    __tablename__ = "violations"
    __table_args__ = (UniqueConstraint("hand_over_id", "kind"),)

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"), index=True)
    hand_over_id: Mapped[str] = mapped_column(ForeignKey("hand_overs.id"))
    kind: Mapped[str]
    opened_at: Mapped[datetime]
    facts: Mapped[dict[str, Any]]
