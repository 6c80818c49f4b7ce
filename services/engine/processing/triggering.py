"""An event reaches a running element: it completes it, interrupts it or starts something beside it."""

from services.engine.model.bpmn import Element, Kind
from services.engine.processing.catching import close_event_subprocesses
from services.engine.processing.lifecycle import begin_event, complete, ended_early, enter, terminate_children
from services.engine.processing.work import At, Terminate, Work
from services.engine.state.instances import ACTIVATED, Node, Trigger


def can_trigger(at: At, catching: Element) -> bool:
    """Whether the element still reacts to the event."""
    node = at.node
    if node.state != ACTIVATED or node.ended or (node.scope and is_interrupted(at.scope)):
        return False
    if catching.kind == Kind.BOUNDARY_EVENT:
        return node.pending is None or at.process.elements[node.pending.element_id].kind != Kind.BOUNDARY_EVENT
    if catching.kind == Kind.START_EVENT:
        return not node.is_interrupted()
    return node.trigger is None and node.pending is None


def is_interrupted(scope: Node) -> bool:
    """By an event subprocess that has begun, or by a terminate end event."""
    return scope.interrupted_by is not None or ended_early(scope)


def trigger(work: Work, at: At, event: Trigger) -> bool:
    """Let an event act on the element that waits for it; returns False where it is too late."""
    catching = at.process.elements[event.element_id]
    if not can_trigger(at, catching):
        return False
    if catching.kind == Kind.BOUNDARY_EVENT:
        _boundary(work, at, catching, event)
    elif catching.kind == Kind.START_EVENT:
        _event_subprocess(work, at, catching, event)
    else:
        at.node.trigger = event
        complete(work, at)
    return True


def _boundary(work: Work, at: At, catching: Element, event: Trigger) -> None:
    if catching.interrupting:
        at.node.pending = event
        work.steps.append(Terminate(at.instance.key, at.node.key))
    else:
        begin_event(work, work.at(at.instance, at.scope), event)


def _event_subprocess(work: Work, at: At, start: Element, event: Trigger) -> None:
    if not start.interrupting:
        enter(work, at.instance, at.node, start.scope, trigger=event)
        return
    at.node.interrupted_by = start.id
    at.node.pending = event
    close_event_subprocesses(work, at)
    if terminate_children(work, at):
        enter_pending(work, at)


def enter_pending(work: Work, at: At) -> bool:
    """Once an interrupted scope is empty, its event subprocess begins; returns whether one did."""
    pending = at.node.pending
    if pending is None or at.process.elements[pending.element_id].kind != Kind.START_EVENT:
        return False
    at.node.pending = None
    enter(work, at.instance, at.node, at.process.elements[pending.element_id].scope, trigger=pending)
    return True
