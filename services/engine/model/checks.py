"""Check a diagram before deployment; every problem text names its element."""

from collections import Counter
from collections.abc import Iterator

from services.engine.model.bpmn import SCOPES, Element, ElementType, EventType, Process, TimerType, required

_ACTIVITIES = {
    ElementType.SUB_PROCESS,
    ElementType.CALL_ACTIVITY,
    ElementType.SERVICE_TASK,
    ElementType.SEND_TASK,
    ElementType.RECEIVE_TASK,
    ElementType.SCRIPT_TASK,
    ElementType.BUSINESS_RULE_TASK,
    ElementType.USER_TASK,
    ElementType.MANUAL_TASK,
    ElementType.TASK,
}
_START_KINDS = {EventType.NONE, EventType.MESSAGE, EventType.TIMER, EventType.SIGNAL}
_ALLOWED_EVENTS = {
    ElementType.INTERMEDIATE_CATCH_EVENT: {EventType.MESSAGE, EventType.TIMER, EventType.SIGNAL, EventType.LINK},
    ElementType.INTERMEDIATE_THROW_EVENT: {
        EventType.NONE,
        EventType.MESSAGE,
        EventType.SIGNAL,
        EventType.LINK,
        EventType.ESCALATION,
        EventType.COMPENSATION,
    },
    ElementType.BOUNDARY_EVENT: {
        EventType.MESSAGE,
        EventType.TIMER,
        EventType.SIGNAL,
        EventType.ERROR,
        EventType.ESCALATION,
        EventType.COMPENSATION,
    },
    ElementType.END_EVENT: {
        EventType.NONE,
        EventType.MESSAGE,
        EventType.SIGNAL,
        EventType.ERROR,
        EventType.ESCALATION,
        EventType.COMPENSATION,
        EventType.TERMINATE,
    },
}

_CALLABLE_SCOPES = frozenset({ElementType.SUB_PROCESS, ElementType.CALL_ACTIVITY})
_HANDLERS = _CALLABLE_SCOPES | {
    ElementType.SERVICE_TASK,
    ElementType.USER_TASK,
    ElementType.SEND_TASK,
    ElementType.SCRIPT_TASK,
    ElementType.MANUAL_TASK,
    ElementType.TASK,
}
_REFUSED_IN_LOOP = frozenset(
    {ElementType.MANUAL_TASK, ElementType.TASK, ElementType.CALL_ACTIVITY, ElementType.INTERMEDIATE_THROW_EVENT}
)
_PASSED_IN_LOOP = _REFUSED_IN_LOOP | {
    ElementType.EXCLUSIVE_GATEWAY,
    ElementType.INCLUSIVE_GATEWAY,
    ElementType.PARALLEL_GATEWAY,
    ElementType.START_EVENT,
    ElementType.END_EVENT,
    ElementType.SUB_PROCESS,
}

_ElementRef = tuple[str, str]  # process id, element id


def check_flows(process: Process) -> list[str]:
    """Check flows and boundary events, on which all other checks depend."""
    problems: list[str] = []
    for element in process.elements.values():
        for flow in element.outgoing:
            if element.element_type == ElementType.PROCESS or process.elements[flow.target].scope != element.scope:
                problems.append(
                    f"Element '{flow.id}': a flow stays in its process or subprocess; use events to leave it."
                )
        host = process.elements.get(element.attached_to or "")
        if host is not None and host.scope != element.scope:
            problems.append(
                f"Element '{element.id}': a boundary event must be in the scope of the activity it is attached to."
            )
        if element.element_type == ElementType.BOUNDARY_EVENT and element.incoming:
            problems.append(f"Element '{element.id}': a boundary event has no incoming flow.")
        if element.element_type == ElementType.END_EVENT and element.outgoing:
            problems.append(f"Element '{element.id}': an end event has no outgoing flow.")
    return problems


def check_process(process: Process) -> Iterator[str]:
    for element in process.elements.values():
        yield from (f"Element '{element.id}': {problem}." for problem in _check(process, element))


def _check(process: Process, element: Element) -> Iterator[str]:
    if element.element_type in SCOPES:
        yield from _scope(process, element)
    if element.element_type in _ACTIVITIES or element.element_type == ElementType.EVENT_SUB_PROCESS:
        yield from _activity(process, element)
    if element.event is not None:
        yield from _event(process, element)
    if element.element_type.name.endswith("GATEWAY"):
        yield from _gateway(process, element)
    if element.element_type not in (ElementType.EXCLUSIVE_GATEWAY, ElementType.INCLUSIVE_GATEWAY) and any(
        f.condition for f in element.outgoing
    ):
        yield "conditions belong on the flows out of an exclusive or inclusive gateway"


def _scope(process: Process, element: Element) -> Iterator[str]:
    start_events = [
        e for e in process.elements.values() if e.scope == element.id and e.element_type == ElementType.START_EVENT
    ]
    none_starts = [e for e in start_events if e.event and e.event.event_type == EventType.NONE]
    if not start_events:
        yield "it needs a start event"
    elif element.element_type == ElementType.EVENT_SUB_PROCESS:
        if (
            len(start_events) > 1
            or none_starts
            or any(e.event and e.event.event_type == EventType.COMPENSATION for e in start_events)
        ):
            yield "an event subprocess needs one start event with a message, timer, signal, error or escalation"
        return
    if len(none_starts) > 1:
        yield "it has more than one start event without a trigger"
    if element.element_type == ElementType.SUB_PROCESS and (len(start_events) > 1 or not none_starts):
        yield "an embedded subprocess needs one start event without a trigger"
    yield from _duplicates(process, [s for e in element.event_subprocesses for s in process.elements[e].event_starts])
    if element.element_type == ElementType.PROCESS:
        yield from _duplicates(process, list(element.event_starts))


def _activity(process: Process, element: Element) -> Iterator[str]:
    if element.element_type in (ElementType.SERVICE_TASK, ElementType.SEND_TASK) and element.job is None:
        yield "it needs a task definition with a job type"
    if element.element_type == ElementType.SCRIPT_TASK and (element.job is None) == (element.script is None):
        yield "it needs either a script or a task definition"
    if element.element_type == ElementType.BUSINESS_RULE_TASK and (element.job is None) == (element.called is None):
        yield "it needs either a called decision or a task definition"
    if element.element_type == ElementType.CALL_ACTIVITY and element.called is None:
        yield "it needs a called element"
    if element.element_type == ElementType.EVENT_SUB_PROCESS and (element.incoming or element.outgoing):
        yield "an event subprocess has no flows"
    yield from _duplicates(process, list(element.boundaries))


def _duplicates(process: Process, catching: list[str]) -> Iterator[str]:
    """Report two events of one host with the same name or code."""
    events = [e for i in catching if (e := process.elements[i].event) is not None]
    seen: Counter[tuple[str, str]] = Counter()
    for event in events:
        if event.event_type in (EventType.MESSAGE, EventType.SIGNAL) and event.name is not None:
            seen[event.event_type.lower(), f"the name '{event.name.text}'"] += 1
        elif event.event_type in (EventType.ERROR, EventType.ESCALATION):
            seen[event.event_type.lower(), f"the code '{event.code.text}'" if event.code else "no code"] += 1
    yield from (
        f"two {event_type} events with {what} are at the same element"
        for (event_type, what), n in seen.items()
        if n > 1
    )


def _event(process: Process, element: Element) -> Iterator[str]:
    event = required(element.event)
    event_type = event.event_type
    allowed = _ALLOWED_EVENTS.get(element.element_type)
    in_process = process.elements[element.scope].element_type == ElementType.PROCESS
    if (
        element.element_type == ElementType.START_EVENT
        and process.elements[element.scope].element_type != ElementType.EVENT_SUB_PROCESS
    ):
        allowed = _START_KINDS
    if allowed is not None and event_type not in allowed:
        yield f"a {element.element_type.lower().replace('_', ' ')} cannot have the type '{event_type.lower()}'"
    if element.element_type == ElementType.BOUNDARY_EVENT:
        yield from _boundary(process, element, event_type)
    if event_type == EventType.ERROR and not element.interrupting:
        yield "an event that catches an error always interrupts"
    if event_type == EventType.MESSAGE:
        yield from _message(element, starts_process=element.element_type == ElementType.START_EVENT and in_process)
    if event_type == EventType.TIMER and event.timer_type == TimerType.CYCLE:
        repeating = element.element_type == ElementType.START_EVENT and in_process
        catching = element.element_type == ElementType.INTERMEDIATE_CATCH_EVENT
        if catching or (element.interrupting and not repeating):
            yield "a cycle belongs on a start event of the process or on an event that does not interrupt"
    if event_type == EventType.LINK:
        yield from _link(process, element)
    thrown = element.element_type in (ElementType.END_EVENT, ElementType.INTERMEDIATE_THROW_EVENT)
    if event_type in (EventType.ERROR, EventType.ESCALATION) and thrown and event.code is None:
        yield f"it throws an {event_type.lower()}, so it needs one with a code"
    if event.code is not None and event.code.compiled is not None and not thrown:
        yield f"the code of the {event_type.lower()} that it catches cannot be an expression"


def _boundary(process: Process, element: Element, event_type: EventType) -> Iterator[str]:
    host = process.elements.get(element.attached_to or "")
    if host is None or host.element_type not in _ACTIVITIES:
        yield "a boundary event must be attached to a task, subprocess or call activity"
    elif event_type == EventType.ESCALATION and host.element_type not in (
        ElementType.SUB_PROCESS,
        ElementType.CALL_ACTIVITY,
    ):
        yield "only a subprocess or call activity catches an escalation at its boundary"
    if not element.outgoing and event_type != EventType.COMPENSATION:
        yield "a boundary event needs an outgoing flow"


def _message(element: Element, *, starts_process: bool) -> Iterator[str]:
    event = required(element.event)
    if element.element_type in (ElementType.INTERMEDIATE_THROW_EVENT, ElementType.END_EVENT):
        if element.job is None:
            yield "a message that is sent needs a task definition with a job type"
        return
    if event.name is None:
        yield "it needs a message with a name"
    elif event.key is None and not starts_process:
        yield "its message needs a subscription with a correlation key"


def _link(process: Process, element: Element) -> Iterator[str]:
    event = required(element.event)
    name = event.name.text if event.name else ""
    others = [
        e
        for e in process.elements.values()
        if e.element_type == ElementType.INTERMEDIATE_CATCH_EVENT
        and e.scope == element.scope
        and e.event
        and e.event.event_type == EventType.LINK
    ]
    matching = [e for e in others if e.event and e.event.name and e.event.name.text == name]
    if not name:
        yield "a link needs a name"
    elif not matching:
        yield f"no link catch event is named '{name}'"
    elif len(matching) > 1:
        yield f"two link catch events are named '{name}'"


def _gateway(process: Process, element: Element) -> Iterator[str]:
    flows = {f.id: f for f in element.outgoing}
    if element.element_type == ElementType.EVENT_BASED_GATEWAY:
        targets = [process.elements[f.target] for f in element.outgoing]
        waits = {EventType.MESSAGE, EventType.TIMER, EventType.SIGNAL}
        if len(targets) < 2:
            yield "an event-based gateway needs two outgoing flows"
        if any(
            t.element_type != ElementType.INTERMEDIATE_CATCH_EVENT or t.event is None or t.event.event_type not in waits
            for t in targets
        ):
            yield "an event-based gateway leads to message, timer and signal catch events only"
        if any(f.source != element.id for t in targets for f in t.incoming):
            yield "the events after an event-based gateway have no other incoming flow"
        yield from _duplicates(process, [t.id for t in targets])
        return
    if element.element_type not in (ElementType.EXCLUSIVE_GATEWAY, ElementType.INCLUSIVE_GATEWAY):
        return
    if element.default_flow is not None and element.default_flow not in flows:
        yield f"its default flow '{element.default_flow}' does not leave it"
    if len(flows) > 1 and any(f.condition is None and f.id != element.default_flow for f in flows.values()):
        yield "each of its flows needs a condition, or must be the default"


def check_compensation(process: Process) -> Iterator[str]:
    """Check Zeebe's rules for compensation."""
    for element in process.elements.values():
        problems: Iterator[str] = iter(())
        if element.for_compensation:
            problems = _compensation_handler(element)
        elif element.event is not None and element.event.event_type == EventType.COMPENSATION:
            problems = (
                _compensation_boundary(process, element)
                if element.element_type == ElementType.BOUNDARY_EVENT
                else _compensation_throw(process, element)
            )
        yield from (f"Element '{element.id}': {problem}." for problem in problems)


def _compensation_handler(element: Element) -> Iterator[str]:
    if element.element_type not in _HANDLERS:
        yield "a compensation handler is a service, user, send, script, manual or plain task, a subprocess or a call"
    if element.element_type not in _CALLABLE_SCOPES and (element.incoming or element.outgoing or element.boundaries):
        yield "a compensation handler has no flows and no boundary events"


def _compensation_boundary(process: Process, element: Element) -> Iterator[str]:
    if element.handler is None or element.outgoing:
        yield "a compensation boundary event has an association to its compensation handler, and no outgoing flow"
    elif element.handler not in process.elements or process.elements[element.handler].element_type not in _HANDLERS:
        yield f"its association leads to '{element.handler}', which cannot be a compensation handler"


def _compensation_throw(process: Process, element: Element) -> Iterator[str]:
    activity_id = element.event.activity if element.event is not None else None
    if activity_id is None:
        return
    activity = process.elements.get(activity_id)
    if activity is None:
        yield f"the activity '{activity_id}' that it compensates does not exist"
        return
    events = [process.elements[b].event for b in activity.boundaries]
    if activity.element_type != ElementType.SUB_PROCESS and not any(
        e and e.event_type == EventType.COMPENSATION for e in events
    ):
        yield f"the compensated activity '{activity_id}' needs a compensation boundary event, or is a subprocess"
    if activity.scope != element.scope:
        yield f"the activity '{activity_id}' that it compensates is in another scope"


def check_loops(processes: list[Process]) -> Iterator[str]:
    """Report one endless loop without a wait state for each process.

    As in Zeebe, a loop of gateways alone is accepted, calls are followed within one file, and links not at all.
    """
    by_id = {process.id: process for process in processes}
    for process in processes:
        starts = sorted(e.id for e in process.elements.values() if e.element_type in _REFUSED_IN_LOOP)
        loop = next((path for e in starts if (path := _loop_from(by_id, (process.id, e)))), None)
        if loop is not None:
            names = " > ".join(element for _, element in loop)
            yield f"Element '{loop[0][1]}': nothing waits in the loop {names}; put an event or a job into it."


def _loop_from(processes: dict[str, Process], start: _ElementRef) -> list[_ElementRef] | None:
    """Return a path from ``start`` back to it without a wait state."""
    predecessors: dict[_ElementRef, _ElementRef | None] = {start: None}
    queue = [start]
    while queue:
        place = queue.pop()
        for successor in _next(processes, place):
            if successor == start:
                return [*_path_to(predecessors, place), start]
            if successor not in predecessors:
                predecessors[successor] = place
                queue.append(successor)
    return None


def _path_to(predecessors: dict[_ElementRef, _ElementRef | None], place: _ElementRef | None) -> list[_ElementRef]:
    path: list[_ElementRef] = []
    while place is not None:
        path.append(place)
        place = predecessors[place]
    return path[::-1]


def _next(processes: dict[str, Process], place: _ElementRef) -> list[_ElementRef]:
    process = processes[place[0]]
    element = process.elements[place[1]]
    if not _passes_without_waiting(element):
        return []
    if element.element_type == ElementType.SUB_PROCESS:
        return [(process.id, element.none_start)] if element.none_start is not None else []
    if element.element_type == ElementType.CALL_ACTIVITY:
        called = processes.get(element.called.id.text) if element.called is not None else None
        start = called.root.none_start if called is not None else None
        return [(called.id, start)] if called is not None and start is not None else []
    flows = element.outgoing or process.elements[element.scope].outgoing
    return [(process.id, flow.target) for flow in flows]


def _passes_without_waiting(element: Element) -> bool:
    if element.event is not None and element.event.event_type == EventType.MESSAGE:
        return False  # a job sends the message
    return element.element_type in _PASSED_IN_LOOP
