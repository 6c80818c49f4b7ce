"""Trigger events: complete or interrupt an element, or activate a parallel path."""

from services.engine.model.bpmn import Element, ElementType
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


def can_trigger(context: ElementContext, catch_event: Element) -> bool:
    """Return whether the element can still be triggered."""
    element_instance = context.element_instance
    if (
        element_instance.state != ACTIVATED
        or element_instance.ends_early
        or (element_instance.flow_scope_key and is_interrupted(context.scope))
    ):
        return False
    if catch_event.element_type == ElementType.BOUNDARY_EVENT:
        return (
            element_instance.pending_trigger is None
            or context.process.elements[element_instance.pending_trigger.element_id].element_type
            != ElementType.BOUNDARY_EVENT
        )
    if catch_event.element_type == ElementType.START_EVENT:
        return not element_instance.is_interrupted()
    return element_instance.trigger is None and element_instance.pending_trigger is None


def is_interrupted(scope: ElementInstance) -> bool:
    """Return whether an event subprocess or terminate end interrupted the scope."""
    return scope.interrupting_element_id is not None or is_terminated_early(scope)


def trigger_event(execution: Execution, context: ElementContext, event: Trigger) -> bool:
    """Trigger an event on its host element.

    Return False if it is too late.
    """
    catch_event = context.process.elements[event.element_id]
    if not can_trigger(context, catch_event):
        return False
    if catch_event.element_type == ElementType.BOUNDARY_EVENT:
        _trigger_boundary_event(execution, context, catch_event, event)
    elif catch_event.element_type == ElementType.START_EVENT:
        _trigger_event_subprocess(execution, context, catch_event, event)
    else:
        context.element_instance.trigger = event
        schedule_completion(execution, context)
    return True


def _trigger_boundary_event(
    execution: Execution, context: ElementContext, catch_event: Element, event: Trigger
) -> None:
    if catch_event.interrupting:
        context.element_instance.pending_trigger = event
        execution.steps.append(Terminate(context.process_instance.key, context.element_instance.key))
    else:
        activate_event(execution, execution.element_context(context.process_instance, context.scope), event)


def _trigger_event_subprocess(execution: Execution, context: ElementContext, start: Element, event: Trigger) -> None:
    if not start.interrupting:
        enter_element(execution, context.process_instance, context.element_instance, start.scope, trigger=event)
        return
    context.element_instance.interrupting_element_id = start.id
    context.element_instance.pending_trigger = event
    unsubscribe_from_event_subprocesses(execution, context)
    if terminate_children(execution, context):
        activate_pending_event_subprocess(execution, context)


def activate_pending_event_subprocess(execution: Execution, context: ElementContext) -> bool:
    """Activate the event subprocess of an emptied scope.

    Return whether there is one.
    """
    pending = context.element_instance.pending_trigger
    if pending is None or context.process.elements[pending.element_id].element_type != ElementType.START_EVENT:
        return False
    context.element_instance.pending_trigger = None
    enter_element(
        execution,
        context.process_instance,
        context.element_instance,
        context.process.elements[pending.element_id].scope,
        trigger=pending,
    )
    return True
