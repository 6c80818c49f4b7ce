"""Find which elements of a process can be active at the same time.

Tokens are moved through each scope by itself, every way that conditions, events and answers might choose; what they
read is not looked at. A place holds one token or none, which keeps the states few. What has more than ``MOST_STATES``
is said to be undecided, never taken for "not at once".
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import chain, combinations

from services.engine.model.bpmn import SCOPES, Element, ElementType, EventType, Flow, Process

MOST_STATES = 20_000
_MOST_SUBSETS = 5  # of an inclusive gateway's flows every choice is tried; of more, each alone and all together

_FLOW, _AT = "flow", "at"
_Place = tuple[str, str]
_State = frozenset[_Place]
_Pair = frozenset[str]


class TooManyStates(Exception):
    """A scope has more states than are looked at."""


class Concurrency:
    """The pairs of elements of one process that can be active at once."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @cached_property
    def _pairs(self) -> Mapping[str, frozenset[_Pair]]:
        scopes = [element for element in self._process.elements.values() if element.element_type in SCOPES]
        return {scope.id: _Scope(self._process, scope).pairs() for scope in scopes}

    def can_be_at_once(self, one: str, other: str) -> bool:
        """Return whether two different elements can be active at once; raises TooManyStates."""
        ours, theirs = [one, *self.scopes(one)], [other, *self.scopes(other)]
        common = next(scope for scope in ours if scope in theirs)
        if common in (one, other):
            return False
        pair = frozenset({ours[ours.index(common) - 1], theirs[theirs.index(common) - 1]})
        return pair in self._pairs[common]

    def repeats(self, element: str) -> bool:
        """Return whether an element can be active twice in its scope at once; raises TooManyStates."""
        return frozenset({element}) in self._pairs[self._process.elements[element].scope]

    def scopes(self, element: str) -> list[str]:
        """Return the scopes around an element, the nearest first, the process last."""
        found: list[str] = []
        while self._process.elements[element].element_type != ElementType.PROCESS:
            element = self._process.elements[element].scope
            found.append(element)
        return found


class _Scope:
    """One process or subprocess, whose tokens are moved."""

    def __init__(self, process: Process, scope: Element) -> None:
        self._elements = {e.id: e for e in process.elements.values() if e.scope == scope.id}
        self._id = scope.id
        self._links = process.links
        self._targets = {flow.id: flow.target for e in self._elements.values() for flow in e.outgoing}
        self._beside = [
            event
            for event in scope.event_subprocesses
            if any(not process.elements[start].interrupting for start in process.elements[event].event_starts)
        ]
        self._found: set[_Pair] = set()

    def pairs(self) -> frozenset[_Pair]:
        """Return the pairs of elements that can be active at once; one alone where it can be so twice."""
        starts = [e for e in self._elements.values() if e.element_type == ElementType.START_EVENT]
        queue = [state for start in starts for state in self._settled(_with(frozenset(), start.outgoing))]
        seen: set[_State] = set()
        while queue:
            state = queue.pop()
            if state in seen:
                continue
            seen.add(state)
            if len(seen) > MOST_STATES:
                raise TooManyStates(self._id)
            active = sorted(name for kind, name in state if kind == _AT)
            self._found.update(frozenset(pair) for pair in combinations(active, 2))
            queue += [after for moved in self._moves(state) for after in self._settled(moved)]
        for event in self._beside:
            self._found.update(frozenset({event, other}) for other in self._elements)
        return frozenset(self._found)

    def _moves(self, state: _State) -> Iterator[_State]:
        """Yield the states after one active element has completed, or one of its events has come."""
        for place in state:
            if place[0] != _AT:
                continue
            element = self._elements[place[1]]
            yield _with(state - {place}, element.outgoing)
            for name in element.boundaries:
                event = self._elements[name]
                yield _with(state - {place} if event.interrupting else state, event.outgoing)

    def _settled(self, state: _State) -> Iterator[_State]:
        """Yield the states in which nothing moves by itself any more."""
        seen: set[_State] = set()
        queue = [state]
        while queue:
            current = queue.pop()
            if current in seen:
                continue
            seen.add(current)
            if len(seen) > MOST_STATES:
                raise TooManyStates(self._id)
            moved = self._moved(current)
            if moved is None:
                yield current
            else:
                queue += moved

    def _moved(self, state: _State) -> list[_State] | None:
        """Return the states after the first token on a flow has gone on; None where all of them wait."""
        joins: list[Element] = []
        for place in sorted(place for place in state if place[0] == _FLOW):
            target = self._elements[self._targets[place[1]]]
            incoming = {(_FLOW, flow.id) for flow in target.incoming}
            if target.element_type == ElementType.PARALLEL_GATEWAY:
                if incoming <= state:
                    return self._entered(state - incoming, target)
            elif target.element_type == ElementType.INCLUSIVE_GATEWAY and len(incoming) > 1:
                joins.append(target)
            else:
                return self._entered(state - {place}, target)
        for join in joins:
            incoming = {(_FLOW, flow.id) for flow in join.incoming}
            if not any(self._leads(place, join.id) for place in state - incoming):
                return self._entered(state - incoming, join)
        return None

    def _leads(self, place: _Place, join: str) -> bool:
        element = place[1] if place[0] == _AT else self._targets[place[1]]
        return join in self._reached[element]

    def _entered(self, state: _State, element: Element) -> list[_State]:
        kind = element.element_type
        if kind in (ElementType.EXCLUSIVE_GATEWAY, ElementType.EVENT_BASED_GATEWAY):
            return [_with(state, (flow,)) for flow in element.outgoing] or [state]
        if kind == ElementType.INCLUSIVE_GATEWAY:
            return [_with(state, flows) for flows in _choices(element.outgoing)] or [state]
        if kind == ElementType.PARALLEL_GATEWAY:
            return [_with(state, element.outgoing)]
        event = element.event
        if kind == ElementType.END_EVENT:
            ends = event is not None and event.event_type in (EventType.TERMINATE, EventType.ERROR)
            return [frozenset()] if ends else [state]
        if kind == ElementType.INTERMEDIATE_THROW_EVENT:
            flows = [flow for link in self._links.get(element.id, ()) for flow in self._elements[link].outgoing]
            return [_with(state, (*element.outgoing, *flows))]
        place = (_AT, element.id)
        if place in state:
            self._found.add(frozenset({element.id}))
        return [state | {place}]

    @cached_property
    def _reached(self) -> Mapping[str, frozenset[str]]:
        """Map each element to those that a token of it can come to."""
        after = {
            e.id: [*(flow.target for flow in e.outgoing), *e.boundaries, *self._links.get(e.id, ())]
            for e in self._elements.values()
        }
        found = {}
        for name, nearest in after.items():
            reached: set[str] = set()
            queue = list(nearest)
            while queue:
                current = queue.pop()
                if current not in reached:
                    reached.add(current)
                    queue += after.get(current, [])
            found[name] = frozenset(reached | {name})
        return found


def _with(state: _State, flows: tuple[Flow, ...]) -> _State:
    return state | {(_FLOW, flow.id) for flow in flows}


def _choices(flows: tuple[Flow, ...]) -> list[tuple[Flow, ...]]:
    if len(flows) > _MOST_SUBSETS:
        return [*((flow,) for flow in flows), flows]
    return list(chain.from_iterable(combinations(flows, size) for size in range(1, len(flows) + 1)))
