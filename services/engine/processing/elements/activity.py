"""Base processors of elements."""

from typing import TypeVar

from services.engine.processing import lifecycle
from services.engine.processing.event_subscriptions import subscribe_to_events, unsubscribe_from_events
from services.engine.processing.execution import ElementContext, Execution
from services.engine.processing.jobs import cancel_jobs
from services.engine.processing.mappings import apply_inputs, apply_outputs

Prepared = TypeVar("Prepared")


def of_type(prepared: object, kind: type[Prepared]) -> Prepared:
    """Check the type of what ``prepare`` returned; raises TypeError."""
    if not isinstance(prepared, kind):
        raise TypeError(f"{type(prepared).__name__} was prepared where {kind.__name__} is needed")
    return prepared


class FlowNodeProcessor:
    """An element without children, which completes when it is activated."""

    def activate(self, execution: Execution, context: ElementContext) -> None:
        lifecycle.transition_to_activated(execution, context)
        lifecycle.schedule_completion(execution, context)

    def complete(self, execution: Execution, context: ElementContext) -> None:
        lifecycle.transition_to_completed(execution, context)

    def terminate(self, execution: Execution, context: ElementContext) -> None:
        cancel_jobs(execution, context)
        unsubscribe_from_events(execution, context)
        execution.resolve_incidents(context)
        lifecycle.transition_to_terminated(execution, context)

    def before_child_completes(self, execution: Execution, context: ElementContext, child: ElementContext) -> None:
        raise AssertionError(f"{context.element.id} has nothing inside")

    def child_completed(self, execution: Execution, context: ElementContext) -> None:
        raise AssertionError(f"{context.element.id} has nothing inside")

    def child_terminated(self, execution: Execution, context: ElementContext) -> None:
        raise AssertionError(f"{context.element.id} has nothing inside")


class ActivityProcessor(FlowNodeProcessor):
    """An element with mappings and boundary events; subclasses implement ``start``.

    ``prepare`` raises Failure before any subscription is opened; its result is passed to ``start``.
    """

    def activate(self, execution: Execution, context: ElementContext) -> None:
        apply_inputs(execution, context)
        prepared = self.prepare(execution, context)
        subscribe_to_events(execution, context)
        self.start(execution, context, prepared)

    def prepare(self, execution: Execution, context: ElementContext) -> object:
        return None

    def start(self, execution: Execution, context: ElementContext, prepared: object) -> None:
        lifecycle.transition_to_activated(execution, context)
        lifecycle.schedule_completion(execution, context)

    def complete(self, execution: Execution, context: ElementContext) -> None:
        apply_outputs(execution, context)
        lifecycle.notify_before_completion(execution, context)
        unsubscribe_from_events(execution, context)
        lifecycle.transition_to_completed(execution, context)
