"""Find which elements of a process can be active beside which: what one sets there, the other may read or set too.

It errs towards more: what two ways of a fork reach is beside each other up to the gateway that waits for both, and what
the elements choose by is not looked at.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import combinations

from services.engine.model.bpmn import SCOPES, Element, ElementType, Flow, Process

_CHOOSES = (ElementType.EXCLUSIVE_GATEWAY, ElementType.EVENT_BASED_GATEWAY)
_WAITS = (ElementType.PARALLEL_GATEWAY, ElementType.INCLUSIVE_GATEWAY)


class SideBySide:
    """The elements of one process that can be active at once."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._elements = process.elements
        self._inside: dict[str, list[str]] = {}
        for element in self._elements.values():
            if element.element_type != ElementType.PROCESS:
                self._inside.setdefault(element.scope, []).append(element.id)

    def can_be_at_once(self, one: str, other: str) -> bool:
        """Return whether two elements, neither inside the other, can be active at once in one run of their scope."""
        ours, theirs = [one, *self.scopes(one)], [other, *self.scopes(other)]
        common = next(scope for scope in ours if scope in theirs)
        if common in (one, other):
            return False
        return theirs[theirs.index(common) - 1] in self._near[ours[ours.index(common) - 1]]

    def repeats(self, element: str) -> bool:
        """Return whether an element can be active twice in its scope at once, its own loop left out."""
        return element in self._near[element]

    def scopes(self, element: str) -> list[str]:
        """Return the scopes around an element, the nearest first, the process last."""
        found: list[str] = []
        while self._elements[element].element_type != ElementType.PROCESS:
            element = self._elements[element].scope
            found.append(element)
        return found

    def of_each(self) -> Mapping[str, frozenset[str]]:
        """Return of each element those beside it, itself among them where it can run twice at once.

        Loops run at once too, and so does what is inside the elements.
        """
        found: dict[str, set[str]] = {identity: set() for identity in self._elements}
        for identity, near in self._near.items():
            element, ours = self._elements[identity], self._with_inside([identity])
            if near:
                _put(found, ours, self._with_inside(near))
            if element.loop is not None and not element.loop.sequential:
                _put(found, ours, ours)
            if element.for_compensation:
                _put(found, ours, self._elements)
        return {identity: frozenset(beside) for identity, beside in found.items()}

    @cached_property
    def _near(self) -> Mapping[str, set[str]]:
        """Map each element to those of its scope that can be active beside it."""
        near: dict[str, set[str]] = {identity: set() for identity in self._elements}
        for scope in self._elements.values():
            if scope.element_type not in SCOPES:
                continue
            inside = self._inside.get(scope.id, [])
            for identity in self._reached(i for i in inside if self._is_start(i)):
                element = self._elements[identity]
                if element.element_type not in _CHOOSES:
                    for one, other in combinations(element.outgoing, 2):
                        for ways in self._apart([one], [other]):
                            _put(near, *ways)
                for boundary in map(self._elements.__getitem__, element.boundaries):
                    if not boundary.interrupting:
                        first, *others = self._apart(boundary.outgoing, self._flows_without(element, boundary))
                        for ways in others:
                            _put(near, *ways)
                        # it can come again: then one token is before a gateway that the other has passed
                        aside = {boundary.id, *first[0]}
                        _put(near, aside, aside | self._reached([identity]))
            for event in scope.event_subprocesses:
                if not all(self._elements[start].interrupting for start in self._elements[event].event_starts):
                    _put(near, [event], inside)
        return near

    def _is_start(self, identity: str) -> bool:
        return self._elements[identity].element_type == ElementType.START_EVENT

    def _flows_without(self, element: Element, boundary: Element) -> list[Flow]:
        """Return the flows that lead on from an element, and from its other events."""
        others = [self._elements[identity] for identity in element.boundaries if identity != boundary.id]
        return [flow for one in (element, *others) for flow in one.outgoing]

    def _apart(self, one: Sequence[Flow], other: Sequence[Flow]) -> Iterator[tuple[set[str], set[str]]]:
        """Yield what two tokens on these flows reach before a gateway has waited for both, the first one's first.

        An inclusive gateway does not wait for a token that passes it by, so that this one is beside what follows.
        """
        joins = self._joins(one, other)
        yield self._reached(_targets(one), joins), self._reached(_targets(other), joins)
        for join in joins:
            if self._elements[join].element_type == ElementType.INCLUSIVE_GATEWAY:
                way = self._reached(_targets([*one, *other]), {join})
                yield {identity for identity in way if join not in self._reached([identity])}, self._reached([join])

    def _joins(self, one: Sequence[Flow], other: Sequence[Flow]) -> list[str]:
        """Return the gateways that wait for both ways, each by flows of its own."""
        found: list[str] = []
        for identity in self._reached(_targets(one)) & self._reached(_targets(other)):
            element = self._elements[identity]
            if element.element_type in _WAITS and self._into(element, one).isdisjoint(self._into(element, other)):
                found.append(identity)
        return found

    def _into(self, join: Element, flows: Sequence[Flow]) -> set[str]:
        """Return the flows by which a way comes to a gateway first."""
        way = self._reached(_targets(flows), {join.id})
        return {flow.id for flow in join.incoming if flow.source in way or flow in flows}

    def _reached(self, starts: Iterable[str], stops: Collection[str] = ()) -> set[str]:
        """Return what is reached from these elements, they among it, in their scope: no further than to ``stops``."""
        found: set[str] = set()
        todo = list(starts)
        while todo:
            current = todo.pop()
            if current in found or current in stops:
                continue
            found.add(current)
            todo += self._next(self._elements[current])
        return found

    def _next(self, element: Element) -> list[str]:
        return [
            *(flow.target for flow in element.outgoing),
            *element.boundaries,
            *self._process.links.get(element.id, []),
        ]

    def _with_inside(self, identities: Iterable[str]) -> set[str]:
        found: set[str] = set()
        todo = list(identities)
        while todo:
            current = todo.pop()
            if current not in found:
                found.add(current)
                todo += self._inside.get(current, [])
        return found


def _put(beside: Mapping[str, set[str]], some: Collection[str], others: Collection[str]) -> None:
    for one in some:
        beside[one].update(others)
    for other in others:
        beside[other].update(some)


def _targets(flows: Iterable[Flow]) -> list[str]:
    return [flow.target for flow in flows]
