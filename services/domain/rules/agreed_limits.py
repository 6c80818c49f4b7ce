"""The limits that a case was promised; later changes of a rule do not affect it."""

from datetime import timedelta

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
