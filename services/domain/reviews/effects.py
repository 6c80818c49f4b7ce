"""What an answer changes at once, before its process has heard of it: each capability registers its own.

Reviews know no matter's subject; whoever does says at the start what an answer of its stage does.
"""

from collections.abc import Callable
from typing import TypeAlias

from services.database.tables.reviews import Review
from services.database.unit_of_work import UnitOfWork

Effect: TypeAlias = Callable[[UnitOfWork, Review, str], None]
"""Called with the review and its outcome, in the unit of work that writes the decision."""

_EFFECTS: dict[str, Effect] = {}


def register(stage: str, effect: Effect) -> None:
    """Have this done each time the stage is decided."""
    _EFFECTS[stage] = effect


def apply(uow: UnitOfWork, review: Review, outcome: str) -> None:
    """Do what the stage has registered."""
    effect = _EFFECTS.get(review.stage)
    if effect is not None:
        effect(uow, review, outcome)
