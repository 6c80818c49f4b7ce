"""Events that react: start events, intermediate catch events, boundary events."""

from services.engine.model.bpmn import EventKind, Kind, given
from services.engine.processing import lifecycle
from services.engine.processing.catching import close_catches, open_catches
from services.engine.processing.elements.activity import Leaf
from services.engine.processing.mappings import apply_inputs, apply_outputs
from services.engine.processing.variables import set_local
from services.engine.processing.work import At, Work
from services.engine.state.instances import Trigger


class StartEvent(Leaf):
    """The variables of what started it leave it by its output mappings, or all of them.

    Those of an event that started the process are kept at its start event as well. What the scope waits for
    begins when its start event completes.
    """

    def activate(self, work: Work, at: At) -> None:
        if at.node.trigger is not None and at.scope.kind == Kind.PROCESS:
            _keep_variables(work, at)
        super().activate(work, at)

    def complete(self, work: Work, at: At) -> None:
        apply_outputs(work, at)
        open_catches(work, work.at(at.instance, at.scope))
        lifecycle.completed(work, at)


class CatchEvent(Leaf):
    """Waits for its event, unless an event-based gateway has caught that already. Link events just pass."""

    def activate(self, work: Work, at: At) -> None:
        if at.node.trigger is not None:
            _keep_variables(work, at)
            lifecycle.activated(work, at)
            lifecycle.complete(work, at)
            return
        if given(at.element.event).kind == EventKind.LINK:
            lifecycle.activated(work, at)
            lifecycle.complete(work, at)
            return
        apply_inputs(work, at)
        open_catches(work, at)
        lifecycle.activated(work, at)

    def complete(self, work: Work, at: At) -> None:
        apply_outputs(work, at)
        close_catches(work, at)
        lifecycle.completed(work, at)


class BoundaryEvent(Leaf):
    """The event has happened; its variables are local and go on, but those of an error stay local without a mapping."""

    def activate(self, work: Work, at: At) -> None:
        _keep_variables(work, at)
        lifecycle.activated(work, at)
        lifecycle.complete(work, at)

    def complete(self, work: Work, at: At) -> None:
        if at.node.trigger is not None and at.node.trigger.is_error:
            at.node.trigger = Trigger(at.element.id, {})
        apply_outputs(work, at)
        lifecycle.completed(work, at)


def _keep_variables(work: Work, at: At) -> None:
    set_local(work, at.instance, at.node, given(at.node.trigger).variables)
