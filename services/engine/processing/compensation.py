"""Compensation: what undoes an activity is remembered when that completes, and is run when a compensation is thrown.

As in Zeebe 8.6, a throw event reaches the completed activities of its own scope and of completed subprocesses in it;
all that undoes them runs at once, in the scope of the thrower, which waits for it.
"""

from collections.abc import Collection

from services.engine.model.bpmn import Element, EventKind, Kind, given
from services.engine.processing.joins import BY_EVENT
from services.engine.processing.work import At, Complete, Enter, Work
from services.engine.state.instances import Compensation, Node

_CARRIERS = frozenset({Kind.SUB_PROCESS, Kind.MULTI_INSTANCE_BODY})  # what is undone by undoing what was done inside
_LIFE = ("ELEMENT_ACTIVATING", "ELEMENT_ACTIVATED", "ELEMENT_COMPLETING", "ELEMENT_COMPLETED")


def remember(work: Work, at: At) -> None:
    """An activity completes: it can be undone if something is drawn for it, or for what completed inside."""
    known = at.instance.root.compensations
    boundary = None if at.is_inner else _boundary(at)
    if boundary is None and not (at.node.kind in _CARRIERS and any(c["scope"] == at.node.key for c in known)):
        return
    handler = given(boundary.handler) if boundary is not None else ""
    compensation = Compensation(
        key=work.store.next_key(),
        activity=at.element.id,
        node=at.node.key,
        scope=at.node.scope,
        handler=handler,
        handler_node=0,
        thrower=0,
    )
    known.append(compensation)
    _record(work, at, compensation, "CREATED")


def compensate(work: Work, thrower: At) -> bool:
    """Undo what the throw event reaches, or the one activity that it names; returns whether there was anything."""
    scopes = [thrower.node.scope]
    if thrower.process.elements[thrower.element.scope].kind == Kind.EVENT_SUB_PROCESS:
        scopes.append(thrower.scope.scope)
    named = given(thrower.element.event).activity
    waiting = [c for c in thrower.instance.root.compensations if not c["thrower"]]
    reached = [c for c in waiting if c["scope"] in scopes and named in (None, c["activity"])]
    for compensation in reached:
        _undo(work, thrower, waiting, compensation)
    return bool(reached)


def settle(work: Work, at: At) -> None:
    """An element has completed: if it undid something, that is done, and the thrower goes on after the last."""
    known = at.instance.root.compensations
    done = next((c for c in known if c["handler_node"] == at.node.key), None)
    if done is None:
        return
    _drop(work, at, done, "COMPLETED")
    _settle_around(work, at, done["scope"])
    if not any(c["thrower"] == done["thrower"] for c in known):
        work.steps.append(Complete(at.instance.key, done["thrower"]))


def forget(work: Work, at: At) -> None:
    """A scope was terminated: what completed inside is not undone any more."""
    _forget_inside(work, at, at.node.key)


def _undo(work: Work, thrower: At, waiting: Collection[Compensation], compensation: Compensation) -> None:
    if compensation["handler"]:
        compensation["handler_node"] = _start_handler(work, thrower, compensation)
    compensation["thrower"] = thrower.node.key
    _record(work, thrower, compensation, "TRIGGERED")
    for inside in waiting:
        if inside["scope"] == compensation["node"]:
            _undo(work, thrower, waiting, inside)


def _start_handler(work: Work, thrower: At, compensation: Compensation) -> int:
    """The boundary event passes at once; what undoes is entered in a later step. Returns the latter's key."""
    activity = thrower.process.elements[compensation["activity"]]
    boundary = next(e for e in _compensation_events(thrower, activity) if e.handler == compensation["handler"])
    node = Node(work.store.next_key(), boundary.id, boundary.kind, thrower.node.scope)
    passing = At(thrower.instance, thrower.process, boundary, node)
    for intent in _LIFE:
        work.transition(passing, intent)
    key = work.store.next_key()
    tokens = thrower.scope.tokens
    tokens[BY_EVENT] = tokens.get(BY_EVENT, 0) + 1
    work.steps.append(Enter(thrower.instance.key, thrower.scope.key, compensation["handler"], node_key=key))
    return key


def _settle_around(work: Work, at: At, scope_key: int) -> None:
    """A subprocess is undone once nothing that completed inside it is left to undo."""
    known = at.instance.root.compensations
    if any(c["scope"] == scope_key for c in known):
        return
    around = next((c for c in known if c["node"] == scope_key and not c["handler"]), None)
    if around is not None:
        _drop(work, at, around, "COMPLETED")
        _settle_around(work, at, around["scope"])


def _forget_inside(work: Work, at: At, scope_key: int) -> None:
    for compensation in [c for c in at.instance.root.compensations if c["scope"] == scope_key]:
        _drop(work, at, compensation, "DELETED")
        _forget_inside(work, at, compensation["node"])


def _drop(work: Work, at: At, compensation: Compensation, intent: str) -> None:
    at.instance.root.compensations.remove(compensation)
    _record(work, at, compensation, intent)


def _boundary(at: At) -> Element | None:
    return next(iter(_compensation_events(at, at.element)), None)


def _compensation_events(at: At, activity: Element) -> list[Element]:
    boundaries = [at.process.elements[b] for b in activity.boundaries]
    return [b for b in boundaries if b.event is not None and b.event.kind == EventKind.COMPENSATION]


def _record(work: Work, at: At, compensation: Compensation, intent: str) -> None:
    thrower = at.instance.nodes.get(compensation["thrower"])
    value = {
        **work.origin(at.instance),
        "compensableActivityId": compensation["activity"],
        "compensableActivityInstanceKey": compensation["node"],
        "compensableActivityScopeKey": compensation["scope"],
        "compensationHandlerId": compensation["handler"],
        "compensationHandlerInstanceKey": compensation["handler_node"] or -1,
        "throwEventId": thrower.element_id if thrower is not None else "",
        "throwEventInstanceKey": compensation["thrower"] or -1,
    }
    work.record(compensation["key"], "COMPENSATION_SUBSCRIPTION", intent, value)
