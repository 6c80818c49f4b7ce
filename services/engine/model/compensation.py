"""What compensation asks of a diagram: something that undoes an activity, joined to it by an association."""

from collections.abc import Iterator

from services.engine.model.bpmn import Element, EventKind, Kind, Process

_SCOPES = frozenset({Kind.SUB_PROCESS, Kind.CALL_ACTIVITY})
_HANDLERS = _SCOPES | {
    Kind.SERVICE_TASK,
    Kind.USER_TASK,
    Kind.SEND_TASK,
    Kind.SCRIPT_TASK,
    Kind.MANUAL_TASK,
    Kind.TASK,
}


def check_compensation(process: Process) -> Iterator[str]:
    """A sentence for each rule of Zeebe's that a compensation breaks."""
    for element in process.elements.values():
        problems: Iterator[str] = iter(())
        if element.for_compensation:
            problems = _handler(element)
        elif element.event is not None and element.event.kind == EventKind.COMPENSATION:
            problems = _boundary(process, element) if element.kind == Kind.BOUNDARY_EVENT else _thrown(process, element)
        yield from (f"Element '{element.id}': {problem}." for problem in problems)


def _handler(element: Element) -> Iterator[str]:
    if element.kind not in _HANDLERS:
        yield "what undoes an activity is a service, user, send, script, manual or plain task, a subprocess or a call"
    if element.kind not in _SCOPES and (element.incoming or element.outgoing or element.boundaries):
        yield "a task that undoes an activity has no flows and no boundary events"


def _boundary(process: Process, element: Element) -> Iterator[str]:
    if element.handler is None or element.outgoing:
        yield "a compensation boundary event has an association to what undoes the activity, and no outgoing flow"
    elif element.handler not in process.elements or process.elements[element.handler].kind not in _HANDLERS:
        yield f"its association leads to '{element.handler}', which is no activity that can undo another"


def _thrown(process: Process, element: Element) -> Iterator[str]:
    named = element.event.activity if element.event is not None else None
    if named is None:
        return
    activity = process.elements.get(named)
    if activity is None:
        yield f"the activity '{named}' that it undoes does not exist"
        return
    events = [process.elements[b].event for b in activity.boundaries]
    if activity.kind != Kind.SUB_PROCESS and not any(e and e.kind == EventKind.COMPENSATION for e in events):
        yield f"the activity '{named}' that it undoes needs a compensation boundary event, or is a subprocess"
    if activity.scope != element.scope:
        yield f"the activity '{named}' that it undoes stands in another scope"
