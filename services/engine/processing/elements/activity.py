"""What activities have in common: mappings, events on them, and being ended from outside."""

from typing import TypeVar

from services.engine.processing import lifecycle
from services.engine.processing.catching import close_catches, open_catches
from services.engine.processing.jobs import cancel_jobs
from services.engine.processing.mappings import apply_inputs, apply_outputs
from services.engine.processing.work import At, Work

Wanted = TypeVar("Wanted")


def of_type(prepared: object, kind: type[Wanted]) -> Wanted:
    """What ``prepare`` returned, as ``start`` knows it; raises TypeError."""
    if not isinstance(prepared, kind):
        raise TypeError(f"{type(prepared).__name__} was prepared where {kind.__name__} is needed")
    return prepared


class Leaf:
    """An element without anything inside; it is left as soon as it was entered."""

    def activate(self, work: Work, at: At) -> None:
        lifecycle.activated(work, at)
        lifecycle.complete(work, at)

    def complete(self, work: Work, at: At) -> None:
        lifecycle.completed(work, at)

    def terminate(self, work: Work, at: At) -> None:
        cancel_jobs(work, at)
        close_catches(work, at)
        work.resolve_incidents(at)
        lifecycle.terminated(work, at)

    def child_completing(self, work: Work, at: At, child: At) -> None:
        raise AssertionError(f"{at.element.id} has nothing inside")

    def child_completed(self, work: Work, at: At) -> None:
        raise AssertionError(f"{at.element.id} has nothing inside")

    def child_terminated(self, work: Work, at: At) -> None:
        raise AssertionError(f"{at.element.id} has nothing inside")


class Activity(Leaf):
    """An element with mappings and boundary events. Subclasses say what it does in ``start``.

    ``prepare`` raises Trouble before anything is opened; what it returns is handed to ``start``.
    """

    def activate(self, work: Work, at: At) -> None:
        apply_inputs(work, at)
        prepared = self.prepare(work, at)
        open_catches(work, at)
        self.start(work, at, prepared)

    def prepare(self, work: Work, at: At) -> object:
        return None

    def start(self, work: Work, at: At, prepared: object) -> None:
        lifecycle.activated(work, at)
        lifecycle.complete(work, at)

    def complete(self, work: Work, at: At) -> None:
        apply_outputs(work, at)
        lifecycle.completing_child(work, at)
        close_catches(work, at)
        lifecycle.completed(work, at)
