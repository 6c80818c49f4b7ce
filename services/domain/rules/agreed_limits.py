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
    limits = [days for days in (application.max_use_days, uow.rules.max_use_days) if days is not None]
    days = max(hand_over.use_days, min(limits, default=0))
    return max(hand_over.due_at, (first + timedelta(days=days)).replace(microsecond=0))
