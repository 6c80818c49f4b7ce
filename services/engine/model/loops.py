"""Loops in which nothing ever waits: the broker refuses tasks and calls in them, so they are refused here too."""

from collections.abc import Iterator

from services.engine.model.bpmn import Element, EventKind, Kind, Process

_REFUSED = frozenset({Kind.MANUAL_TASK, Kind.TASK, Kind.CALL_ACTIVITY, Kind.INTERMEDIATE_THROW_EVENT})
_NOT_WAITING = _REFUSED | {
    Kind.EXCLUSIVE_GATEWAY,
    Kind.INCLUSIVE_GATEWAY,
    Kind.PARALLEL_GATEWAY,
    Kind.START_EVENT,
    Kind.END_EVENT,
    Kind.SUB_PROCESS,
}

_Place = tuple[str, str]  # process id, element id


def check_loops(processes: list[Process]) -> Iterator[str]:
    """One sentence for each process in which a token can run in circles without ever waiting.

    Gateways alone are no such loop, calls are followed within one file only and links not at all, as the broker has it.
    """
    by_id = {process.id: process for process in processes}
    for process in processes:
        starts = sorted(e.id for e in process.elements.values() if e.kind in _REFUSED)
        loop = next((found for e in starts if (found := _loop_from(by_id, (process.id, e)))), None)
        if loop is not None:
            names = " > ".join(element for _, element in loop)
            yield f"Element '{loop[0][1]}': nothing waits in the loop {names}; put an event or a job into it."


def _loop_from(processes: dict[str, Process], start: _Place) -> list[_Place] | None:
    """A way from ``start`` back to it that never waits."""
    came_from: dict[_Place, _Place | None] = {start: None}
    ahead = [start]
    while ahead:
        place = ahead.pop()
        for following in _next(processes, place):
            if following == start:
                return [*_way(came_from, place), start]
            if following not in came_from:
                came_from[following] = place
                ahead.append(following)
    return None


def _way(came_from: dict[_Place, _Place | None], place: _Place | None) -> list[_Place]:
    way: list[_Place] = []
    while place is not None:
        way.append(place)
        place = came_from[place]
    return way[::-1]


def _next(processes: dict[str, Process], place: _Place) -> list[_Place]:
    process = processes[place[0]]
    element = process.elements[place[1]]
    if not _passes(element):
        return []
    if element.kind == Kind.SUB_PROCESS:
        return [(process.id, element.none_start)] if element.none_start is not None else []
    if element.kind == Kind.CALL_ACTIVITY:
        called = processes.get(element.called.id.text) if element.called is not None else None
        start = called.root.none_start if called is not None else None
        return [(called.id, start)] if called is not None and start is not None else []
    flows = element.outgoing or process.elements[element.scope].outgoing
    return [(process.id, flow.target) for flow in flows]


def _passes(element: Element) -> bool:
    if element.event is not None and element.event.kind == EventKind.MESSAGE:
        return False  # sending is a job
    return element.kind in _NOT_WAITING
