"""Reviews and decisions: one open question to a group of people, and its answer (R22 to R27)."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id, reference
from services.database.tables.applications import Application

OPEN = text("closed_at IS NULL")
REJECTED = ("rejected", "refused")
REFUSALS = text("outcome IN ('rejected', 'refused')")

# Why a review was closed without a decision, beside ``answered:`` and ``case-closed:``.
PASSED, BRANCH_ENDED = "passed", "branch-ended"


class Review(Base):
    """Open while ``closed_at`` is empty. ``job_key`` makes opening idempotent: one review for each open-review job."""

    __tablename__ = "reviews"
    __table_args__ = (
        Index("ix_reviews_open", "stage", "due_at", sqlite_where=OPEN, postgresql_where=OPEN),
        Index("ix_reviews_open_by_id", "id", sqlite_where=OPEN, postgresql_where=OPEN),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"), index=True)
    stage: Mapped[str] = mapped_column(index=True)
    round: Mapped[int]
    issue: Mapped[int] = mapped_column(default=1, server_default="1")  # of the copies, when it was opened
    hand_over_id: Mapped[str | None] = mapped_column(index=True)
    matter_id: Mapped[str | None] = mapped_column(index=True)  # what is decided, where it is not the application
    job_key: Mapped[int] = mapped_column(unique=True)
    process_instance_key: Mapped[int]
    opened_at: Mapped[datetime]
    due_at: Mapped[datetime]
    first_reminder_at: Mapped[datetime | None]  # None: before schema 1143, and of a receipt
    due_reason: Mapped[dict[str, Any] | None]  # of ``due_at``: working_calendar/deadlines.py; None as above
    escalated_at: Mapped[datetime | None]
    claimed_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    claimed_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    closed_because: Mapped[str | None]  # decided, or why no answer is needed

    application: Mapped[Application] = reference()
    decision: Mapped["Decision | None"] = reference()
    confirmations: Mapped[list["Confirmation"]] = reference(order_by="Confirmation.confirmed_at")


class Decision(Base):
    """The one answer to a review, with the signature over the form's hash."""

    __tablename__ = "decisions"
    __table_args__ = (
        Index("ix_decisions_decided_by", "decided_by", "application_id"),
        Index(
            *("ix_decisions_refusals", "stage", "decided_at", "application_id"),
            sqlite_where=REFUSALS,
            postgresql_where=REFUSALS,
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    review_id: Mapped[str] = mapped_column(ForeignKey("reviews.id"), unique=True)
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"), index=True)
    matter_id: Mapped[str | None] = mapped_column(index=True)
    stage: Mapped[str]
    round: Mapped[int]
    issue: Mapped[int] = mapped_column(default=1, server_default="1")  # as that of the review
    outcome: Mapped[str]
    decided_by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    stands_in_for: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    decided_at: Mapped[datetime]
    answers: Mapped[dict[str, Any]]
    reason: Mapped[str | None]
    opinion: Mapped[str | None]
    variables: Mapped[dict[str, Any]]
    # of a violation: severity, sanctions, loss, referral; of a problem: what is retrieved again; signed with the rest
    judgement: Mapped[dict[str, Any] | None]
    form_sha256: Mapped[str]  # of a matter: of its facts
    statement_sha256: Mapped[str]  # of the canonical decision that was signed
    signature: Mapped[dict[str, Any]]

    review: Mapped[Review] = reference()


class Confirmation(Base):
    """A second person's signature on the same review, if the class requires two."""

    __tablename__ = "confirmations"
    __table_args__ = (UniqueConstraint("review_id", "person_id"),)

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    review_id: Mapped[str] = mapped_column(ForeignKey("reviews.id"), index=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    confirmed_at: Mapped[datetime]
    statement_sha256: Mapped[str]
    signature: Mapped[dict[str, Any]]


class Proposal(Base):
    """A signed decision that waits for the confirmation of its second person."""

    __tablename__ = "proposals"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    review_id: Mapped[str] = mapped_column(ForeignKey("reviews.id"), index=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"))
    proposed_at: Mapped[datetime]
    statement: Mapped[dict[str, Any]]
    statement_sha256: Mapped[str]
    signature: Mapped[dict[str, Any]]
    refused_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    refused_at: Mapped[datetime | None]
    refused_because: Mapped[str | None]
    refusal_sha256: Mapped[str | None]
    refusal_signature: Mapped[dict[str, Any] | None]


class ApplicantQuestion(Base):
    """What a reviewer asks the applicant while a review is open, and the answer; neither is part of the form."""

    __tablename__ = "applicant_questions"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    review_id: Mapped[str] = mapped_column(ForeignKey("reviews.id"), index=True)
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"), index=True)
    asked_by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    asked_at: Mapped[datetime]
    text: Mapped[str]
    answered_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    answered_at: Mapped[datetime | None]
    answer: Mapped[str | None]


class Reminder(Base):
    """A reminder that was sent, keyed by its job, so that a second run sends nothing."""

    __tablename__ = "reminders"

    job_key: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str]  # review, escalation, return
    subject_id: Mapped[str] = mapped_column(index=True)
    sent_at: Mapped[datetime]


class Finding(Base):
    """A finding of an automatic check, for the reviewer and the drafter (R22, R24)."""

    __tablename__ = "findings"
    __table_args__ = (Index("ix_findings_code", "code", "found_at", "application_id"),)

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"), index=True)
    round: Mapped[int]
    check: Mapped[str]  # preliminary-review, security-review
    code: Mapped[str]
    severity: Mapped[str]  # blocks, warns, informs
    zh: Mapped[str]
    en: Mapped[str]
    item_id: Mapped[str | None]
    found_at: Mapped[datetime]
