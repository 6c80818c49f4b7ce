"""Scopes: the process itself, embedded subprocesses and event subprocesses."""

from services.engine.model.bpmn import given
from services.engine.processing import lifecycle
from services.engine.processing.catching import close_catches, open_catches
from services.engine.processing.elements.activity import Activity
from services.engine.processing.mappings import apply_inputs
from services.engine.processing.modification import Activation, place
from services.engine.processing.triggering import enter_pending
from services.engine.processing.work import At, Work


class Scope(Activity):
    """Done when nothing runs inside; ended by ending all inside first.

    What it waits for is opened when its start event completes, so that the start event's variables count.
    """

    def activate(self, work: Work, at: At) -> None:
        apply_inputs(work, at)
        self.start(work, at, None)

    def start(self, work: Work, at: At, prepared: object) -> None:
        lifecycle.activated(work, at)
        if at.element.none_start is not None:
            lifecycle.enter(work, at.instance, at.node, at.element.none_start)

    def terminate(self, work: Work, at: At) -> None:
        close_catches(work, at)
        if lifecycle.terminate_children(work, at):
            self._gone(work, at)

    def child_completed(self, work: Work, at: At) -> None:
        if lifecycle.is_over(at.node):
            lifecycle.complete(work, at)

    def child_terminated(self, work: Work, at: At) -> None:
        if at.node.children:
            return
        if at.node.state == "TERMINATING":
            self._gone(work, at)
        elif not enter_pending(work, at) and lifecycle.is_over(at.node):
            lifecycle.complete(work, at)

    def _gone(self, work: Work, at: At) -> None:
        work.resolve_incidents(at)
        lifecycle.terminated(work, at)


class Subprocess(Scope):
    """An embedded subprocess."""


class ProcessScope(Scope):
    """A process instance. An event that started it enters at its own start event instead of the plain one."""

    def activate(self, work: Work, at: At) -> None:
        if at.node.memo is not None:
            self._start_at(work, at, at.node.memo["startAt"])
            return
        started_by = at.node.trigger
        at.node.trigger = None
        if started_by is None:
            self.start(work, at, None)
            return
        lifecycle.activated(work, at)
        lifecycle.enter(work, at.instance, at.node, started_by.element_id, trigger=started_by)

    def complete(self, work: Work, at: At) -> None:
        close_catches(work, at)
        lifecycle.completed(work, at)

    def _start_at(self, work: Work, at: At, element_ids: list[str]) -> None:
        open_catches(work, at)
        at.node.memo = None
        lifecycle.activated(work, at)
        work.steps.extend([place(work, at, Activation(identity)) for identity in element_ids])


class EventSubprocess(Scope):
    """Begins at its start event, which gets the variables of what triggered it."""

    def start(self, work: Work, at: At, prepared: object) -> None:
        lifecycle.activated(work, at)
        trigger, at.node.trigger = given(at.node.trigger), None
        lifecycle.enter(work, at.instance, at.node, trigger.element_id, trigger=trigger)
