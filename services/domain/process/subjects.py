"""What has a process of its own and belongs to no case; its kind says when nothing waits for its messages any more.

A capability to the right of this one registers its kind once, in ``services.domain.wiring``.
"""

from collections.abc import Callable
from dataclasses import dataclass

from services.database.unit_of_work import UnitOfWork

IsOver = Callable[[UnitOfWork, str], bool]


@dataclass(frozen=True)
class Subject:
    """One of them, by kind and id."""

    kind: str
    id: str


IS_OVER: dict[str, IsOver] = {}


def register(kind: str, is_over: IsOver) -> None:
    """Register how a kind says that it is closed; again is no error."""
    IS_OVER[kind] = is_over


def is_over(uow: UnitOfWork, subject: Subject) -> bool:
    """Return whether the process of the subject has ended. KeyError for a kind that nobody has registered."""
    return IS_OVER[subject.kind](uow, subject.id)
