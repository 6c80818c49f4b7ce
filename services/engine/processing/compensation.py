"""Subscribe completed activities to compensation, and run their handlers.

As in Zeebe 8.6, a throw event triggers the completed activities of its own scope and of completed subprocesses in it.
All handlers run at once in the scope of the throw event, which waits for them.
"""

from collections.abc import Collection, Iterator

from services.engine.model.bpmn import Element, ElementType, EventType, required
from services.engine.processing.execution import Complete, ElementContext, Enter, Execution
from services.engine.processing.joins import NO_FLOW
from services.engine.processing.migration_checks import Plan, compensation_changed, compensation_scope_changed
from services.engine.state.instances import CompensationSubscription, ElementInstance, ProcessInstance

_CONTAINERS = frozenset(
    {ElementType.SUB_PROCESS, ElementType.MULTI_INSTANCE_BODY}
)  # compensated by compensating the activities inside
_LIFECYCLE_INTENTS = ("ELEMENT_ACTIVATING", "ELEMENT_ACTIVATED", "ELEMENT_COMPLETING", "ELEMENT_COMPLETED")


def create_subscription(execution: Execution, context: ElementContext) -> None:
    """Subscribe a completing activity that has a handler, or has subscriptions inside."""
    subscriptions = context.process_instance.root.compensation_subscriptions
    boundaries = [] if context.is_inner_instance else _compensation_events(context, context.element)
    boundary = next(iter(boundaries), None)
    if boundary is None and not (
        context.element_instance.element_type in _CONTAINERS
        and any(c.scope_key == context.element_instance.key for c in subscriptions)
    ):
        return
    handler = required(boundary.handler) if boundary is not None else ""
    compensation = CompensationSubscription(
        key=execution.store.next_key(),
        activity_id=context.element.id,
        activity_instance_key=context.element_instance.key,
        scope_key=context.element_instance.flow_scope_key,
        handler_id=handler,
    )
    subscriptions.append(compensation)
    _record(execution, context, compensation, "CREATED")


def trigger_compensation(execution: Execution, thrower: ElementContext) -> bool:
    """Trigger the subscriptions in reach; return whether there were any.

    A throw event that names an activity triggers that one only.
    """
    scopes = [thrower.element_instance.flow_scope_key]
    if thrower.process.elements[thrower.element.scope].element_type == ElementType.EVENT_SUB_PROCESS:
        scopes.append(thrower.scope.flow_scope_key)
    activity_id = required(thrower.element.event).activity
    open_subscriptions = [
        c for c in thrower.process_instance.root.compensation_subscriptions if not c.throw_event_instance_key
    ]
    in_reach = [c for c in open_subscriptions if c.scope_key in scopes and activity_id in (None, c.activity_id)]
    for compensation in in_reach:
        _trigger(execution, thrower, open_subscriptions, compensation)
    return bool(in_reach)


def complete_handler(execution: Execution, context: ElementContext) -> None:
    """Complete the subscription of a completed handler.

    The throw event completes after its last handler.
    """
    subscriptions = context.process_instance.root.compensation_subscriptions
    completed = next((c for c in subscriptions if c.handler_instance_key == context.element_instance.key), None)
    if completed is None:
        return
    _remove(execution, context, completed, "COMPLETED")
    _complete_enclosing(execution, context, completed.scope_key)
    if not any(c.throw_event_instance_key == completed.throw_event_instance_key for c in subscriptions):
        execution.steps.append(Complete(context.process_instance.key, completed.throw_event_instance_key))


def delete_subscriptions(execution: Execution, context: ElementContext) -> None:
    """Delete the subscriptions inside a terminated scope."""
    _delete_nested(execution, context, context.element_instance.key)


def migrate_subscriptions(execution: Execution, instance: ProcessInstance, plan: Plan) -> None:
    """Give the subscriptions of mapped compensation events to the target's activities; delete the others.

    A subprocess is kept with what is kept inside it. Raises Rejection.
    """
    subscriptions = instance.root.compensation_subscriptions
    if not subscriptions:
        return
    activities: dict[str, str] = {}
    for compensation in subscriptions:
        activities |= dict(_mapped_activities(plan, compensation))
    context = execution.element_context(instance, instance.root)
    for compensation in list(subscriptions):
        target_id = activities.get(compensation.activity_id)
        if target_id is None:
            _remove(execution, context, compensation, "DELETED")
            continue
        compensation.activity_id = target_id
        if compensation.handler_id:
            boundary = _compensation_events(context, plan.target.elements[target_id])[0]
            compensation.handler_id = required(boundary.handler)
        _record(execution, context, compensation, "MIGRATED")


def _mapped_activities(plan: Plan, compensation: CompensationSubscription) -> Iterator[tuple[str, str]]:
    """Yield the activity of a mapped compensation event and its enclosing scopes, each with those of the target."""
    if not compensation.handler_id:
        return
    source = plan.source.elements[compensation.activity_id]
    boundaries = [plan.source.elements[b] for b in source.boundaries]
    boundary = next((b.id for b in boundaries if b.handler == compensation.handler_id and b.id in plan.ids), None)
    if boundary is None:
        return
    mapped = plan.target.elements[plan.ids[boundary]]
    if mapped.event_type != EventType.COMPENSATION:
        raise compensation_changed(plan, boundary, mapped.id, mapped.event_type)
    target = plan.target.elements[required(mapped.attached_to)]
    while ElementType.PROCESS not in (source.element_type, target.element_type):
        yield source.id, target.id
        source, target = plan.source.elements[source.scope], plan.target.elements[target.scope]
    if source.element_type != target.element_type:
        raise compensation_scope_changed(plan, source.id, target.id)


def _trigger(
    execution: Execution,
    thrower: ElementContext,
    open_subscriptions: Collection[CompensationSubscription],
    compensation: CompensationSubscription,
) -> None:
    if compensation.handler_id:
        compensation.handler_instance_key = _start_handler(execution, thrower, compensation)
    compensation.throw_event_instance_key = thrower.element_instance.key
    _record(execution, thrower, compensation, "TRIGGERED")
    for nested in open_subscriptions:
        if nested.scope_key == compensation.activity_instance_key:
            _trigger(execution, thrower, open_subscriptions, nested)


def _start_handler(execution: Execution, thrower: ElementContext, compensation: CompensationSubscription) -> int:
    """Record the boundary event's lifecycle and schedule the handler; return its key."""
    activity = thrower.process.elements[compensation.activity_id]
    boundary = next(e for e in _compensation_events(thrower, activity) if e.handler == compensation.handler_id)
    element_instance = ElementInstance(
        execution.store.next_key(), boundary.id, boundary.element_type, thrower.element_instance.flow_scope_key
    )
    boundary_context = ElementContext(thrower.process_instance, thrower.process, boundary, element_instance)
    for intent in _LIFECYCLE_INTENTS:
        execution.record_transition(boundary_context, intent)
    key = execution.store.next_key()
    tokens = thrower.scope.tokens
    tokens[NO_FLOW] = tokens.get(NO_FLOW, 0) + 1
    execution.steps.append(
        Enter(
            thrower.process_instance.key,
            thrower.scope.key,
            compensation.handler_id,
            element_instance_key=key,
        )
    )
    return key


def _complete_enclosing(execution: Execution, context: ElementContext, scope_key: int) -> None:
    """Complete a subprocess's subscription after the last one inside."""
    subscriptions = context.process_instance.root.compensation_subscriptions
    if any(c.scope_key == scope_key for c in subscriptions):
        return
    enclosing = next(
        (c for c in subscriptions if c.activity_instance_key == scope_key and not c.handler_id),
        None,
    )
    if enclosing is not None:
        _remove(execution, context, enclosing, "COMPLETED")
        _complete_enclosing(execution, context, enclosing.scope_key)


def _delete_nested(execution: Execution, context: ElementContext, scope_key: int) -> None:
    for compensation in [
        c for c in context.process_instance.root.compensation_subscriptions if c.scope_key == scope_key
    ]:
        _remove(execution, context, compensation, "DELETED")
        _delete_nested(execution, context, compensation.activity_instance_key)


def _remove(execution: Execution, context: ElementContext, compensation: CompensationSubscription, intent: str) -> None:
    context.process_instance.root.compensation_subscriptions.remove(compensation)
    _record(execution, context, compensation, intent)


def _compensation_events(context: ElementContext, activity: Element) -> list[Element]:
    boundaries = [context.process.elements[b] for b in activity.boundaries]
    return [b for b in boundaries if b.event_type == EventType.COMPENSATION]


def _record(execution: Execution, context: ElementContext, compensation: CompensationSubscription, intent: str) -> None:
    thrower = context.process_instance.element_instances.get(compensation.throw_event_instance_key)
    value = {
        **execution.instance_fields(context.process_instance),
        "compensableActivityId": compensation.activity_id,
        "compensableActivityInstanceKey": compensation.activity_instance_key,
        "compensableActivityScopeKey": compensation.scope_key,
        "compensationHandlerId": compensation.handler_id,
        "compensationHandlerInstanceKey": compensation.handler_instance_key or -1,
        "throwEventId": thrower.element_id if thrower is not None else "",
        "throwEventInstanceKey": compensation.throw_event_instance_key or -1,
    }
    execution.record(compensation.key, "COMPENSATION_SUBSCRIPTION", intent, value)
