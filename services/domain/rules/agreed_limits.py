"""The limits that a case was promised; later changes of a rule do not affect it."""

from datetime import datetime, timedelta

from sqlalchemy import func, select

from services.database.tables.applications import Application
from services.database.tables.custody import HandOver
from services.database.unit_of_work import UnitOfWork


def get_correction_period(uow: UnitOfWork, application: Application) -> timedelta:
    """Return the time to correct, as the case's process received it at its start."""
    promised = application.correction_seconds
    return uow.rules.correction_period if promised is None else timedelta(seconds=promised)


def get_grace_period(uow: UnitOfWork, hand_over: HandOver) -> timedelta:
    """Return the time from due date to overdue, as it was when the copies were offered."""
    promised = hand_over.grace_seconds
    return uow.rules.grace_period if promised is None else timedelta(seconds=promised)


def remaining_days(uow: UnitOfWork, application: Application) -> int:
    """Return the whole days that another issue of the copies may be used: what is left of the hard maximum (R50).

    It counts from the first acceptance, over all issues. What was granted, where nobody has accepted a copy yet.
    """
    query = select(HandOver).where(HandOver.application_id == application.id, HandOver.accepted_at.is_not(None))
    first = uow.session.scalars(query.order_by(HandOver.accepted_at).limit(1)).first()
    if first is None or first.accepted_at is None:
        return application.granted_use_days or application.requested_use_days
    return (first.accepted_at + timedelta(days=_longest(uow, application, first)) - uow.now).days


def first_due(uow: UnitOfWork, hand_over: HandOver, since: datetime) -> datetime:
    """Return the due date of copies that are accepted at ``since``, in whole seconds: the engine counts with them.

    Another issue of the same application ends with the hard maximum, which the first one began (R50).
    """
    due_at = since + timedelta(days=hand_over.use_days)
    earlier = select(HandOver).where(
        HandOver.application_id == hand_over.application_id,
        HandOver.issue < hand_over.issue,
        HandOver.accepted_at.is_not(None),
    )
    first = uow.session.scalars(earlier.order_by(HandOver.accepted_at).limit(1)).first()
    if first is not None and first.accepted_at is not None:
        application = uow.session.get_one(Application, hand_over.application_id)
        due_at = min(due_at, first.accepted_at + timedelta(days=_longest(uow, application, first)))
    return due_at.replace(microsecond=0)


def latest_due(uow: UnitOfWork, hand_over: HandOver) -> datetime:
    """Return the hard maximum of the use: the latest due date that anything may give a loan (R50).

    It counts from the first acceptance of the application, over all its hand-overs and extensions: the days of its
    class and of the rules, whichever are fewer. What was granted stays granted where a rule has become harder since.
    Raises ValueError for a hand-over that nobody has accepted.
    """
    first = uow.session.scalar(
        select(func.min(HandOver.accepted_at)).where(HandOver.application_id == hand_over.application_id)
    )
    if first is None or hand_over.due_at is None:
        raise ValueError(f"nobody has accepted the hand-over {hand_over.id}: its use period has not begun")
    application = uow.session.get_one(Application, hand_over.application_id)
    days = _longest(uow, application, hand_over)
    return max(hand_over.due_at, (first + timedelta(days=days)).replace(microsecond=0))


def _longest(uow: UnitOfWork, application: Application, hand_over: HandOver) -> int:
    limits = [days for days in (application.max_use_days, uow.rules.max_use_days) if days is not None]
    return max(hand_over.use_days, min(limits, default=0))
