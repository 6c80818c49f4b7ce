"""End violations: as decided, or cleared by an appeal; clearing lifts suspensions and gives back days (R51, R65)."""

from sqlalchemy import func, select

from services.database.tables.custody import CustodyEntry, HandOver
from services.database.tables.matters import Matter
from services.database.tables.suspensions import Suspension
from services.database.tables.violations import Violation
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.custody import log, suspensions, use_period
from services.domain.custody.violations import CLEARED, ENDS, OVERDUE
from services.domain.notifications import service as notification_service
from services.runtime.errors import Refused


def close(uow: UnitOfWork, violation: Violation, closed_as: str) -> None:
    """End a violation: upheld, cleared or settled. Clearing lifts its suspension and gives back the days.

    An overdue copy gets back the time since its due date, any other one the time since the suspension, inside the hard
    maximum, and an overdue one a whole grace to be returned, whatever the maximum; ``use-period-changed`` is published
    where somebody holds the copies. Upheld or settled, the suspension stays. The same end a second time changes
    nothing; Refused for another one, ValueError for an unknown one.
    """
    if closed_as not in ENDS:
        raise ValueError(f"{closed_as!r} is no end of a violation: use one of {', '.join(ENDS)}")
    hand_over = _lock_loan(uow, violation)
    if violation.closed_at is not None:
        if violation.closed_as == closed_as:
            return
        raise Refused("violation-closed", "This violation has been decided already: open it to see the decision.")
    violation.closed_at, violation.closed_as = uow.now, closed_as
    notification_service.mark_done(uow, "violation", subject_id=violation.id)
    if hand_over is not None:
        log.append(uow, hand_over, "violation-closed", kind=violation.kind, violation=violation.id, closed_as=closed_as)
    audit_trail.record(
        uow,
        "violation-closed",
        "violation",
        violation.id,
        application_id=violation.application_id,
        kind=violation.kind,
        closed_as=closed_as,
    )
    if closed_as == CLEARED and hand_over is not None:
        _clear(uow, hand_over, violation)


def revoke(uow: UnitOfWork, violation: Violation, *, by: str) -> None:
    """Clear a violation that was upheld, by an appeal that was granted: as one that was found to be unfounded.

    ``by``: the number of the appeal. A second run changes nothing.
    """
    hand_over = _lock_loan(uow, violation)
    if violation.closed_as == CLEARED:
        return
    violation.closed_at, violation.closed_as = violation.closed_at or uow.now, CLEARED
    if hand_over is not None:
        of = {"kind": violation.kind, "violation": violation.id}
        log.append(uow, hand_over, "violation-closed", closed_as=CLEARED, appeal=by, **of)
        _clear(uow, hand_over, violation)


def lift_people(uow: UnitOfWork, violation: Violation, *, cleared: bool) -> None:
    """Lift what the violation has suspended of people; call it before the violation itself is ended or revoked.

    ``cleared``: nobody should have been suspended, so each of their other loans gets back the days, also where an
    earlier end of the violation has lifted it. The loan of the violation gets them back with its own suspension.
    """
    query = select(Suspension).where(Suspension.matter_id == violation.matter_id, Suspension.person_id.is_not(None))
    of_people = uow.session.scalars(query.order_by(Suspension.since, Suspension.id)).all()
    for suspension in of_people:
        suspensions.lift(uow, suspension)
    if not cleared or violation.closed_as == CLEARED:
        return
    for suspension in of_people:
        for hand_over in suspensions.list_held(uow, str(suspension.person_id)):
            received = uow.session.scalar(
                select(func.max(CustodyEntry.at)).where(
                    CustodyEntry.hand_over_id == hand_over.id,
                    CustodyEntry.event == "received",
                    CustodyEntry.person_id == suspension.person_id,
                )
            )
            since = max(suspension.since, received or hand_over.accepted_at or suspension.since)
            if hand_over.id != violation.hand_over_id and since < suspensions.ended_at(uow, suspension):
                use_period.give_back(
                    uow, hand_over, since, because="violation-cleared", until=suspensions.ended_at(uow, suspension)
                )


def _lock_loan(uow: UnitOfWork, violation: Violation) -> HandOver | None:
    """Lock the loan of a violation, if it has one, and then the violation."""
    hand_over = None
    if violation.hand_over_id is not None:
        hand_over = log.lock(uow, violation.hand_over_id, violation.application_id)
    uow.session.refresh(violation, with_for_update=True)
    return hand_over


def _clear(uow: UnitOfWork, hand_over: HandOver, violation: Violation) -> None:
    query = select(Suspension).where(Suspension.violation_id == violation.id).order_by(Suspension.since)
    stood_with = list(uow.session.scalars(query))
    for suspension in stood_with:
        suspensions.lift(uow, suspension)
    since = violation.due_at or min((row.since for row in stood_with), default=uow.now)
    return_until = use_period.end_of_new_grace(uow, hand_over) if violation.kind == OVERDUE else None
    use_period.give_back(uow, hand_over, since, because="violation-cleared", return_until=return_until)
    if suspensions.is_held(hand_over):
        # a report whose freeze it had taken over may not be answered yet (R44)
        reports = select(Matter.id).where(
            Matter.hand_over_id == hand_over.id, Matter.kind == "problem", Matter.closed_at.is_(None)
        )
        for matter_id in uow.session.scalars(reports).all():
            suspensions.open_once(uow, hand_over, suspensions.PROBLEM, matter_id)
