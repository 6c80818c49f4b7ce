"""Violations: how they are opened, and which are recorded (R48, R51, R65). ``violation_ends`` has how they end.

Their handling is a process of its own. Each has a matter, by which its process knows it: ``matters.violations`` has
what is done there.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select

from services.database.base import new_id
from services.database.tables.applications import Application
from services.database.tables.custody import HandOver
from services.database.tables.matters import Matter
from services.database.tables.reviews import Decision
from services.database.tables.suspensions import Suspension
from services.database.tables.violations import Hearing, Violation
from services.database.unit_of_work import UnitOfWork
from services.domain.access import violations as policy
from services.domain.audit import trail as audit_trail
from services.domain.cameras import measurements
from services.domain.custody import heads, log, suspensions, use_period
from services.domain.documents import service as document_service
from services.domain.notifications import service as notification_service
from services.domain.process import outbox, permissions
from services.domain.process.messages import VIOLATION_OPENED
from services.domain.rules import agreed_limits
from services.runtime.canonical_json import hash_of

OVERDUE = "overdue"
FINDING = "finding"
CLEARED = "cleared"
GHOST_EXPORT = "ghost-export"
REFUSAL_PATTERN = "refusal-pattern"
KINDS = (
    *(OVERDUE, "loss", "leak", "discrepancy", "breach", FINDING, GHOST_EXPORT, "urgent-not-ratified"),
    REFUSAL_PATTERN,
)
FOUND = ("leak", "breach", FINDING)  # by people: the same may be found again once it is decided
UPHELD, SETTLED = "upheld", "settled"
ENDS = (UPHELD, CLEARED, SETTLED)
MATTER = "violation"  # the kind of its matter
PROVIDED_AS = "footage-provided"  # how the receipt of what was provided closes a case
ACCUSED, DEPARTMENT = "accused", "department"  # the parts of a hearing


def open_overdue(uow: UnitOfWork, application_id: str, hand_over_id: str) -> Violation | None:
    """Open the violation of an overdue copy and stop access, once for each due date (R51).

    None when the copies came back or were reported lost inside the grace, and while a problem report freezes them: the
    clock stands, and the lifted freeze arms it anew. A loss that was reported after the grace is a second violation.
    Where the due date could not move when its violation was cleared, the end of the time that was left to return the
    copies is the date that is missed next. Raises NotPermitted before the grace is over by the database's clock, and
    for a case that is closed, but for one that a loss or the receipt of what was provided has closed after the grace,
    beside the job.
    """
    act = "open a violation"
    application = permissions.lock(uow, application_id, act).application
    hand_over = log.lock(uow, hand_over_id, application_id)
    if hand_over.due_at is None:
        raise permissions.refusal(act, application_id, f"nobody has accepted the hand-over {hand_over_id}")
    late_from = hand_over.due_at + agreed_limits.get_grace_period(uow, hand_over)
    moments = (hand_over.returned_at, hand_over.lost_at, hand_over.ended_at)
    ends = [moment for moment in moments if moment is not None]
    if any(moment < late_from for moment in ends):
        return None
    missed, known = hand_over.due_at, _newest_overdue(uow, hand_over)
    if known is not None and _is_overdue_again(uow, known, late_from):
        missed, known = late_from, None
    if known is not None or hand_over.replaced_at is not None:  # frozen until it was replaced: the clock stood
        return known
    # the job runs beside what ends the loan, which closes the case: both are true
    is_beside = hand_over.lost_at is not None or application.closed_as == PROVIDED_AS
    if application.closed_at is not None and not is_beside:
        raise permissions.refusal(act, application_id, f"the case is closed as {application.closed_as}")
    frozen = select(Suspension.id).where(
        Suspension.hand_over_id == hand_over.id,
        Suspension.cause == suspensions.PROBLEM,
        Suspension.since < late_from,
        Suspension.lifted_at.is_(None) | (Suspension.lifted_at > late_from),
    )
    if ends and uow.session.scalar(frozen.limit(1)) is not None:
        return None  # the clock stood when the grace would have ended, and until the copies were gone
    if suspensions.is_frozen(uow, hand_over):
        return None
    if not permissions.is_over(uow, late_from):
        raise permissions.refusal(act, application_id, f"the copies are not overdue before {late_from.isoformat()}")
    facts = {
        "custodian": hand_over.custodian_id,
        "dueAt": hand_over.due_at.isoformat(),
        "graceOverAt": late_from.isoformat(),
    }
    return open_once(uow, hand_over, OVERDUE, facts, due_at=missed)


def open_once(
    uow: UnitOfWork,
    hand_over: HandOver,
    kind: str,
    facts: dict[str, Any],
    *,
    due_at: datetime | None = None,
    problem_id: str | None = None,
    accused: Sequence[str] | None = None,
) -> Violation:
    """Open one violation for each hand-over, kind and due date; suspend access, notify all who answer for the loan.

    What people find (``FOUND``) is one as long as it is open and of the same accused: of others it is their own.
    Notified are the custodian, the department's head, Security with its head, and supervision; of those other than the
    custodian nobody whom the case concerns, who must not learn of it (T8).

    It takes the freeze of a problem report over, and its suspension counts from there: the copies can be returned.
    ``due_at``: the date that was missed, of an overdue copy. ``problem_id``: the problem report that has found it,
    each once. ``accused``: people by id; unless others are named, the custodian, or the heads of the department where
    the custodian has left. Raises ValueError for an unknown kind.
    """
    people = _list_accused(uow, hand_over, accused)
    if problem_id is not None:
        known = uow.session.scalar(select(Violation).where(Violation.problem_id == problem_id))
    elif kind in FOUND:
        known = _find_open(uow, hand_over, kind, people)
    else:
        known = _find_recorded(uow, hand_over, kind, due_at)
    if known is not None:
        return known
    return _open(uow, hand_over, kind, facts, people, due_at=due_at, problem_id=problem_id)


def open_another(
    uow: UnitOfWork, hand_over: HandOver, kind: str, facts: dict[str, Any], *, accused: Sequence[str] | None = None
) -> Violation:
    """Open a violation of its own, whatever else is open of the loan; the rest is as of ``open_once``.

    The caller sees to it that the same is not opened twice.
    """
    return _open(uow, hand_over, kind, facts, _list_accused(uow, hand_over, accused))


def _open(
    uow: UnitOfWork,
    hand_over: HandOver,
    kind: str,
    facts: dict[str, Any],
    accused: list[str],
    *,
    due_at: datetime | None = None,
    problem_id: str | None = None,
) -> Violation:
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is no kind of violation: use one of {', '.join(KINDS)}")
    violation = Violation(
        id=new_id(),
        application_id=hand_over.application_id,
        hand_over_id=hand_over.id,
        kind=kind,
        due_at=due_at,
        problem_id=problem_id,
        further=due_at is None and problem_id is None and bool(_list_open(uow, hand_over, kind)),
        opened_at=uow.now,
        facts=facts,
        accused=accused,
    )
    uow.session.add(violation)
    uow.session.flush()
    since = min((row.since for row in suspensions.list_freezes(uow, hand_over)), default=None)
    suspensions.open_once(uow, hand_over, suspensions.VIOLATION, violation_id=violation.id, since=since)
    log.append(uow, hand_over, "violation", kind=kind, violation=violation.id)
    use_period.take_freeze_over(uow, hand_over)
    audit_trail.record(
        uow, "violation-opened", "violation", violation.id, application_id=hand_over.application_id, kind=kind
    )
    begin_handling(uow, violation)
    for person_id in _list_notified(uow, hand_over):
        notification_service.notify(
            uow,
            person_id,
            f"violation-{kind}",
            application_id=hand_over.application_id,
            subject_id=violation.id,
        )
    return violation


def open_of_matter(
    uow: UnitOfWork, application_id: str, kind: str, facts: dict[str, Any], *, matter_id: str, accused: Sequence[str]
) -> Violation:
    """Open the violation that a matter of a case without a loan has ended with, once; notify as ``open_of_case``."""
    known = uow.session.scalar(select(Violation).where(Violation.problem_id == matter_id))
    if known is not None:
        return known
    return open_of_case(uow, application_id, kind, facts, accused=accused, matter_id=matter_id)


def open_of_case(
    uow: UnitOfWork,
    application_id: str,
    kind: str,
    facts: dict[str, Any],
    *,
    accused: Sequence[str] = (),
    matter_id: str | None = None,
) -> Violation:
    """Open a violation of a case without a loan; notify all who answer for it. The caller sees to it that it is one.

    These are the accused and the head of their department, or of the case's where nobody is accused; Security with its
    head, and supervision; of the others nobody whom the case concerns (T8). It suspends nothing: there are no copies.
    """
    violation = Violation(
        id=new_id(),
        application_id=application_id,
        hand_over_id=None,
        kind=kind,
        problem_id=matter_id,
        opened_at=uow.now,
        facts=facts,
        accused=list(accused),
    )
    uow.session.add(violation)
    uow.session.flush()
    audit_trail.record(uow, "violation-opened", "violation", violation.id, application_id=application_id, kind=kind)
    matter = begin_handling(uow, violation)
    application = uow.session.get_one(Application, application_id)
    others = {
        *measurements.list_holders(uow, "security-reviewer", "supervisor"),
        *policy.list_heads(uow, matter, accused),
        *heads.list_of_security(uow, application),
    }
    for person_id in sorted(set(accused) | others.difference(application.subject_ids)):
        notification_service.notify(
            uow, person_id, f"violation-{kind}", application_id=application_id, subject_id=violation.id
        )
    return violation


def list_open_of_case(uow: UnitOfWork, application_id: str, kind: str) -> Sequence[Violation]:
    """List the violations of this kind that a case has without a loan and nobody has decided; the case is locked."""
    uow.session.get_one(Application, application_id, with_for_update=True)
    query = (
        select(Violation)
        .where(
            Violation.application_id == application_id,
            Violation.kind == kind,
            Violation.hand_over_id.is_(None),
            Violation.closed_at.is_(None),
            ~select(Decision.id).where(Decision.matter_id == Violation.matter_id).exists(),
        )
        .order_by(Violation.opened_at, Violation.id)
    )
    return uow.session.scalars(query).all()


def find(uow: UnitOfWork, hand_over: HandOver, kind: str, accused: Sequence[str] | None = None) -> Violation | None:
    """Return the violation of this kind that has no due date, if it is recorded; ``accused`` as of ``open_once``.

    Of ``FOUND`` an open one of these people alone.
    """
    if kind in FOUND:
        return _find_open(uow, hand_over, kind, _list_accused(uow, hand_over, accused))
    return _find_recorded(uow, hand_over, kind, None)


def begin_handling(uow: UnitOfWork, violation: Violation) -> Matter:
    """Write the matter of a violation, and start its process; the matter that there is already, the second time.

    A worker has opened it where nobody stands as its opener.
    """
    if violation.matter_id is not None:
        return uow.session.get_one(Matter, violation.matter_id)
    application = uow.session.get_one(Application, violation.application_id)
    by_person = uow.actor.id if uow.actor.kind == "person" else None
    matter_id, number = new_id(), document_service.next_number(uow, MATTER)
    facts = {
        "matter": matter_id,
        "number": number,
        "kind": MATTER,
        "application": application.number,
        "handOver": violation.hand_over_id,
        "violation": {
            "id": violation.id,
            "kind": violation.kind,
            "dueAt": violation.due_at.isoformat() if violation.due_at else None,
            "openedAt": violation.opened_at.isoformat(),
            "facts": violation.facts,
        },
        "accused": list(violation.accused),
        "openedBy": by_person,
        "openedAt": uow.now.isoformat(),
        "assessment": None,
        "replies": [],
    }
    matter = Matter(
        id=matter_id,
        number=number,
        kind=MATTER,
        application_id=violation.application_id,
        hand_over_id=violation.hand_over_id,
        opened_by=by_person,
        opened_at=uow.now,
        facts=facts,
        facts_sha256=hash_of(facts),
    )
    uow.session.add(matter)
    uow.session.flush()
    violation.matter_id = matter_id
    for person_id in dict.fromkeys(violation.accused):
        uow.session.add(Hearing(matter_id=matter_id, person_id=person_id, part=ACCUSED))
    uow.session.flush()
    audit_trail.record(
        uow,
        "matter-opened",
        "matter",
        matter_id,
        application_id=violation.application_id,
        number=number,
        kind=MATTER,
        facts=matter.facts_sha256,
    )
    outbox.publish(
        uow,
        VIOLATION_OPENED,
        matter_id,
        application_id=violation.application_id,
        matter_id=matter_id,
        message_id=f"{VIOLATION_OPENED}:{matter_id}",
        variables={"matterId": matter_id, "applicationId": violation.application_id},
    )
    return matter


def list_accused(uow: UnitOfWork, matter_id: str) -> list[str]:
    """List who is accused in a violation, by its matter."""
    query = select(Hearing.person_id).where(Hearing.matter_id == matter_id, Hearing.part == ACCUSED)
    return sorted(uow.session.scalars(query))


def have_all_replied(uow: UnitOfWork, matter_id: str) -> bool:
    """Return whether everybody who is accused in a violation has replied to it."""
    silent = select(Hearing.person_id).where(
        Hearing.matter_id == matter_id, Hearing.part == ACCUSED, Hearing.replied_at.is_(None)
    )
    return uow.session.scalar(silent.limit(1)) is None


def _newest_overdue(uow: UnitOfWork, hand_over: HandOver) -> Violation | None:
    """Return the newest violation of the present due date, or of a time that was left to return the copies after it."""
    query = select(Violation).where(
        Violation.hand_over_id == hand_over.id, Violation.kind == OVERDUE, Violation.due_at >= hand_over.due_at
    )
    return uow.session.scalar(query.order_by(Violation.due_at.desc()).limit(1))


def _is_overdue_again(uow: UnitOfWork, known: Violation, late_from: datetime) -> bool:
    """Return whether the time is over that was left to return the copies when their violation was cleared."""
    if known.closed_as != CLEARED or known.closed_at is None:
        return False
    return late_from > known.closed_at and permissions.is_over(uow, late_from)


def _list_accused(uow: UnitOfWork, hand_over: HandOver, accused: Sequence[str] | None) -> list[str]:
    return list(accused) if accused is not None else _list_answerable(uow, hand_over)


def _list_answerable(uow: UnitOfWork, hand_over: HandOver) -> list[str]:
    if not suspensions.has_left(uow, hand_over.custodian_id):
        return [hand_over.custodian_id]
    return heads.list_of_department(uow, hand_over) or [hand_over.custodian_id]


def _list_notified(uow: UnitOfWork, hand_over: HandOver) -> list[str]:
    subjects = uow.session.get_one(Application, hand_over.application_id).subject_ids
    others = {
        *measurements.list_holders(uow, "security-reviewer", "supervisor"),
        *heads.list_of_department(uow, hand_over),
        *heads.list_of_security(uow, hand_over),
    }
    return sorted({hand_over.custodian_id} | others.difference(subjects))


def _find_open(uow: UnitOfWork, hand_over: HandOver, kind: str, accused: Collection[str]) -> Violation | None:
    of_them = (row for row in _list_open(uow, hand_over, kind) if set(accused) <= set(row.accused))
    return next(of_them, None)


def _find_recorded(uow: UnitOfWork, hand_over: HandOver, kind: str, due_at: datetime | None) -> Violation | None:
    query = select(Violation).where(
        Violation.hand_over_id == hand_over.id,
        Violation.kind == kind,
        Violation.problem_id.is_(None),
        Violation.due_at.is_(None) if due_at is None else Violation.due_at == due_at,
    )
    return uow.session.scalar(query)


def _list_open(uow: UnitOfWork, hand_over: HandOver, kind: str) -> Sequence[Violation]:
    """List what is open of this kind, oldest first; what a problem report has found, and a due date, stand apart."""
    query = select(Violation).where(
        Violation.hand_over_id == hand_over.id,
        Violation.kind == kind,
        Violation.due_at.is_(None),
        Violation.closed_at.is_(None),
        Violation.problem_id.is_(None),
    )
    return uow.session.scalars(query.order_by(Violation.opened_at, Violation.id)).all()
