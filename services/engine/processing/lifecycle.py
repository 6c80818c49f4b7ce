"""Apply the lifecycle steps of elements: enter, activate, complete and terminate."""

from collections.abc import Callable, Mapping
from typing import Any

from services.engine.errors import Failure
from services.engine.model.bpmn import Element, ElementType, Flow
from services.engine.processing.compensation import complete_handler, create_subscription, delete_subscriptions
from services.engine.processing.execution import (
    Activate,
    Complete,
    ElementContext,
    Enter,
    Execution,
    StartFromBufferedMessage,
    Terminate,
)
from services.engine.processing.joins import NO_FLOW, pending_joins, tokens_to_consume
from services.engine.processing.variables import set_local_variables
from services.engine.state.instances import (
    ACTIVATED,
    ACTIVATING,
    COMPLETING,
    TERMINATING,
    ElementInstance,
    ProcessInstance,
    Trigger,
)


def enter_element(
    execution: Execution,
    instance: ProcessInstance,
    scope: ElementInstance,
    element_id: str,
    *,
    trigger: Trigger | None = None,
    index: int = 0,
    local: Mapping[str, Any] | None = None,
) -> None:
    """Schedule an element that is entered without a flow."""
    scope.tokens[NO_FLOW] = scope.tokens.get(NO_FLOW, 0) + 1
    execution.steps.append(Enter(instance.key, scope.key, element_id, None, trigger, index, local or {}))


def take_sequence_flow(execution: Execution, context: ElementContext, flow: Flow) -> None:
    """Move a token from a completed element along a flow."""
    scope = context.scope
    scope.tokens[flow.id] = scope.tokens.get(flow.id, 0) + 1
    value = {
        **execution.instance_fields(context.process_instance),
        "version": context.process_instance.version,
        "elementId": flow.id,
        "bpmnElementType": "SEQUENCE_FLOW",
        "bpmnEventType": "UNSPECIFIED",
        "flowScopeKey": scope.key,
        "parentProcessInstanceKey": (context.process_instance.parent or (-1, -1))[0],
        "parentElementInstanceKey": (context.process_instance.parent or (-1, -1))[1],
    }
    execution.record(execution.store.next_key(), "PROCESS_INSTANCE", "SEQUENCE_FLOW_TAKEN", value)
    execution.steps.append(Enter(context.process_instance.key, scope.key, flow.target, flow.id))


def apply_step(execution: Execution, step: Enter | Activate | Complete | Terminate) -> None:
    """Apply one step; a step of an ended element does nothing."""
    if isinstance(step, Enter):
        _enter(execution, step)
        return
    context = execution.find(step.process_instance_key, step.element_instance_key)
    if context is None:
        return
    match step:
        case Activate():
            if context.element_instance.state == ACTIVATING:
                _run(execution, context, execution.processor(context.element_instance).activate)
        case Complete():
            _complete(execution, context)
        case Terminate():
            if context.element_instance.state != TERMINATING:
                context.element_instance.state = TERMINATING
                execution.record_transition(context, "ELEMENT_TERMINATING")
                execution.processor(context.element_instance).terminate(execution, context)


def _enter(execution: Execution, step: Enter) -> None:
    scope_context = execution.find(step.process_instance_key, step.scope_key)
    if scope_context is None:
        return
    element = scope_context.process.elements[step.element_id]
    if _consume_tokens(scope_context, element, step):
        _activate(
            execution,
            scope_context,
            element,
            step.trigger,
            index=step.index,
            local=step.local,
            element_instance_key=step.element_instance_key,
        )


def activate_event(execution: Execution, scope_context: ElementContext, event: Trigger) -> None:
    """Activate a triggered event in the same step."""
    _activate(execution, scope_context, scope_context.process.elements[event.element_id], event)


def _activate(
    execution: Execution,
    scope_context: ElementContext,
    element: Element,
    trigger: Trigger | None,
    *,
    index: int = 0,
    local: Mapping[str, Any] | None = None,
    element_instance_key: int = 0,
) -> None:
    scope = scope_context.element_instance
    is_inner = scope.element_type == ElementType.MULTI_INSTANCE_BODY
    element_type = (
        ElementType.MULTI_INSTANCE_BODY if element.loop is not None and not is_inner else element.element_type
    )
    element_instance = ElementInstance(
        element_instance_key or execution.store.next_key(), element.id, element_type, scope.key, trigger=trigger
    )
    element_instance.loop_counter = index
    scope_context.process_instance.element_instances[element_instance.key] = element_instance
    scope.children[element_instance.key] = None
    context = ElementContext(scope_context.process_instance, scope_context.process, element, element_instance)
    execution.record_transition(context, "ELEMENT_ACTIVATING")
    set_local_variables(execution, context.process_instance, element_instance, local or {})
    _run(execution, context, execution.processor(element_instance).activate)


def _consume_tokens(scope_context: ElementContext, element: Element, step: Enter) -> bool:
    """Consume the tokens for entering; return False while a join waits.

    An ending scope lets no element be entered.
    """
    scope = scope_context.element_instance
    if scope.ends_early or not _can_proceed(scope_context, element):
        return False
    consumed = tokens_to_consume(
        scope_context.process_instance, scope_context.process, scope, element, step.flow or NO_FLOW
    )
    for token in consumed:
        scope.tokens[token] -= 1
        if not scope.tokens[token]:
            del scope.tokens[token]
    return bool(consumed)


def _can_proceed(scope_context: ElementContext, element: Element) -> bool:
    """Return whether the scope is active and not interrupted by another element."""
    scope = scope_context.element_instance
    if scope.state != ACTIVATED or is_terminated_early(scope):
        return False
    return (
        scope.interrupting_element_id is None
        or scope_context.process.elements[scope.interrupting_element_id].scope == element.id
    )


def is_terminated_early(scope: ElementInstance) -> bool:
    """Return whether a terminate end event ended the scope.

    A multi-instance that ends early still completes its current step.
    """
    return scope.ends_early and scope.element_type != ElementType.MULTI_INSTANCE_BODY


def _complete(execution: Execution, context: ElementContext) -> None:
    if context.element.element_type != ElementType.PROCESS and not _can_proceed(
        execution.element_context(context.process_instance, context.scope), context.element
    ):
        return
    if context.element_instance.state == ACTIVATED:
        context.element_instance.state = COMPLETING
        execution.record_transition(context, "ELEMENT_COMPLETING")
    if context.element_instance.state == COMPLETING:
        _run(execution, context, execution.processor(context.element_instance).complete)


def _run(execution: Execution, context: ElementContext, action: Callable[[Execution, ElementContext], None]) -> None:
    try:
        action(execution, context)
    except Failure as failure:
        execution.raise_incident(context, failure)


def transition_to_activated(execution: Execution, context: ElementContext) -> None:
    context.element_instance.state = ACTIVATED
    execution.record_transition(context, "ELEMENT_ACTIVATED")


def schedule_completion(execution: Execution, context: ElementContext) -> None:
    """Schedule the completion of an element as a step."""
    execution.steps.append(Complete(context.process_instance.key, context.element_instance.key))


def notify_before_completion(execution: Execution, context: ElementContext) -> None:
    """Notify a multi-instance body of a completing inner instance; raises Failure."""
    if context.is_inner_instance:
        body = execution.element_context(context.process_instance, context.scope)
        execution.processor(body.element_instance).before_child_completes(execution, body, context)


def transition_to_completed(
    execution: Execution, context: ElementContext, flows: tuple[Flow, ...] | None = None, event: Trigger | None = None
) -> None:
    """Complete an element: take its flows, activate ``event``, or notify its scope."""
    create_subscription(execution, context)
    execution.record_transition(context, "ELEMENT_COMPLETED")
    if context.element.element_type == ElementType.PROCESS:
        _end_process(execution, context, completed_normally=True)
        return
    _remove(context)
    flows_to_take = () if context.is_inner_instance else (context.element.outgoing if flows is None else flows)
    for flow in flows_to_take:
        take_sequence_flow(execution, context, flow)
    if event is not None:
        activate_event(execution, execution.element_context(context.process_instance, context.scope), event)
    _retry_inclusive_joins(execution, context)
    if not flows_to_take and event is None:
        scope = execution.element_context(context.process_instance, context.scope)
        execution.processor(scope.element_instance).child_completed(execution, scope)
    complete_handler(execution, context)


def transition_to_terminated(execution: Execution, context: ElementContext) -> None:
    """Terminate an element: activate the interrupting event, or notify its scope."""
    execution.record_transition(context, "ELEMENT_TERMINATED")
    if context.element.element_type == ElementType.PROCESS:
        _end_process(execution, context, completed_normally=False)
        return
    _remove(context)
    delete_subscriptions(execution, context)
    scope, pending = context.scope, context.element_instance.pending_trigger
    if (
        pending is not None
        and context.process.elements[pending.element_id].element_type == ElementType.BOUNDARY_EVENT
        and scope.state == ACTIVATED
        and scope.interrupting_element_id is None
        and not is_terminated_early(scope)
    ):
        activate_event(execution, execution.element_context(context.process_instance, scope), pending)
        return
    _retry_inclusive_joins(execution, context)
    scope_context = execution.element_context(context.process_instance, scope)
    execution.processor(scope).child_terminated(execution, scope_context)


def terminate_children(execution: Execution, context: ElementContext) -> bool:
    """Terminate all children; return whether there were none."""
    context.element_instance.tokens.clear()
    execution.steps.extend(
        Terminate(context.process_instance.key, child) for child in context.element_instance.children
    )
    return not context.element_instance.children


def is_scope_empty(scope: ElementInstance) -> bool:
    """Return whether a scope has neither children nor tokens."""
    return not scope.children and not scope.tokens


def _retry_inclusive_joins(execution: Execution, context: ElementContext) -> None:
    """Re-check waiting inclusive joins after an element of their scope ended."""
    for join, flow in pending_joins(context.process, context.scope):
        execution.steps.append(Enter(context.process_instance.key, context.element_instance.flow_scope_key, join, flow))


def _remove(context: ElementContext) -> None:
    del context.process_instance.element_instances[context.element_instance.key]
    context.scope.children.pop(context.element_instance.key, None)


def _end_process(execution: Execution, context: ElementContext, *, completed_normally: bool) -> None:
    instance = context.process_instance
    if instance.fetch_variables is not None and completed_normally:
        variables = context.element_instance.variables
        execution.results[instance.key] = {
            n: v for n, v in variables.items() if not instance.fetch_variables or n in instance.fetch_variables
        }
    caller = execution.calling_context(instance)
    execution.store.instances.remove(instance.key)
    if instance.correlation_key is not None:
        execution.store.messages.unlock(instance.bpmn_process_id, instance.correlation_key)
        execution.steps.append(StartFromBufferedMessage(instance.bpmn_process_id, instance.correlation_key))
    if caller is None:
        return
    caller.element_instance.called_child_instance_key = 0
    if completed_normally and caller.element_instance.state == ACTIVATED:
        caller.element_instance.trigger = Trigger(caller.element.id, dict(context.element_instance.variables))
        schedule_completion(execution, caller)
    else:
        execution.processor(caller.element_instance).child_terminated(execution, caller)
