"""What a case has been promised: a rule that changes later does not reach it."""

from datetime import timedelta

from services.database.tables.applications import Application
from services.database.tables.custody import HandOver
from services.database.unit_of_work import UnitOfWork


def get_correction_period(uow: UnitOfWork, application: Application) -> timedelta:
    """How long the case has for a correction: as its process was told when it began."""
    promised = application.correction_seconds
    return uow.rules.correction_period if promised is None else timedelta(seconds=promised)


def get_grace_period(uow: UnitOfWork, hand_over: HandOver) -> timedelta:
    """How long after the due date a copy is overdue: as it was when the copies were offered."""
    promised = hand_over.grace_seconds
    return uow.rules.grace_period if promised is None else timedelta(seconds=promised)
