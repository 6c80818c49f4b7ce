"""What a case has been promised: a rule that changes later does not reach it."""

from datetime import timedelta

from services.database.tables.applications import Application
from services.database.tables.custody import HandOver
from services.database.unit_of_work import Unit


def correction_period(unit: Unit, application: Application) -> timedelta:
    """How long the case has for a correction: as its process was told when it began."""
    promised = application.correction_seconds
    return unit.rules.correction_period if promised is None else timedelta(seconds=promised)


def grace(unit: Unit, hand_over: HandOver) -> timedelta:
    """How long after the due date a copy is overdue: as it was when the copies were offered."""
    promised = hand_over.grace_seconds
    return unit.rules.grace_period if promised is None else timedelta(seconds=promised)
