"""Violations: overdue, loss, discrepancy and the like, from their opening to their end (R48, R51, R65 to R67)."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id

OPEN = text("closed_at IS NULL")
UNDATED = text("due_at IS NULL AND problem_id IS NULL AND closed_at IS NULL AND NOT further")


class Violation(Base):
    """One breach of a loan's rules, once for each hand-over, kind and due date, and once for each matter.

    ``due_at``: the due date that was missed, of an overdue copy alone. After an extension the same loan can be overdue
    again; after a cleared one at the hard maximum it is the end of the time that was left to return the copies.
    ``problem_id``: the matter in which Security found the breach, or that nobody has approved afterwards; a later
    report of the same loan may find another one. ``further``: opened beside another violation of the same loan and
    kind that was open, of other people or in another report. ``hand_over_id``: None where the case has no loan. The key
    of those without a due date holds for open ones that are not ``further``: a leak may come after an earlier one was
    decided.
    """

    __tablename__ = "violations"
    __table_args__ = (
        Index("ix_violations_open", "severity", sqlite_where=OPEN, postgresql_where=OPEN),
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
    problem_id: Mapped[str | None] = mapped_column(ForeignKey("matters.id"), index=True, unique=True)
    further: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    opened_at: Mapped[datetime]
    facts: Mapped[dict[str, Any]]
    accused: Mapped[list[str]] = mapped_column(default=list, server_default="[]")  # people, by id
    closed_at: Mapped[datetime | None]
    closed_as: Mapped[str | None]  # upheld, cleared, settled
    matter_id: Mapped[str | None] = mapped_column(index=True)  # None: opened before schema 1153
    severity: Mapped[str | None]  # of services.domain.custody.violations.SEVERITIES, once assessed
    served_at: Mapped[datetime | None]  # when the accused were told the facts
    reply_until: Mapped[datetime | None]
    heard_at: Mapped[datetime | None]  # all accused have replied, or their time was over; no reply comes after
    sanctioned_at: Mapped[datetime | None]
    referral: Mapped[dict[str, Any] | None]  # the hold, and once it was handed over: authority, date, receipt, package
    appeal_id: Mapped[str | None] = mapped_column(index=True, unique=True)  # the matter of its newest appeal
    settlement: Mapped[dict[str, Any] | None]  # how the loss was made good, when, and who says so


class Hearing(Base):
    """One person who is heard about a violation: an accused, or who speaks for the department.

    An accused has a row as soon as the violation is recorded; a department's has one once it has replied.
    """

    __tablename__ = "hearings"
    __table_args__ = (CheckConstraint("part IN ('accused', 'department')", name="part"),)

    matter_id: Mapped[str] = mapped_column(ForeignKey("matters.id"), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), primary_key=True, index=True)
    part: Mapped[str]
    reply: Mapped[str | None]
    replied_at: Mapped[datetime | None]


class Sanction(Base):
    """One sanction of one person, as it was decided; ``dropped_because`` of one that does not take effect (R66)."""

    __tablename__ = "sanctions"
    __table_args__ = (UniqueConstraint("matter_id", "person_id", "kind"),)

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    matter_id: Mapped[str] = mapped_column(ForeignKey("matters.id"), index=True)
    decision_id: Mapped[str] = mapped_column(ForeignKey("decisions.id"))
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    kind: Mapped[str]  # of the sanctions in review-stages.json
    amount: Mapped[str | None]  # a decimal number of ``currency``
    currency: Mapped[str | None]  # ISO 4217; of an amount before schema 1166 none
    note: Mapped[str | None]
    recorded_at: Mapped[datetime]
    dropped_because: Mapped[str | None]  # legal-rejected, switched-off
    revoked_at: Mapped[datetime | None]  # by an appeal that was granted; the row stays
