"""The use period and what changes it: an extension, days given back, a lifted freeze (R44, R49 to R51).

Every change is written by ``change_due_date``. It publishes ``use-period-changed`` also where the date stays, so that
the process enters the use period anew and every timer of it is armed again.
"""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from services.database.tables.custody import HandOver
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.custody import grants, locks, log, suspensions
from services.domain.notifications import service as notification_service
from services.domain.process import outbox
from services.domain.process.messages import USE_PERIOD_CHANGED, written
from services.domain.rules import agreed_limits
from services.runtime.errors import Refused


def change_due_date(uow: UnitOfWork, hand_over: HandOver, due_at: datetime, *, because: str) -> None:
    """Change the due date of a loan, or write the same one anew; grants, locks and timers follow.

    ``because``: the code of the reason, for custody log and audit trail. The end of the old use period is lifted where
    the new one lies ahead; no other suspension is. A later date that lies ahead ends the notices that ask for the
    return by the former one. Raises Refused for copies that nobody holds, for a date after
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
    hand_over.due_at = due_at
    moments = {"due_at": due_at.isoformat(), "before": before.isoformat()}
    entry = log.append(uow, hand_over, "due-date-changed", **moments, because=because)
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
        variables=_told(due_at),
    )


def settle_changes(uow: UnitOfWork, hand_over: HandOver, because: str, process_due_at: datetime | None) -> None:
    """Settle what the process was told of changes; where it goes by another due date, it is told of the last one again.

    ``process_due_at`` is None where that is not known. Nothing is told again of copies that nobody holds.
    """
    if suspensions.is_over(hand_over):
        arrived: bool | None = True
    else:
        arrived = None if process_due_at is None else process_due_at == hand_over.due_at
    outbox.settle_superseded(
        uow,
        USE_PERIOD_CHANGED,
        hand_over.id,
        because,
        variables=_told(hand_over.due_at),
        arrived=arrived,
    )


def follow_due_date(uow: UnitOfWork, hand_over: HandOver) -> None:
    """Let grants and locks follow the due date; one that lies ahead lifts the end of the use period, and that alone."""
    due_at = _require_running(hand_over)
    grants.extend(uow, hand_over)
    if due_at <= uow.now:
        return
    locks.extend_loan(uow, hand_over.application_id, due_at, agreed_limits.get_grace_period(uow, hand_over))
    for suspension in suspensions.list_open(uow, hand_over):
        if suspension.hand_over_id is not None and suspension.cause == suspensions.USE_PERIOD_OVER:
            suspensions.lift(uow, suspension)


def lift_freeze(uow: UnitOfWork, hand_over: HandOver, matter_id: str | None = None) -> bool:
    """Lift the freeze of a problem report, of this matter or whichever, and add the frozen days to the due date.

    Returns False where nothing is frozen: then nothing is changed or published.
    """
    frozen = [
        row
        for row in suspensions.list_open(uow, hand_over)
        if row.hand_over_id is not None and row.cause == suspensions.PROBLEM and matter_id in (None, row.matter_id)
    ]
    for suspension in frozen:
        suspensions.lift(uow, suspension)
    if frozen:
        give_back(uow, hand_over, min(row.since for row in frozen), because="freeze-lifted")
    return bool(frozen)


def give_back(uow: UnitOfWork, hand_over: HandOver, since: datetime, *, because: str) -> None:
    """Add the time from ``since`` on to the due date, inside the hard maximum; call it when the suspension is lifted.

    Nothing for copies that nobody holds. Time that another open suspension covers is left out: it is given back with
    that one, or not at all. The date stays where a later one would be overdue, with its grace, at once: that would be a
    second violation for the same lateness.
    """
    if not suspensions.is_held(hand_over):
        return
    due_at = _require_running(hand_over)
    others = [row.since for row in suspensions.list_open(uow, hand_over) if row.cause != suspensions.USE_PERIOD_OVER]
    lost = max(min([uow.now, *others]) - since, timedelta())
    later = min(due_at + lost, agreed_limits.latest_due(uow, hand_over))
    overdue_at_once = later + agreed_limits.get_grace_period(uow, hand_over) <= uow.now
    change_due_date(uow, hand_over, due_at if overdue_at_once else later, because=because)


def _told(due_at: datetime | None) -> dict[str, str]:
    return {"dueAt": written(due_at)} if due_at is not None else {}


def _require_running(hand_over: HandOver) -> datetime:
    """Return the due date; Refused unless somebody holds the copies."""
    if not suspensions.is_held(hand_over) or hand_over.due_at is None:
        raise Refused("loan-not-running", "Nobody holds these copies now: their use period cannot be changed.")
    return hand_over.due_at
