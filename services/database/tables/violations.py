"""Violations: overdue, loss, discrepancy and the like, from their opening to their end (R48, R51, R65 to R67)."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id

UNDATED = text("due_at IS NULL AND problem_id IS NULL")


class Violation(Base):
    """One breach of a loan's rules, once for each hand-over, kind and due date, and once for each matter.

    ``due_at``: the due date that was missed, of an overdue copy alone. After an extension the same loan can be overdue
    again. ``problem_id``: the matter in which Security found the breach, or that nobody has approved afterwards; a
    later report of the same loan may find another one. ``hand_over_id``: None where the case has no loan. The second
    index is there because a unique key does not hold where ``due_at`` is NULL.
    """

    __tablename__ = "violations"
    __table_args__ = (
        Index("uq_violations_dated", "hand_over_id", "kind", "due_at", unique=True),
        Index(
            "uq_violations_undated", "hand_over_id", "kind", unique=True, sqlite_where=UNDATED, postgresql_where=UNDATED
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"), index=True)
    hand_over_id: Mapped[str | None] = mapped_column(ForeignKey("hand_overs.id"))
    kind: Mapped[str]  # of services.domain.custody.violations.KINDS
    due_at: Mapped[datetime | None]
    problem_id: Mapped[str | None] = mapped_column(ForeignKey("matters.id"), unique=True)
    opened_at: Mapped[datetime]
    facts: Mapped[dict[str, Any]]
    accused: Mapped[list[str]] = mapped_column(default=list, server_default="[]")  # people, by id
    closed_at: Mapped[datetime | None]
    closed_as: Mapped[str | None]  # upheld, cleared, settled
