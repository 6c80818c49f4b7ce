"""The steps every element takes: enter, activate, complete, terminate, and what its scope does then."""

from collections.abc import Callable, Mapping
from typing import Any

from services.engine.errors import Failure
from services.engine.model.bpmn import Element, ElementKind, Flow
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
    """Enter an element without a flow; the scope stays open for it from now on."""
    scope.tokens[NO_FLOW] = scope.tokens.get(NO_FLOW, 0) + 1
    execution.steps.append(Enter(instance.key, scope.key, element_id, None, trigger, index, local or {}))


def take_sequence_flow(execution: Execution, context: ElementContext, flow: Flow) -> None:
    """A token leaves a completed element along a flow."""
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
    """Take one step; a step whose element has gone meanwhile does nothing."""
    if isinstance(step, Enter):
        _enter(execution, step)
        return
    context = execution.find(step.instance_key, step.element_instance_key)
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
    found = execution.find(step.instance_key, step.scope_key)
    if found is None:
        return
    element = found.process.elements[step.element_id]
    if _consume_tokens(found, element, step):
        _activate(
            execution,
            found,
            element,
            step.trigger,
            index=step.index,
            local=step.local,
            element_instance_key=step.element_instance_key,
        )


def activate_event(execution: Execution, around: ElementContext, event: Trigger) -> None:
    """A boundary event, or one behind an event-based gateway, has happened: it is activated in the same step."""
    _activate(execution, around, around.process.elements[event.element_id], event)


def _activate(
    execution: Execution,
    found: ElementContext,
    element: Element,
    trigger: Trigger | None,
    *,
    index: int = 0,
    local: Mapping[str, Any] | None = None,
    element_instance_key: int = 0,
) -> None:
    scope = found.element_instance
    inner = scope.kind == ElementKind.MULTI_INSTANCE_BODY
    kind = ElementKind.MULTI_INSTANCE_BODY if element.loop is not None and not inner else element.kind
    element_instance = ElementInstance(
        element_instance_key or execution.store.next_key(), element.id, kind, scope.key, trigger=trigger
    )
    if index:
        element_instance.memo = {"index": index}
    found.process_instance.element_instances[element_instance.key] = element_instance
    scope.children[element_instance.key] = None
    context = ElementContext(found.process_instance, found.process, element, element_instance)
    execution.record_transition(context, "ELEMENT_ACTIVATING")
    set_local_variables(execution, context.process_instance, element_instance, local or {})
    _run(execution, context, execution.processor(element_instance).activate)


def _consume_tokens(found: ElementContext, element: Element, step: Enter) -> bool:
    """Take the tokens that let the element be entered; False while a join still waits, or if its scope ends."""
    scope = found.element_instance
    if scope.ended or not _can_proceed(found, element):
        return False
    needed = tokens_to_consume(found.process_instance, found.process, scope, element, step.flow or NO_FLOW)
    for token in needed:
        scope.tokens[token] -= 1
        if not scope.tokens[token]:
            del scope.tokens[token]
    return bool(needed)


def _can_proceed(around: ElementContext, element: Element) -> bool:
    """Whether the scope lets an element in it go on: it runs, and nothing but this element has interrupted it."""
    scope = around.element_instance
    if scope.state != ACTIVATED or is_terminated_early(scope):
        return False
    return scope.interrupted_by is None or around.process.elements[scope.interrupted_by].scope == element.id


def is_terminated_early(scope: ElementInstance) -> bool:
    """A terminate end event has ended the scope; what a multi-instance ends early still finishes its step."""
    return scope.ended and scope.kind != ElementKind.MULTI_INSTANCE_BODY


def _complete(execution: Execution, context: ElementContext) -> None:
    if context.element.kind != ElementKind.PROCESS and not _can_proceed(
        execution.element_context(context.process_instance, context.scope), context.element
    ):
        return
    if context.element_instance.state == ACTIVATED:
        context.element_instance.state = COMPLETING
        execution.record_transition(context, "ELEMENT_COMPLETING")
    if context.element_instance.state == COMPLETING:
        _run(execution, context, execution.processor(context.element_instance).complete)


def _run(execution: Execution, context: ElementContext, act: Callable[[Execution, ElementContext], None]) -> None:
    try:
        act(execution, context)
    except Failure as failure:
        execution.raise_incident(context, failure)


def transition_to_activated(execution: Execution, context: ElementContext) -> None:
    context.element_instance.state = ACTIVATED
    execution.record_transition(context, "ELEMENT_ACTIVATED")


def schedule_completion(execution: Execution, context: ElementContext) -> None:
    """Ask for completion; it is the next step."""
    execution.steps.append(Complete(context.process_instance.key, context.element_instance.key))


def notify_before_completion(execution: Execution, context: ElementContext) -> None:
    """Tell a multi-instance body that one of its instances is about to complete; raises Trouble."""
    if context.is_inner_instance:
        body = execution.element_context(context.process_instance, context.scope)
        execution.processor(body.element_instance).before_child_completes(execution, body, context)


def transition_to_completed(
    execution: Execution, context: ElementContext, flows: tuple[Flow, ...] | None = None, event: Trigger | None = None
) -> None:
    """The element is done: its tokens go on, or the ``event`` that it chose does, or its scope looks what is left."""
    create_subscription(execution, context)
    execution.record_transition(context, "ELEMENT_COMPLETED")
    if context.element.kind == ElementKind.PROCESS:
        _end_process(execution, context, completed_normally=True)
        return
    _remove(context)
    taken = () if context.is_inner_instance else (context.element.outgoing if flows is None else flows)
    for flow in taken:
        take_sequence_flow(execution, context, flow)
    if event is not None:
        activate_event(execution, execution.element_context(context.process_instance, context.scope), event)
    _retry_inclusive_joins(execution, context)
    if not taken and event is None:
        scope = execution.element_context(context.process_instance, context.scope)
        execution.processor(scope.element_instance).child_completed(execution, scope)
    complete_handler(execution, context)


def transition_to_terminated(execution: Execution, context: ElementContext) -> None:
    """The element is gone; the event that interrupted it takes over, or its scope looks what is left."""
    execution.record_transition(context, "ELEMENT_TERMINATED")
    if context.element.kind == ElementKind.PROCESS:
        _end_process(execution, context, completed_normally=False)
        return
    _remove(context)
    delete_subscriptions(execution, context)
    scope, pending = context.scope, context.element_instance.pending
    if (
        pending is not None
        and context.process.elements[pending.element_id].kind == ElementKind.BOUNDARY_EVENT
        and scope.state == ACTIVATED
        and scope.interrupted_by is None
        and not is_terminated_early(scope)
    ):
        activate_event(execution, execution.element_context(context.process_instance, scope), pending)
        return
    _retry_inclusive_joins(execution, context)
    around = execution.element_context(context.process_instance, scope)
    execution.processor(scope).child_terminated(execution, around)


def terminate_children(execution: Execution, context: ElementContext) -> bool:
    """Terminate all that runs inside; returns whether nothing did."""
    context.element_instance.tokens.clear()
    execution.steps.extend(
        Terminate(context.process_instance.key, child) for child in context.element_instance.children
    )
    return not context.element_instance.children


def is_scope_empty(scope: ElementInstance) -> bool:
    """Nothing runs in the scope and no token waits in it."""
    return not scope.children and not scope.tokens


def _retry_inclusive_joins(execution: Execution, context: ElementContext) -> None:
    """Something in the scope has gone on: what waits at an inclusive gateway may have nothing left to wait for."""
    for join, flow in pending_joins(context.process, context.scope):
        execution.steps.append(Enter(context.process_instance.key, context.element_instance.scope, join, flow))


def _remove(context: ElementContext) -> None:
    del context.process_instance.element_instances[context.element_instance.key]
    context.scope.children.pop(context.element_instance.key, None)


def _end_process(execution: Execution, context: ElementContext, *, completed_normally: bool) -> None:
    instance = context.process_instance
    if instance.awaited is not None and completed_normally:
        wanted = context.element_instance.variables
        execution.results[instance.key] = {
            n: v for n, v in wanted.items() if not instance.awaited or n in instance.awaited
        }
    caller = execution.calling_context(instance)
    execution.store.instances.remove(instance.key)
    if instance.start_lock is not None:
        execution.store.messages.unlock(instance.process_id, instance.start_lock)
        execution.steps.append(StartFromBufferedMessage(instance.process_id, instance.start_lock))
    if caller is None:
        return
    caller.element_instance.called = 0
    if completed_normally and caller.element_instance.state == ACTIVATED:
        caller.element_instance.trigger = Trigger(caller.element.id, dict(context.element_instance.variables))
        schedule_completion(execution, caller)
    else:
        execution.processor(caller.element_instance).child_terminated(execution, caller)
