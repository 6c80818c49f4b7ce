"""An event reaches a running element: it completes it, interrupts it or starts something beside it."""

from services.engine.model.bpmn import Element, ElementKind
from services.engine.processing.event_subscriptions import unsubscribe_from_event_subprocesses
from services.engine.processing.execution import ElementContext, Execution, Terminate
from services.engine.processing.lifecycle import (
    activate_event,
    enter_element,
    is_terminated_early,
    schedule_completion,
    terminate_children,
)
from services.engine.state.instances import ACTIVATED, ElementInstance, Trigger


def can_trigger(context: ElementContext, catching: Element) -> bool:
    """Whether the element still reacts to the event."""
    element_instance = context.element_instance
    if (
        element_instance.state != ACTIVATED
        or element_instance.ended
        or (element_instance.scope and is_interrupted(context.scope))
    ):
        return False
    if catching.kind == ElementKind.BOUNDARY_EVENT:
        return (
            element_instance.pending is None
            or context.process.elements[element_instance.pending.element_id].kind != ElementKind.BOUNDARY_EVENT
        )
    if catching.kind == ElementKind.START_EVENT:
        return not element_instance.is_interrupted()
    return element_instance.trigger is None and element_instance.pending is None


def is_interrupted(scope: ElementInstance) -> bool:
    """By an event subprocess that has begun, or by a terminate end event."""
    return scope.interrupted_by is not None or is_terminated_early(scope)


def trigger_event(execution: Execution, context: ElementContext, event: Trigger) -> bool:
    """Let an event act on the element that waits for it; returns False where it is too late."""
    catching = context.process.elements[event.element_id]
    if not can_trigger(context, catching):
        return False
    if catching.kind == ElementKind.BOUNDARY_EVENT:
        _boundary(execution, context, catching, event)
    elif catching.kind == ElementKind.START_EVENT:
        _event_subprocess(execution, context, catching, event)
    else:
        context.element_instance.trigger = event
        schedule_completion(execution, context)
    return True


def _boundary(execution: Execution, context: ElementContext, catching: Element, event: Trigger) -> None:
    if catching.interrupting:
        context.element_instance.pending = event
        execution.steps.append(Terminate(context.process_instance.key, context.element_instance.key))
    else:
        activate_event(execution, execution.element_context(context.process_instance, context.scope), event)


def _event_subprocess(execution: Execution, context: ElementContext, start: Element, event: Trigger) -> None:
    if not start.interrupting:
        enter_element(execution, context.process_instance, context.element_instance, start.scope, trigger=event)
        return
    context.element_instance.interrupted_by = start.id
    context.element_instance.pending = event
    unsubscribe_from_event_subprocesses(execution, context)
    if terminate_children(execution, context):
        enter_pending(execution, context)


def enter_pending(execution: Execution, context: ElementContext) -> bool:
    """Once an interrupted scope is empty, its event subprocess begins; returns whether one did."""
    pending = context.element_instance.pending
    if pending is None or context.process.elements[pending.element_id].kind != ElementKind.START_EVENT:
        return False
    context.element_instance.pending = None
    enter_element(
        execution,
        context.process_instance,
        context.element_instance,
        context.process.elements[pending.element_id].scope,
        trigger=pending,
    )
    return True
