"""Versions of the laws, standards and own rules that apply; rows are only added (R3)."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base


class ApplicableRule(Base):
    """One version of one rule as Legal has entered it; the highest version of a rule is in force."""

    __tablename__ = "applicable_rules"

    rule_id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    changed_by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    entry: Mapped[dict[str, Any]]  # domain.applicable_rules.entries.Entry as JSON
    reason: Mapped[str]
