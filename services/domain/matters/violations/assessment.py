"""What the severity table reads of a violation, and the least that follows from it (T8, R65, R66).

The table that is deployed (``violation-severity.dmn``) assesses a violation; the engine sends what it says, and is not
trusted. It may be stricter than this floor, which is that of the shipped table, and never milder.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select

from services.database.tables.custody import HandOver
from services.database.tables.violations import Hearing, Violation
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries
from services.domain.applications.security_check import is_involved
from services.domain.custody.violations import ACCUSED, CLEARED, OVERDUE
from services.domain.process.permissions import CaseState
from services.domain.reviews.classification import compute_floor

SEVERITIES = ("minor", "moderate", "severe")
BY_SECURITY, BY_LEGAL, BY_MANAGEMENT = "violation-security", "violation-legal", "violation-management"
DECIDING = (BY_SECURITY, BY_LEGAL, BY_MANAGEMENT)
A_YEAR = timedelta(days=365)
LONG_OVERDUE = 30  # days
OFTEN = 3  # violations of one person in a year
NOT_RATIFIED = "urgent-not-ratified"


@dataclass(frozen=True)
class Inputs:
    """What the table reads. ``repeats``: upheld violations of one person in twelve months, and this one."""

    violation_kind: str
    importance: str
    days_late: int
    leaked: bool
    repeats: int
    security_involved: bool
    management_involved: bool


@dataclass(frozen=True)
class Assessment:
    """What the table says."""

    severity: str
    deciding_stage: str
    suspend_person: bool
    referral_asked: bool


def find_inputs(uow: UnitOfWork, violation: Violation, state: CaseState) -> Inputs:
    """Find the facts of a violation as they are now."""
    application, kind = state.application, violation.kind
    return Inputs(
        violation_kind=kind,
        importance=application.importance or compute_floor(uow, application).importance,
        days_late=_count_days_late(uow, violation),
        leaked=kind == "leak" or (kind == "loss" and violation.facts.get("kind") == "leaked"),
        repeats=_count_repeats(uow, violation),
        security_involved=is_involved(uow, application.id, "security") or _accuses(uow, violation, "security"),
        management_involved=is_involved(uow, application.id, "management") or _accuses(uow, violation, "management"),
    )


def least(inputs: Inputs) -> Assessment:
    """Return the least that follows from the facts; the shipped table says the same."""
    grave = inputs.leaked or inputs.violation_kind == "ghost-export"
    severe = (
        grave
        or (inputs.violation_kind == NOT_RATIFIED and inputs.repeats > 1)
        or (inputs.violation_kind == "loss" and inputs.importance == "important")
    )
    moderate = (
        inputs.violation_kind in ("loss", "discrepancy", "breach", NOT_RATIFIED)
        or inputs.days_late > LONG_OVERDUE
        or inputs.repeats >= OFTEN
    )
    severity = "severe" if severe else "moderate" if moderate else "minor"
    if severe:
        stage = BY_LEGAL if inputs.management_involved else BY_MANAGEMENT
    else:
        stage = BY_LEGAL if inputs.security_involved else BY_SECURITY
    return Assessment(severity, stage, suspend_person=grave, referral_asked=grave)


def obstacle(inputs: Inputs, given: Assessment) -> str | None:
    """Return why the register does not take what the table says, or None."""
    floor = least(inputs)
    if given.severity not in SEVERITIES or given.deciding_stage not in DECIDING:
        return f"the register does not know {given.severity!r} or {given.deciding_stage!r}"
    milder = SEVERITIES.index(given.severity) < SEVERITIES.index(floor.severity)
    by_security = given.deciding_stage == BY_SECURITY
    by_management = given.deciding_stage == BY_MANAGEMENT
    reasons = (
        (milder, f"its severity is at least {floor.severity}, and the table says {given.severity}"),
        (
            inputs.security_involved and by_security,
            "it concerns Security, which does not decide it itself (T8)",
        ),
        (
            inputs.management_involved and by_management,
            "it concerns management, which does not decide it itself (T8)",
        ),
        (floor.severity == "severe" and by_security, "what is severe is decided by management or Legal"),
        (
            floor.suspend_person and not given.suspend_person,
            "the accused lose access to all copies that they hold, and the table leaves it to them",
        ),
    )
    return next((sentence for holds, sentence in reasons if holds), None)


def _count_days_late(uow: UnitOfWork, violation: Violation) -> int:
    """Count the days that the copies were, or are, kept after their due date; none without a loan."""
    if violation.hand_over_id is None:
        return 0
    hand_over = uow.session.get_one(HandOver, violation.hand_over_id)
    due_at = violation.due_at or hand_over.due_at
    return max(((hand_over.returned_at or uow.now) - due_at).days, 0) if due_at is not None else 0


def _count_repeats(uow: UnitOfWork, violation: Violation) -> int:
    """Count this violation and what one of the accused had done in the year before it; of several people, the most.

    What was upheld before this one was opened counts, unless an appeal has cleared it: what nobody has decided proves
    nothing. Of an urgent retrieval that was not approved, its own kind alone. The loss of copies that are overdue is
    no second time: both are of one loan (P7).
    """
    query = (
        select(Hearing.person_id, Violation.kind, Violation.hand_over_id)
        .join(Hearing, Hearing.matter_id == Violation.matter_id)
        .where(
            Hearing.person_id.in_(violation.accused),
            Hearing.part == ACCUSED,
            Violation.id != violation.id,
            Violation.opened_at > violation.opened_at - A_YEAR,
            Violation.sanctioned_at <= violation.opened_at,
            Violation.closed_as.is_(None) | (Violation.closed_as != CLEARED),
        )
    )
    if violation.kind == NOT_RATIFIED:
        query = query.where(Violation.kind == NOT_RATIFIED)
    by_person: dict[str, list[tuple[str, str | None]]] = {}
    for person_id, kind, hand_over_id in uow.session.execute(query):
        by_person.setdefault(person_id, [(violation.kind, violation.hand_over_id)]).append((kind, hand_over_id))
    return max((_count_occasions(own) for own in by_person.values()), default=1)


def _count_occasions(own: Sequence[tuple[str, str | None]]) -> int:
    overdue = {hand_over_id for kind, hand_over_id in own if kind == OVERDUE}
    return sum(1 for kind, hand_over_id in own if kind != "loss" or hand_over_id not in overdue)


def _accuses(uow: UnitOfWork, violation: Violation, department_kind: str) -> bool:
    """Return whether somebody who is accused belongs to a department of this kind (T8)."""
    directory = queries.load_directory(uow)
    departments = queries.load_departments(uow, violation.accused)
    return any(
        directory.departments[department].kind == department_kind for own in departments.values() for department in own
    )
