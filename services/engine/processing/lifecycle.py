"""The steps every element takes: enter, activate, complete, terminate, and what its scope does then."""

from collections.abc import Callable, Mapping
from typing import Any

from services.engine.errors import Trouble
from services.engine.model.bpmn import Element, Flow, Kind
from services.engine.processing.compensation import forget, remember, settle
from services.engine.processing.joins import BY_EVENT, tokens_to_take, waiting_joins
from services.engine.processing.variables import set_local
from services.engine.processing.work import Activate, At, Complete, Enter, LookForStart, Terminate, Work
from services.engine.state.instances import ACTIVATED, ACTIVATING, COMPLETING, TERMINATING, Instance, Node, Trigger


def enter(
    work: Work,
    instance: Instance,
    scope: Node,
    element_id: str,
    *,
    trigger: Trigger | None = None,
    index: int = 0,
    local: Mapping[str, Any] | None = None,
) -> None:
    """Enter an element without a flow; the scope stays open for it from now on."""
    scope.tokens[BY_EVENT] = scope.tokens.get(BY_EVENT, 0) + 1
    work.steps.append(Enter(instance.key, scope.key, element_id, None, trigger, index, local or {}))


def take_flow(work: Work, at: At, flow: Flow) -> None:
    """A token leaves a completed element along a flow."""
    scope = at.scope
    scope.tokens[flow.id] = scope.tokens.get(flow.id, 0) + 1
    value = {
        **work.origin(at.instance),
        "version": at.instance.version,
        "elementId": flow.id,
        "bpmnElementType": "SEQUENCE_FLOW",
        "bpmnEventType": "UNSPECIFIED",
        "flowScopeKey": scope.key,
        "parentProcessInstanceKey": (at.instance.parent or (-1, -1))[0],
        "parentElementInstanceKey": (at.instance.parent or (-1, -1))[1],
    }
    work.record(work.store.next_key(), "PROCESS_INSTANCE", "SEQUENCE_FLOW_TAKEN", value)
    work.steps.append(Enter(at.instance.key, scope.key, flow.target, flow.id))


def take_step(work: Work, step: Enter | Activate | Complete | Terminate) -> None:
    """Take one step; a step whose element has gone meanwhile does nothing."""
    if isinstance(step, Enter):
        _enter(work, step)
        return
    at = work.find(step.instance_key, step.node_key)
    if at is None:
        return
    match step:
        case Activate():
            if at.node.state == ACTIVATING:
                _attempt(work, at, work.processor(at.node).activate)
        case Complete():
            _complete(work, at)
        case Terminate():
            if at.node.state != TERMINATING:
                at.node.state = TERMINATING
                work.transition(at, "ELEMENT_TERMINATING")
                work.processor(at.node).terminate(work, at)


def _enter(work: Work, step: Enter) -> None:
    found = work.find(step.instance_key, step.scope_key)
    if found is None:
        return
    element = found.process.elements[step.element_id]
    if _use_tokens(found, element, step):
        _begin(work, found, element, step.trigger, index=step.index, local=step.local, node_key=step.node_key)


def begin_event(work: Work, around: At, event: Trigger) -> None:
    """A boundary event, or one behind an event-based gateway, has happened: it is activated in the same step."""
    _begin(work, around, around.process.elements[event.element_id], event)


def _begin(
    work: Work,
    found: At,
    element: Element,
    trigger: Trigger | None,
    *,
    index: int = 0,
    local: Mapping[str, Any] | None = None,
    node_key: int = 0,
) -> None:
    scope = found.node
    inner = scope.kind == Kind.MULTI_INSTANCE_BODY
    kind = Kind.MULTI_INSTANCE_BODY if element.loop is not None and not inner else element.kind
    node = Node(node_key or work.store.next_key(), element.id, kind, scope.key, trigger=trigger)
    if index:
        node.memo = {"index": index}
    found.instance.nodes[node.key] = node
    scope.children[node.key] = None
    at = At(found.instance, found.process, element, node)
    work.transition(at, "ELEMENT_ACTIVATING")
    set_local(work, at.instance, node, local or {})
    _attempt(work, at, work.processor(node).activate)


def _use_tokens(found: At, element: Element, step: Enter) -> bool:
    """Take the tokens that let the element be entered; False while a join still waits, or if its scope ends."""
    scope = found.node
    if scope.ended or not _goes_on(found, element):
        return False
    needed = tokens_to_take(found.instance, found.process, scope, element, step.flow or BY_EVENT)
    for token in needed:
        scope.tokens[token] -= 1
        if not scope.tokens[token]:
            del scope.tokens[token]
    return bool(needed)


def _goes_on(around: At, element: Element) -> bool:
    """Whether the scope lets an element in it go on: it runs, and nothing but this element has interrupted it."""
    scope = around.node
    if scope.state != ACTIVATED or ended_early(scope):
        return False
    return scope.interrupted_by is None or around.process.elements[scope.interrupted_by].scope == element.id


def ended_early(scope: Node) -> bool:
    """A terminate end event has ended the scope; what a multi-instance ends early still finishes its step."""
    return scope.ended and scope.kind != Kind.MULTI_INSTANCE_BODY


def _complete(work: Work, at: At) -> None:
    if at.element.kind != Kind.PROCESS and not _goes_on(work.at(at.instance, at.scope), at.element):
        return
    if at.node.state == ACTIVATED:
        at.node.state = COMPLETING
        work.transition(at, "ELEMENT_COMPLETING")
    if at.node.state == COMPLETING:
        _attempt(work, at, work.processor(at.node).complete)


def _attempt(work: Work, at: At, act: Callable[[Work, At], None]) -> None:
    try:
        act(work, at)
    except Trouble as trouble:
        work.incident(at, trouble)


def activated(work: Work, at: At) -> None:
    at.node.state = ACTIVATED
    work.transition(at, "ELEMENT_ACTIVATED")


def complete(work: Work, at: At) -> None:
    """Ask for completion; it is the next step."""
    work.steps.append(Complete(at.instance.key, at.node.key))


def completing_child(work: Work, at: At) -> None:
    """Tell a multi-instance body that one of its instances is about to complete; raises Trouble."""
    if at.is_inner:
        body = work.at(at.instance, at.scope)
        work.processor(body.node).child_completing(work, body, at)


def completed(work: Work, at: At, flows: tuple[Flow, ...] | None = None, event: Trigger | None = None) -> None:
    """The element is done: its tokens go on, or the ``event`` that it chose does, or its scope looks what is left."""
    remember(work, at)
    work.transition(at, "ELEMENT_COMPLETED")
    if at.element.kind == Kind.PROCESS:
        _process_ended(work, at, completed_normally=True)
        return
    _remove(at)
    taken = () if at.is_inner else (at.element.outgoing if flows is None else flows)
    for flow in taken:
        take_flow(work, at, flow)
    if event is not None:
        begin_event(work, work.at(at.instance, at.scope), event)
    _try_joins(work, at)
    if not taken and event is None:
        scope = work.at(at.instance, at.scope)
        work.processor(scope.node).child_completed(work, scope)
    settle(work, at)


def terminated(work: Work, at: At) -> None:
    """The element is gone; the event that interrupted it takes over, or its scope looks what is left."""
    work.transition(at, "ELEMENT_TERMINATED")
    if at.element.kind == Kind.PROCESS:
        _process_ended(work, at, completed_normally=False)
        return
    _remove(at)
    forget(work, at)
    scope, pending = at.scope, at.node.pending
    if (
        pending is not None
        and at.process.elements[pending.element_id].kind == Kind.BOUNDARY_EVENT
        and scope.state == ACTIVATED
        and scope.interrupted_by is None
        and not ended_early(scope)
    ):
        begin_event(work, work.at(at.instance, scope), pending)
        return
    _try_joins(work, at)
    around = work.at(at.instance, scope)
    work.processor(scope).child_terminated(work, around)


def terminate_children(work: Work, at: At) -> bool:
    """Terminate all that runs inside; returns whether nothing did."""
    at.node.tokens.clear()
    work.steps.extend(Terminate(at.instance.key, child) for child in at.node.children)
    return not at.node.children


def is_over(scope: Node) -> bool:
    """Nothing runs in the scope and no token waits in it."""
    return not scope.children and not scope.tokens


def _try_joins(work: Work, at: At) -> None:
    """Something in the scope has gone on: what waits at an inclusive gateway may have nothing left to wait for."""
    for join, flow in waiting_joins(at.process, at.scope):
        work.steps.append(Enter(at.instance.key, at.node.scope, join, flow))


def _remove(at: At) -> None:
    del at.instance.nodes[at.node.key]
    at.scope.children.pop(at.node.key, None)


def _process_ended(work: Work, at: At, *, completed_normally: bool) -> None:
    instance = at.instance
    if instance.awaited is not None and completed_normally:
        wanted = at.node.variables
        work.results[instance.key] = {n: v for n, v in wanted.items() if not instance.awaited or n in instance.awaited}
    caller = work.parent_call(instance)
    work.store.instances.remove(instance.key)
    if instance.start_lock is not None:
        work.store.messages.unlock(instance.process_id, instance.start_lock)
        work.steps.append(LookForStart(instance.process_id, instance.start_lock))
    if caller is None:
        return
    caller.node.called = 0
    if completed_normally and caller.node.state == ACTIVATED:
        caller.node.trigger = Trigger(caller.element.id, dict(at.node.variables))
        complete(work, caller)
    else:
        work.processor(caller.node).child_terminated(work, caller)
