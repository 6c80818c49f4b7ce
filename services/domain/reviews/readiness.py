"""What a stage wants to be true before it is answered, beside the questions: each capability registers its own.

Reviews know no matter's subject; whoever does says at the start what its stage has to find.
"""

from collections.abc import Callable
from typing import TypeAlias

from services.database.tables.reviews import Review
from services.database.unit_of_work import UnitOfWork

Check: TypeAlias = Callable[[UnitOfWork, Review, str], None]
"""Raises Refused where the review cannot be answered now with this outcome."""

_CHECKS: dict[str, Check] = {}


def register(stage: str, check: Check) -> None:
    """Have a stage ask this each time before it is answered."""
    _CHECKS[stage] = check


def require(uow: UnitOfWork, review: Review, outcome: str) -> None:
    """Raise Refused where the review cannot be answered now."""
    check = _CHECKS.get(review.stage)
    if check is not None:
        check(uow, review, outcome)
