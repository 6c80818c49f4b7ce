"""The supervision group, its inspections, and what they find (R60 to R64)."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id, reference

UNDER_WAY = text("closed_at IS NULL")
IN_OFFICE = text("confirmed_at IS NOT NULL AND ended_at IS NULL")
UNDONE = text("decided_at IS NULL")


class SupervisionGroup(Base):
    """One appointment of the group, for a term.

    It counts once a second person of the management has confirmed it; a later one ends it. ``basis`` says on which
    decision of the organisation it rests. ``document`` is the number of 《监督小组任命书》.
    """

    __tablename__ = "supervision_groups"
    __table_args__ = (
        Index("ix_supervision_groups_in_office", "since", sqlite_where=IN_OFFICE, postgresql_where=IN_OFFICE),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    basis: Mapped[str]
    since: Mapped[datetime]
    until: Mapped[datetime]
    proposed_by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    proposed_at: Mapped[datetime]
    proposal: Mapped[dict[str, Any]]  # the signature, with its statement
    confirmed_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    confirmed_at: Mapped[datetime | None]
    confirmation: Mapped[dict[str, Any] | None]
    document: Mapped[str | None]
    ended_at: Mapped[datetime | None]
    ended_because: Mapped[str | None]  # withdrawn, refused, replaced

    members: Mapped[list["GroupMember"]] = reference(order_by="(GroupMember.part, GroupMember.person_id)")


class GroupMember(Base):
    """A member of one appointment; ``part`` is leader or member. ``department_kind``: at the appointment."""

    __tablename__ = "group_members"

    group_id: Mapped[str] = mapped_column(ForeignKey("supervision_groups.id"), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), primary_key=True)
    part: Mapped[str]
    department_kind: Mapped[str]


class GroupInspection(Base):
    """One inspection of a period, ``[period_from, period_to)``; the inspection of a return is another table.

    ``seed`` is of an audit checkpoint of the first ``seed_size`` events, found by the rule ``seed_rule``
    (``domain.supervision.sampling``) as it was when the inspection was opened. ``population`` and
    ``population_sha256``: how many cases there were to choose from, and the digest of their numbers with the reasons
    why some must be inspected.
    """

    __tablename__ = "group_inspections"
    __table_args__ = (
        Index("ix_group_inspections_under_way", "id", sqlite_where=UNDER_WAY, postgresql_where=UNDER_WAY),
        Index("ix_group_inspections_opened", "opened_at", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    number: Mapped[str] = mapped_column(unique=True)
    period: Mapped[str] = mapped_column(unique=True)  # 2026-10 or 2026-Q4
    period_from: Mapped[datetime]
    period_to: Mapped[datetime]
    group_id: Mapped[str] = mapped_column(ForeignKey("supervision_groups.id"))
    opened_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))  # None: it was due
    opened_at: Mapped[datetime]
    seed: Mapped[str]
    seed_size: Mapped[int]
    seed_rule: Mapped[int] = mapped_column(default=1, server_default="1")
    process_instance_key: Mapped[int | None]
    drawn_at: Mapped[datetime | None]
    population: Mapped[int | None]
    population_sha256: Mapped[str | None]
    sampled: Mapped[int | None]
    report: Mapped[dict[str, Any] | None]  # what is signed
    report_sha256: Mapped[str | None]
    reported_at: Mapped[datetime | None]
    # the question to the group whether the report is right; its id is that of the inspection
    signing_job_key: Mapped[int | None]
    signing_opened_at: Mapped[datetime | None]
    signing_due_at: Mapped[datetime | None]
    signing_reminder_at: Mapped[datetime | None]
    signed_as: Mapped[str | None]  # signed, refused
    closed_at: Mapped[datetime | None]
    closed_as: Mapped[str | None]  # signed, refused, no-cases

    group: Mapped[SupervisionGroup] = reference()


class PopulationCase(Base):
    """One case of the period as it was when the sample was drawn: why it must be inspected, joined by commas."""

    __tablename__ = "inspection_population"

    inspection_id: Mapped[str] = mapped_column(ForeignKey("group_inspections.id"), primary_key=True)
    number: Mapped[str] = mapped_column(primary_key=True)
    application_id: Mapped[str]
    because: Mapped[str]


class InspectedCase(Base):
    """One case of a sample, from its drawing to the member's answers; its id is that of its review.

    ``position`` is its place in the sample, from 1. ``because``: why it must be inspected; empty where the seed chose
    it. ``sheet_sha256`` is of the questions with the system's answers that the member has read, and ``answers`` has
    both answers to each question.
    """

    __tablename__ = "inspected_cases"
    __table_args__ = (
        UniqueConstraint("inspection_id", "position"),
        UniqueConstraint("application_id", "inspection_id"),
        Index("ix_inspected_cases_undone", "assigned_to", sqlite_where=UNDONE, postgresql_where=UNDONE),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    inspection_id: Mapped[str] = mapped_column(ForeignKey("group_inspections.id"))
    position: Mapped[int]
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"), index=True)
    number: Mapped[str]
    because: Mapped[list[str]]
    job_key: Mapped[int | None] = mapped_column(unique=True)
    assigned_to: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    opened_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    first_reminder_at: Mapped[datetime | None]
    escalated_at: Mapped[datetime | None]
    decided_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"), index=True)
    decided_at: Mapped[datetime | None]
    answers: Mapped[list[Any] | None]
    sheet_sha256: Mapped[str | None]
    statement_sha256: Mapped[str | None]
    signature: Mapped[dict[str, Any] | None]

    inspection: Mapped[GroupInspection] = reference()


class InspectionFinding(Base):
    """One answer "no" of a member; ``position`` numbers those of an inspection from 1, in its report."""

    __tablename__ = "inspection_findings"
    __table_args__ = (UniqueConstraint("inspected_case_id", "question"),)

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    inspection_id: Mapped[str] = mapped_column(ForeignKey("group_inspections.id"), index=True)
    inspected_case_id: Mapped[str] = mapped_column(ForeignKey("inspected_cases.id"))
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"), index=True)
    position: Mapped[int | None]
    stage: Mapped[str]  # of the checklists: application, approval, retrieval, use, return
    question: Mapped[str]
    severity: Mapped[str]  # minor, ordinary, severe
    text: Mapped[str]
    found_by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    found_at: Mapped[datetime]
    work_order_id: Mapped[str | None] = mapped_column(index=True)
    violation_id: Mapped[str | None] = mapped_column(index=True)
    closed_at: Mapped[datetime | None]  # when its work order was done, and verified


class InspectionSignature(Base):
    """One member's signature under the report, or the refusal to sign it."""

    __tablename__ = "inspection_signatures"

    inspection_id: Mapped[str] = mapped_column(ForeignKey("group_inspections.id"), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), primary_key=True)
    part: Mapped[str]
    outcome: Mapped[str]  # signed, refused
    reason: Mapped[str | None]
    signed_at: Mapped[datetime]
    statement_sha256: Mapped[str]
    signature: Mapped[dict[str, Any]]
