"""The use period and what changes it: an extension, days given back, a lifted freeze (R44, R49 to R51).

Every change is written by ``change_due_date``. It publishes ``use-period-changed`` also where the date stays, so that
the process enters the use period anew and every timer of it is armed again.

Frozen copies cannot be returned, so the clock of the grace stands too. Where the due date cannot move far enough, the
grace of this due date becomes longer instead, and the process is told of it (``gracePeriod``).
"""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from services.database.tables.custody import CustodyEntry, HandOver
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.custody import grants, locks, log, suspensions
from services.domain.notifications import service as notification_service
from services.domain.process import outbox
from services.domain.process.messages import USE_PERIOD_CHANGED, written
from services.domain.rules import agreed_limits
from services.runtime.errors import Refused
from services.runtime.rules import iso

CHANGED = "due-date-changed"  # the entry of the custody log
USUAL_GRACE = "usual_grace_seconds"  # in its detail, where the grace of the due date is another one
GRACE_PERIOD = "gracePeriod"  # the variable of the process
SECOND = timedelta(seconds=1)


def change_due_date(
    uow: UnitOfWork, hand_over: HandOver, due_at: datetime, *, because: str, return_until: datetime | None = None
) -> None:
    """Change the due date of a loan, or write the same one anew; grants, locks and timers follow.

    ``because``: the code of the reason, for custody log and audit trail. ``return_until``: up to when the copies are
    not overdue, where that is later than the usual grace. The end of the old use period is lifted where the new one
    lies ahead; no other suspension is. A later date that lies ahead ends the notices that ask for the return by the
    former one. Raises Refused for copies that nobody holds, for a date after
    ``agreed_limits.latest_due``, and for one that shortens the use period into the past.
    """
    before = _require_running(hand_over)
    due_at = due_at.replace(microsecond=0)
    latest = agreed_limits.latest_due(uow, hand_over)
    if due_at > latest:
        raise Refused(
            "due-date-too-late",
            "The copies can be used until {latest} at the latest: choose an earlier date.",
            field="dueAt",
            latest=f"{latest.astimezone(ZoneInfo(uow.rules.zone)):%Y-%m-%d %H:%M}",
        )
    if due_at < min(before, uow.now):
        raise Refused("due-date-past", "The new due date has already passed: choose a later one.", field="dueAt")
    grace = _set_grace(uow, hand_over, due_at, return_until)
    hand_over.due_at = due_at
    moments: dict[str, Any] = {"due_at": due_at.isoformat(), "before": before.isoformat(), **grace}
    entry = log.append(uow, hand_over, CHANGED, **moments, because=because)
    audit_trail.record(
        uow,
        "use-period-changed",
        "hand-over",
        hand_over.id,
        application_id=hand_over.application_id,
        **moments,
        because=because,
    )
    follow_due_date(uow, hand_over)
    if due_at > max(before, uow.now):
        notification_service.mark_done(uow, "return", subject_id=hand_over.id)
    outbox.publish(
        uow,
        USE_PERIOD_CHANGED,
        hand_over.id,
        application_id=hand_over.application_id,
        message_id=f"{USE_PERIOD_CHANGED}:{hand_over.id}:{entry.seq}",
        variables=_told(uow, hand_over),
    )


def settle_changes(
    uow: UnitOfWork,
    hand_over: HandOver,
    because: str,
    process_due_at: datetime | None,
    process_grace_period: str | None = None,
) -> None:
    """Settle what the process was told of changes; where it goes by other ones, it is told of the last one again.

    ``process_due_at`` and ``process_grace_period`` (ISO 8601): what the process goes by, None where that is not known.
    Nothing is told again of copies that nobody holds.
    """
    told = _told(uow, hand_over)
    if suspensions.is_over(hand_over):
        arrived: bool | None = True
    elif process_due_at is None:
        arrived = None
    else:
        known_grace = process_grace_period in (None, told.get(GRACE_PERIOD, process_grace_period))
        arrived = process_due_at == hand_over.due_at and known_grace
    outbox.settle_superseded(uow, USE_PERIOD_CHANGED, hand_over.id, because, variables=told, arrived=arrived)


def follow_due_date(uow: UnitOfWork, hand_over: HandOver) -> None:
    """Let grants and locks follow the due date; one that lies ahead lifts the end of the use period, and that alone."""
    due_at = _require_running(hand_over)
    grants.extend(uow, hand_over)
    grace = agreed_limits.get_grace_period(uow, hand_over)
    if due_at + grace > uow.now:
        locks.extend_loan(uow, hand_over.application_id, due_at, grace)
    if due_at <= uow.now:
        return
    for suspension in suspensions.list_open(uow, hand_over):
        if suspension.hand_over_id is not None and suspension.cause == suspensions.USE_PERIOD_OVER:
            suspensions.lift(uow, suspension)


def lift_freeze(uow: UnitOfWork, hand_over: HandOver, matter_id: str | None = None) -> bool:
    """Lift the freeze of a problem report, of this matter or whichever, and add the frozen days to the due date.

    Returns False where nothing is frozen: then nothing is changed or published.
    """
    frozen = [row for row in suspensions.list_freezes(uow, hand_over) if matter_id in (None, row.matter_id)]
    for suspension in frozen:
        suspensions.lift(uow, suspension)
    if frozen:
        since = min(row.since for row in frozen)
        give_back(uow, hand_over, since, because="freeze-lifted", return_until=_end_of_return(uow, hand_over, since))
    return bool(frozen)


def take_freeze_over(uow: UnitOfWork, hand_over: HandOver) -> None:
    """Lift the freeze that a violation takes over: the copies can be returned from now on, and are not used.

    The due date stays: the days are given back with the violation, or not at all. Nothing is changed or published where
    nothing is frozen.
    """
    frozen = suspensions.list_freezes(uow, hand_over)
    for suspension in frozen:
        suspensions.lift(uow, suspension)
    if frozen and suspensions.is_held(hand_over):
        change_due_date(
            uow,
            hand_over,
            _require_running(hand_over),
            because="freeze-taken-over",
            return_until=_end_of_return(uow, hand_over, min(row.since for row in frozen)),
        )


def give_back(
    uow: UnitOfWork,
    hand_over: HandOver,
    since: datetime,
    *,
    because: str,
    until: datetime | None = None,
    return_until: datetime | None = None,
) -> None:
    """Add the time from ``since`` on to the due date, inside the hard maximum; call it when the suspension is lifted.

    ``until``: when that time was over, where the suspension has ended before now. ``return_until``: as for
    ``change_due_date``.

    Nothing for copies that nobody holds, and of the time before they were accepted. Time that another open suspension
    covers is left out: it is given back with that one, or not at all. The date stays where a later one would be
    overdue, with its grace, at once: that would be a second violation for the same lateness.
    """
    if not suspensions.is_held(hand_over):
        return
    due_at = _require_running(hand_over)
    since = max(since, hand_over.accepted_at or since)
    others = [row.since for row in suspensions.list_open(uow, hand_over) if row.cause != suspensions.USE_PERIOD_OVER]
    lost = max(min([until or uow.now, *others]) - since, timedelta())
    later = min(due_at + lost, agreed_limits.latest_due(uow, hand_over))
    overdue_at_once = max(_overdue_from(uow, hand_over, later), return_until or later) <= uow.now
    change_due_date(uow, hand_over, due_at if overdue_at_once else later, because=because, return_until=return_until)


def end_of_new_grace(uow: UnitOfWork, hand_over: HandOver) -> datetime:
    """Return until when copies can be returned whose grace begins now: as it was when they were offered."""
    return uow.now + _usual_grace(uow, hand_over)


def _end_of_return(uow: UnitOfWork, hand_over: HandOver, frozen_since: datetime) -> datetime:
    """Return until when copies can be returned that were frozen up to now: nobody could return them meanwhile.

    It is a whole grace from now on, or what was left of it where it ran already when the clock was stopped: else one
    report after the other would put the violation off for ever.
    """
    usual = _usual_grace(uow, hand_over)
    left = _require_running(hand_over) + agreed_limits.get_grace_period(uow, hand_over) - frozen_since
    return uow.now + min(usual, left)


def _overdue_from(uow: UnitOfWork, hand_over: HandOver, due_at: datetime) -> datetime:
    """Return from when copies of this new due date are overdue; never before the end of a grace that became longer."""
    usual, grace = _usual_grace(uow, hand_over), agreed_limits.get_grace_period(uow, hand_over)
    begun_anew = [_require_running(hand_over) + grace] if grace > usual else []
    return max([due_at + usual, *begun_anew])


def _set_grace(uow: UnitOfWork, hand_over: HandOver, due_at: datetime, return_until: datetime | None) -> dict[str, int]:
    """Set the grace of the new due date, in seconds; return what log and trail say where it is, or was, another one."""
    usual, before = _usual_grace(uow, hand_over), agreed_limits.get_grace_period(uow, hand_over)
    grace = max(_overdue_from(uow, hand_over, due_at), return_until or due_at) - due_at
    if usual == before == grace:
        return {}
    hand_over.grace_seconds = -(-grace // SECOND)
    return {"grace_seconds": hand_over.grace_seconds, USUAL_GRACE: usual // SECOND}


def _usual_grace(uow: UnitOfWork, hand_over: HandOver) -> timedelta:
    """Return the grace as it was when the copies were offered, whatever it is of the present due date."""
    seconds = _find_usual_grace(uow, hand_over)
    return agreed_limits.get_grace_period(uow, hand_over) if seconds is None else seconds * SECOND


def _find_usual_grace(uow: UnitOfWork, hand_over: HandOver) -> int | None:
    """Return the seconds of that grace from the custody log; None where no due date had another one so far."""
    query = select(CustodyEntry.detail).where(CustodyEntry.hand_over_id == hand_over.id, CustodyEntry.event == CHANGED)
    return next((detail[USUAL_GRACE] for detail in uow.session.scalars(query) if USUAL_GRACE in detail), None)


def _told(uow: UnitOfWork, hand_over: HandOver) -> dict[str, str]:
    """Return what the process is told of the use period: of the grace, once it was another one than it knows."""
    told = {"dueAt": written(hand_over.due_at)} if hand_over.due_at is not None else {}
    if _find_usual_grace(uow, hand_over) is not None:
        told[GRACE_PERIOD] = iso(agreed_limits.get_grace_period(uow, hand_over))
    return told


def _require_running(hand_over: HandOver) -> datetime:
    """Return the due date; Refused unless somebody holds the copies."""
    if not suspensions.is_held(hand_over) or hand_over.due_at is None:
        raise Refused("loan-not-running", "Nobody holds these copies now: their use period cannot be changed.")
    return hand_over.due_at
