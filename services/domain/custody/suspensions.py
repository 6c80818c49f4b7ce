"""Suspensions: a copy opens only while none is open; lifting one lifts one (R41, R44, R51, R65).

A suspension is of one hand-over, or of a person in every hand-over that they hold. Every act locks what it suspends.
The rights of named recipients end with it: whoever holds the copies afterwards decides again who views them (R57).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, exists, func, or_, select

from services.database.base import new_id
from services.database.tables.custody import HandOver
from services.database.tables.people import Person
from services.database.tables.suspensions import Suspension
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.custody import granted, log

USE_PERIOD_OVER = "use-period-over"
PROBLEM = "problem"
VIOLATION = "violation"
LOST = "lost"
RECALLED = "recalled"
AGREEMENT = "agreement"
CUSTODIAN_LEFT = "custodian-left"
CAUSES = (LOST, RECALLED, VIOLATION, PROBLEM, CUSTODIAN_LEFT, AGREEMENT, USE_PERIOD_OVER)
"""The causes, the one first that a person is told of where several hold."""
# While one of these is open, the due date changes nothing: a freeze stops the clock, and a violation weighs more.
OVER_THE_DUE_DATE = (PROBLEM, VIOLATION)
# Of these the custody log has a line of its own.
LOGGED_OTHERWISE = (VIOLATION, LOST)


def open_once(
    uow: UnitOfWork,
    hand_over: HandOver,
    cause: str,
    matter_id: str | None = None,
    *,
    violation_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Suspension:
    """Suspend access to a hand-over for a cause; return the open one of the same cause, matter and violation.

    ``since``: from when it counts, where it takes an earlier one over; else from now. ``until``: when it ends by
    itself, if ever. Raises ValueError for an unknown cause.
    """
    _require_cause(cause)
    _lock(uow, hand_over.id)
    for known in _open(uow, Suspension.hand_over_id == hand_over.id):
        if (known.cause, known.matter_id, known.violation_id) == (cause, matter_id, violation_id):
            return known
    suspension = Suspension(
        id=new_id(),
        hand_over_id=hand_over.id,
        cause=cause,
        violation_id=violation_id,
        matter_id=matter_id,
        since=since or uow.now,
        until=until,
    )
    _add(uow, suspension, application_id=hand_over.application_id)
    granted.end_of_recipients(uow, hand_over, cause)
    if cause not in LOGGED_OTHERWISE:
        log.append(uow, hand_over, "suspended", cause=cause)
    return suspension


def keep(uow: UnitOfWork, hand_over: HandOver, cause: str, matter_id: str) -> None:
    """Suspend access to a hand-over until somebody lifts it, where it was suspended for a time, over or not."""
    suspension = open_once(uow, hand_over, cause, matter_id)
    if suspension.until is None:
        return
    suspension.until = None
    audit_trail.record(
        uow,
        "suspension-kept",
        "suspension",
        suspension.id,
        application_id=hand_over.application_id,
        cause=cause,
    )


def open_for_person(
    uow: UnitOfWork, person_id: str, cause: str, matter_id: str | None = None, *, until: datetime | None = None
) -> Suspension:
    """Suspend a person's access to all copies that they hold; return the open one of the same cause and matter.

    Raises ValueError for an unknown cause.
    """
    _require_cause(cause)
    _lock_person(uow, person_id)
    for known in _open(uow, Suspension.person_id == person_id):
        if (known.cause, known.matter_id) == (cause, matter_id):
            return known
    suspension = Suspension(
        id=new_id(), person_id=person_id, cause=cause, matter_id=matter_id, since=uow.now, until=until
    )
    _add(uow, suspension, application_id=None)
    for hand_over in list_held(uow, person_id):
        granted.end_of_recipients(uow, hand_over, cause)
        log.append(uow, hand_over, "suspended", cause=cause)
    return suspension


def lift(uow: UnitOfWork, suspension: Suspension) -> bool:
    """Lift this suspension and no other; return False where it is over already.

    It changes no due date: ``use_period.lift_freeze`` and ``violation_ends.close`` give back the days.
    """
    concerned = _concerned(uow, suspension)
    if not _is_open(suspension, uow.now):
        return False
    suspension.lifted_at, suspension.lifted_by = uow.now, uow.actor.id
    audit_trail.record(
        uow,
        "suspension-lifted",
        "suspension",
        suspension.id,
        application_id=concerned[0].application_id if suspension.hand_over_id else None,
        cause=suspension.cause,
        person=suspension.person_id,
    )
    for hand_over in concerned:
        if is_held(hand_over) and not list_open(uow, hand_over):
            due_at = hand_over.due_at.isoformat() if hand_over.due_at else None
            log.append(uow, hand_over, "resumed", cause=suspension.cause, due_at=due_at)
    return True


def list_open(uow: UnitOfWork, hand_over: HandOver) -> list[Suspension]:
    """List what keeps the copies of a hand-over closed now, its custodian's own included; the oldest first."""
    return _open(uow, or_(Suspension.hand_over_id == hand_over.id, Suspension.person_id == hand_over.custodian_id))


def of_person(uow: UnitOfWork, person_id: str) -> list[Suspension]:
    """List the open suspensions of a person; those of single hand-overs are not among them."""
    return _open(uow, Suspension.person_id == person_id)


def has_left(uow: UnitOfWork, person_id: str) -> bool:
    """Return whether a person has left; the account stays while they hold copies, which are closed meanwhile (R46)."""
    uow.session.flush()
    leaves = exists().where(Suspension.person_id == person_id, Suspension.cause == CUSTODIAN_LEFT, is_open(uow.now))
    query = select(Person.active, leaves).where(Person.id == person_id)
    active, is_leaving = uow.session.execute(query).one()
    return not active or bool(is_leaving)


def list_suspended(uow: UnitOfWork, people: Collection[str]) -> set[str]:
    """Return those of the people who are suspended themselves; one statement."""
    return {str(row.person_id) for row in _open(uow, Suspension.person_id.in_(people))} if people else set()


def list_people(uow: UnitOfWork) -> set[str]:
    """Return everybody who is suspended themselves now; one statement."""
    return {str(row.person_id) for row in _open(uow, Suspension.person_id.is_not(None))}


def of_hand_overs(uow: UnitOfWork, hand_overs: Collection[HandOver]) -> Mapping[str, Sequence[Suspension]]:
    """Return what is open of each hand-over, by its id; one statement for all of them."""
    if not hand_overs:
        return {}
    ids, people = {row.id for row in hand_overs}, {row.custodian_id for row in hand_overs}
    found = _open(uow, or_(Suspension.hand_over_id.in_(ids), Suspension.person_id.in_(people)))
    return {
        row.id: [one for one in found if one.hand_over_id == row.id or one.person_id == row.custodian_id]
        for row in hand_overs
    }


def first_cause(causes: Iterable[str]) -> str | None:
    """Return the cause that a person is told of, of those that hold; None without any."""
    return min(causes, key=CAUSES.index, default=None)


def list_freezes(uow: UnitOfWork, hand_over: HandOver) -> list[Suspension]:
    """List the open suspensions of a hand-over by problem reports; the oldest first."""
    return [row for row in list_open(uow, hand_over) if row.hand_over_id is not None and row.cause == PROBLEM]


def is_frozen(uow: UnitOfWork, hand_over: HandOver) -> bool:
    """Return whether a problem report freezes the copies: the clock of the loan stands still (R44)."""
    return bool(list_freezes(uow, hand_over))


def is_held(hand_over: HandOver) -> bool:
    """Return whether the custodian holds the copies: accepted, neither returned nor lost, and no end of the loan."""
    return hand_over.accepted_at is not None and not is_over(hand_over)


def is_offered(hand_over: HandOver) -> bool:
    """Return whether the copies are offered, and their custodian has neither accepted nor declined them."""
    return hand_over.accepted_at is None and hand_over.declined_at is None and not is_over(hand_over)


def is_over(hand_over: HandOver) -> bool:
    """Return whether nobody holds the copies any more: returned, lost, or the loan has ended."""
    return any((hand_over.returned_at, hand_over.lost_at, hand_over.ended_at))


def list_held(uow: UnitOfWork, person_id: str) -> list[HandOver]:
    """List the hand-overs that a person holds, locked."""
    query = (
        select(HandOver)
        .where(
            HandOver.custodian_id == person_id,
            HandOver.accepted_at.is_not(None),
            HandOver.returned_at.is_(None),
            HandOver.lost_at.is_(None),
            HandOver.ended_at.is_(None),
        )
        .order_by(HandOver.id)
        .with_for_update()
    )
    return list(uow.session.scalars(query))


def ended_at(uow: UnitOfWork, suspension: Suspension) -> datetime:
    """Return when a suspension ended: lifted, or by itself; now, where it is open."""
    return min(moment for moment in (suspension.lifted_at, suspension.until, uow.now) if moment is not None)


def is_suspended(now: datetime, *causes: str) -> ColumnElement[bool]:
    """Return in SQL whether anything keeps the copies of a hand-over closed, or any of these causes does."""
    which = (is_open(now), Suspension.cause.in_(causes)) if causes else (is_open(now),)
    return or_(
        exists().where(Suspension.hand_over_id == HandOver.id, *which),
        exists().where(Suspension.person_id == HandOver.custodian_id, *which),
    )


def suspended_since(now: datetime) -> ColumnElement[datetime]:
    """Return in SQL since when the copies of a hand-over are closed; NULL where they are open."""
    of_it = or_(Suspension.hand_over_id == HandOver.id, Suspension.person_id == HandOver.custodian_id)
    return select(func.min(Suspension.since)).where(of_it, is_open(now)).correlate(HandOver).scalar_subquery()


def is_open(now: datetime) -> ColumnElement[bool]:
    """Return in SQL whether a suspension is open."""
    return Suspension.lifted_at.is_(None) & (Suspension.until.is_(None) | (Suspension.until > now))


def _is_open(suspension: Suspension, now: datetime) -> bool:
    return suspension.lifted_at is None and (suspension.until is None or suspension.until > now)


def _open(uow: UnitOfWork, whose: ColumnElement[bool]) -> list[Suspension]:
    query = select(Suspension).where(whose, is_open(uow.now)).order_by(Suspension.since, Suspension.id)
    return list(uow.session.scalars(query))


def _require_cause(cause: str) -> None:
    if cause not in CAUSES:
        raise ValueError(f"{cause!r} is no cause of a suspension: use one of {', '.join(CAUSES)}")


def _lock(uow: UnitOfWork, hand_over_id: str) -> None:
    """Lock the row alone: what the unit has changed of it stays."""
    uow.session.flush()
    uow.session.execute(select(HandOver.id).where(HandOver.id == hand_over_id).with_for_update())


def _lock_person(uow: UnitOfWork, person_id: str) -> None:
    uow.session.flush()
    uow.session.execute(select(Person.id).where(Person.id == person_id).with_for_update())


def _concerned(uow: UnitOfWork, suspension: Suspension) -> list[HandOver]:
    """Return the hand-overs that a suspension closes, locked, and the suspension as it is now."""
    if suspension.hand_over_id is not None:
        _lock(uow, suspension.hand_over_id)
        concerned = [uow.session.get_one(HandOver, suspension.hand_over_id)]
    else:
        _lock_person(uow, str(suspension.person_id))
        concerned = list_held(uow, str(suspension.person_id))
    uow.session.refresh(suspension)
    return concerned


def _add(uow: UnitOfWork, suspension: Suspension, *, application_id: str | None) -> None:
    uow.session.add(suspension)
    uow.session.flush()
    audit_trail.record(
        uow,
        "suspension-opened",
        "suspension",
        suspension.id,
        application_id=application_id,
        cause=suspension.cause,
        person=suspension.person_id,
        until=suspension.until.isoformat() if suspension.until else None,
    )
