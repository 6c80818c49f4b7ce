"""Work orders: what somebody has to do by a date and somebody else verifies, and when they are opened (R47, R55, R64).

They have no case as matters do: what is checked is a recorder, a site, a department, a finding.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, Json, new_id, reference

UNDER_WAY = text("closed_at IS NULL")
TO_FIND = text("finding_due_at IS NOT NULL AND finding_id IS NULL")


class WorkOrder(Base):
    """One work order, open until ``closed_at``.

    ``key`` makes opening idempotent. Doer and verifier are each a person, or the holders of a post in a department or
    in all departments of a kind. ``facts`` with the checklist never change; done and verified are signed over
    ``facts_sha256``. ``due_at`` is that of the attempt number ``attempt``. ``opened_by``: None for the system.
    """

    __tablename__ = "work_orders"
    __table_args__ = (
        Index("ix_work_orders_opened", "opened_at", "id"),
        Index("ix_work_orders_due", "due_at", "id", sqlite_where=UNDER_WAY, postgresql_where=UNDER_WAY),
        Index("ix_work_orders_under_way", "kind", "due_at", sqlite_where=UNDER_WAY, postgresql_where=UNDER_WAY),
        Index("ix_work_orders_of_subject", "subject_kind", "subject_id", "opened_at"),
        Index("ix_work_orders_of_kind", "kind", "opened_at", "id"),
        Index("ix_work_orders_of_doer_post", "doer_post", sqlite_where=UNDER_WAY, postgresql_where=UNDER_WAY),
        Index("ix_work_orders_to_find", "finding_due_at", sqlite_where=TO_FIND, postgresql_where=TO_FIND),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    number: Mapped[str] = mapped_column(unique=True)  # of the series of its kind
    key: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]  # of services.domain.work_orders.kinds
    schedule: Mapped[str | None]  # the code of the schedule that has opened it
    subject_kind: Mapped[str]
    subject_id: Mapped[str]
    subject_label: Mapped[str]
    application_id: Mapped[str | None] = mapped_column(ForeignKey("applications.id"), index=True)
    title_zh: Mapped[str]
    title_en: Mapped[str]
    facts: Mapped[dict[str, Any]]
    facts_sha256: Mapped[str]
    doer_id: Mapped[str | None] = mapped_column(ForeignKey("people.id"), index=True)
    doer_post: Mapped[str | None]
    doer_department_id: Mapped[str | None] = mapped_column(ForeignKey("departments.id"))
    doer_department_kind: Mapped[str | None]
    verifier_id: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    verifier_post: Mapped[str | None]
    verifier_department_id: Mapped[str | None] = mapped_column(ForeignKey("departments.id"))
    verifier_department_kind: Mapped[str | None]
    opened_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"), index=True)
    opened_at: Mapped[datetime]
    process_instance_key: Mapped[int | None]
    attempt: Mapped[int] = mapped_column(default=1, server_default="1")
    due_at: Mapped[datetime]
    escalations: Mapped[int] = mapped_column(default=0, server_default="0")
    finding_due_at: Mapped[datetime | None]  # since it was escalated twice: a report names it
    finding_id: Mapped[str | None]  # the inspection whose report names it
    closed_at: Mapped[datetime | None]
    closed_as: Mapped[str | None]  # done, cancelled
    closed_because: Mapped[str | None]  # of a cancelled one
    closed_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))

    attempts: Mapped[list["WorkOrderAttempt"]] = reference(order_by="WorkOrderAttempt.attempt")

    @property
    def is_verified(self) -> bool:
        """Whether somebody verifies it once it is done."""
        return self.verifier_id is not None or self.verifier_post is not None


class WorkOrderAttempt(Base):
    """One time that a work order is done, and its verification; a new one begins where it has to be done again."""

    __tablename__ = "work_order_attempts"
    __table_args__ = (
        UniqueConstraint("work_order_id", "attempt"),
        Index("ix_work_order_attempts_done_by", "done_by", "work_order_id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    work_order_id: Mapped[str] = mapped_column(ForeignKey("work_orders.id"))
    attempt: Mapped[int]
    due_at: Mapped[datetime]
    first_reminder_at: Mapped[datetime]
    escalations: Mapped[int] = mapped_column(default=0, server_default="0")
    done_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    stands_in_for: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    done_at: Mapped[datetime | None]
    answers: Mapped[dict[str, Any] | None]  # by the code of the item: answer, and note
    note: Mapped[str | None]
    done_sha256: Mapped[str | None]  # of the statement that the doer has signed
    done_signature: Mapped[dict[str, Any] | None]
    review_id: Mapped[str | None] = mapped_column(unique=True)  # of the verification, once it is asked for
    job_key: Mapped[int | None] = mapped_column(unique=True)
    asked_at: Mapped[datetime | None]
    verify_until: Mapped[datetime | None]
    verification_escalated_at: Mapped[datetime | None]
    verified_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"), index=True)
    verifier_stands_in_for: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    verified_at: Mapped[datetime | None]
    outcome: Mapped[str | None]  # verified, again
    verification: Mapped[dict[str, Any] | None]  # the answers to the questions of the stage
    reason: Mapped[str | None]
    next_due_at: Mapped[datetime | None]  # where it is to be done again
    verified_sha256: Mapped[str | None]
    verified_signature: Mapped[dict[str, Any] | None]


class DownloadAccount(Base):
    """What became of one download that left with a loan whose end nobody has attested (T2, R39).

    ``fate``: given-back on ``medium``; destroyed, ``how``, at ``happened_at``, before ``witness_id``; or lost, where
    ``how`` says what happened. It is signed with the attempt of its work order, and each attempt has its own.
    """

    __tablename__ = "download_accounts"
    __table_args__ = (
        UniqueConstraint("work_order_id", "attempt", "download_id"),
        Index("ix_download_accounts_of_download", "download_id", "said_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    work_order_id: Mapped[str] = mapped_column(ForeignKey("work_orders.id"))
    attempt: Mapped[int]
    download_id: Mapped[str] = mapped_column(ForeignKey("downloads.id"))
    fate: Mapped[str]
    medium: Mapped[str | None]
    how: Mapped[str | None]
    happened_at: Mapped[datetime | None]
    witness_id: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    said_by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    said_at: Mapped[datetime]


class Schedule(Base):
    """One schedule: work orders of a kind for each subject of a kind, each period; its values as they are in force.

    ``period`` names the one that is opened next, which begins at ``next_due``.
    """

    __tablename__ = "schedules"

    code: Mapped[str] = mapped_column(primary_key=True)
    every: Mapped[str]  # ISO 8601: days, weeks, months or years
    next_due: Mapped[datetime]
    period: Mapped[int] = mapped_column(default=1, server_default="1")
    doer: Mapped[dict[str, Any] | None]  # None: named by the subject
    verifier: Mapped[dict[str, Any] | None]
    # its questions; where its work orders are due after other days than those of the kind, {"items": …, "days": …}
    checklist: Mapped[list[Any] | dict[str, Any]] = mapped_column(Json)
    active: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    changed_at: Mapped[datetime | None]
    changed_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
