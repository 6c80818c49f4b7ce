"""Compensation: what undoes an activity is remembered when that completes, and is run when a compensation is thrown.

As in Zeebe 8.6, a throw event reaches the completed activities of its own scope and of completed subprocesses in it;
all that undoes them runs at once, in the scope of the thrower, which waits for it.
"""

from collections.abc import Collection

from services.engine.model.bpmn import Element, ElementKind, EventKind, required
from services.engine.processing.execution import Complete, ElementContext, Enter, Execution
from services.engine.processing.joins import NO_FLOW
from services.engine.state.instances import Compensation, ElementInstance

_CONTAINERS = frozenset(
    {ElementKind.SUB_PROCESS, ElementKind.MULTI_INSTANCE_BODY}
)  # what is undone by undoing what was done inside
_LIFECYCLE_INTENTS = ("ELEMENT_ACTIVATING", "ELEMENT_ACTIVATED", "ELEMENT_COMPLETING", "ELEMENT_COMPLETED")


def create_subscription(execution: Execution, context: ElementContext) -> None:
    """An activity completes: it can be undone if something is drawn for it, or for what completed inside."""
    known = context.process_instance.root.compensations
    boundary = None if context.is_inner_instance else _boundary(context)
    if boundary is None and not (
        context.element_instance.kind in _CONTAINERS and any(c["scope"] == context.element_instance.key for c in known)
    ):
        return
    handler = required(boundary.handler) if boundary is not None else ""
    compensation = Compensation(
        key=execution.store.next_key(),
        activity=context.element.id,
        node=context.element_instance.key,
        scope=context.element_instance.scope,
        handler=handler,
        handler_node=0,
        thrower=0,
    )
    known.append(compensation)
    _record(execution, context, compensation, "CREATED")


def trigger_compensation(execution: Execution, thrower: ElementContext) -> bool:
    """Undo what the throw event reaches, or the one activity that it names; returns whether there was anything."""
    scopes = [thrower.element_instance.scope]
    if thrower.process.elements[thrower.element.scope].kind == ElementKind.EVENT_SUB_PROCESS:
        scopes.append(thrower.scope.scope)
    named = required(thrower.element.event).activity
    waiting = [c for c in thrower.process_instance.root.compensations if not c["thrower"]]
    reached = [c for c in waiting if c["scope"] in scopes and named in (None, c["activity"])]
    for compensation in reached:
        _trigger(execution, thrower, waiting, compensation)
    return bool(reached)


def complete_handler(execution: Execution, context: ElementContext) -> None:
    """An element has completed: if it undid something, that is done, and the thrower goes on after the last."""
    known = context.process_instance.root.compensations
    done = next((c for c in known if c["handler_node"] == context.element_instance.key), None)
    if done is None:
        return
    _drop(execution, context, done, "COMPLETED")
    _complete_enclosing(execution, context, done["scope"])
    if not any(c["thrower"] == done["thrower"] for c in known):
        execution.steps.append(Complete(context.process_instance.key, done["thrower"]))


def delete_subscriptions(execution: Execution, context: ElementContext) -> None:
    """A scope was terminated: what completed inside is not undone any more."""
    _delete_nested(execution, context, context.element_instance.key)


def _trigger(
    execution: Execution, thrower: ElementContext, waiting: Collection[Compensation], compensation: Compensation
) -> None:
    if compensation["handler"]:
        compensation["handler_node"] = _start_handler(execution, thrower, compensation)
    compensation["thrower"] = thrower.element_instance.key
    _record(execution, thrower, compensation, "TRIGGERED")
    for inside in waiting:
        if inside["scope"] == compensation["node"]:
            _trigger(execution, thrower, waiting, inside)


def _start_handler(execution: Execution, thrower: ElementContext, compensation: Compensation) -> int:
    """The boundary event passes at once; what undoes is entered in a later step. Returns the latter's key."""
    activity = thrower.process.elements[compensation["activity"]]
    boundary = next(e for e in _compensation_events(thrower, activity) if e.handler == compensation["handler"])
    element_instance = ElementInstance(
        execution.store.next_key(), boundary.id, boundary.kind, thrower.element_instance.scope
    )
    passing = ElementContext(thrower.process_instance, thrower.process, boundary, element_instance)
    for intent in _LIFECYCLE_INTENTS:
        execution.record_transition(passing, intent)
    key = execution.store.next_key()
    tokens = thrower.scope.tokens
    tokens[NO_FLOW] = tokens.get(NO_FLOW, 0) + 1
    execution.steps.append(
        Enter(thrower.process_instance.key, thrower.scope.key, compensation["handler"], element_instance_key=key)
    )
    return key


def _complete_enclosing(execution: Execution, context: ElementContext, scope_key: int) -> None:
    """A subprocess is undone once nothing that completed inside it is left to undo."""
    known = context.process_instance.root.compensations
    if any(c["scope"] == scope_key for c in known):
        return
    around = next((c for c in known if c["node"] == scope_key and not c["handler"]), None)
    if around is not None:
        _drop(execution, context, around, "COMPLETED")
        _complete_enclosing(execution, context, around["scope"])


def _delete_nested(execution: Execution, context: ElementContext, scope_key: int) -> None:
    for compensation in [c for c in context.process_instance.root.compensations if c["scope"] == scope_key]:
        _drop(execution, context, compensation, "DELETED")
        _delete_nested(execution, context, compensation["node"])


def _drop(execution: Execution, context: ElementContext, compensation: Compensation, intent: str) -> None:
    context.process_instance.root.compensations.remove(compensation)
    _record(execution, context, compensation, intent)


def _boundary(context: ElementContext) -> Element | None:
    return next(iter(_compensation_events(context, context.element)), None)


def _compensation_events(context: ElementContext, activity: Element) -> list[Element]:
    boundaries = [context.process.elements[b] for b in activity.boundaries]
    return [b for b in boundaries if b.event is not None and b.event.kind == EventKind.COMPENSATION]


def _record(execution: Execution, context: ElementContext, compensation: Compensation, intent: str) -> None:
    thrower = context.process_instance.element_instances.get(compensation["thrower"])
    value = {
        **execution.instance_fields(context.process_instance),
        "compensableActivityId": compensation["activity"],
        "compensableActivityInstanceKey": compensation["node"],
        "compensableActivityScopeKey": compensation["scope"],
        "compensationHandlerId": compensation["handler"],
        "compensationHandlerInstanceKey": compensation["handler_node"] or -1,
        "throwEventId": thrower.element_id if thrower is not None else "",
        "throwEventInstanceKey": compensation["thrower"] or -1,
    }
    execution.record(compensation["key"], "COMPENSATION_SUBSCRIPTION", intent, value)
