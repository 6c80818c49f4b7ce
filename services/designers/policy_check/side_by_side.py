"""Find which elements of a process can be active beside which: what one sets there, the other may read.

It errs towards more: what a fork's ways reach is beside each other up to the gateway that waits for all of them.
``lint.concurrency`` moves tokens instead, and tells of what waits alone: gateways, which read, are passed there.
"""

from collections.abc import Collection, Iterable, Mapping

from services.engine.model.bpmn import Element, ElementType, Process

_CHOOSES = (ElementType.EXCLUSIVE_GATEWAY, ElementType.EVENT_BASED_GATEWAY)
_WAITS = (ElementType.PARALLEL_GATEWAY, ElementType.INCLUSIVE_GATEWAY)


def side_by_side(process: Process) -> Mapping[str, frozenset[str]]:
    """Return of each element those that can be active beside it, itself among them where it can run twice at once."""
    return _SideBySide(process).found()


class _SideBySide:
    def __init__(self, process: Process) -> None:
        self._process = process
        self._elements = process.elements
        self._inside: dict[str, list[str]] = {}
        for element in self._elements.values():
            if element.element_type != ElementType.PROCESS:
                self._inside.setdefault(element.scope, []).append(element.id)
        self._beside: dict[str, set[str]] = {identity: set() for identity in self._elements}

    def found(self) -> Mapping[str, frozenset[str]]:
        for element in self._elements.values():
            inside = self._inside.get(element.id, [])
            if len(element.outgoing) > 1 and element.element_type not in _CHOOSES:
                self._fork([flow.target for flow in element.outgoing])
            for boundary in element.boundaries:
                if not self._elements[boundary].interrupting:
                    aside = self._reached([boundary])
                    self._put(aside, {*aside, *self._reached([element.id])})
            for subprocess in element.event_subprocesses:
                if not all(self._elements[s].interrupting for s in self._elements[subprocess].event_starts):
                    self._put([subprocess], inside)
            if element.loop is not None and not element.loop.sequential:
                self._put([element.id], [element.id])
            if element.for_compensation:
                self._put([element.id], self._elements)
        return {identity: frozenset(beside) for identity, beside in self._beside.items()}

    def _fork(self, targets: list[str]) -> None:
        joins = self._joins(targets)
        ways = [self._reached([target], joins) for target in targets]
        for number, way in enumerate(ways):
            for other in ways[:number]:
                self._put(way, other)

    def _joins(self, targets: list[str]) -> set[str]:
        """Return the gateways that wait for all these ways, each by flows of its own."""
        everywhere = set.intersection(*(self._reached([target]) for target in targets))
        found: set[str] = set()
        for identity in everywhere - set(targets):
            element = self._elements[identity]
            if element.element_type in _WAITS:
                ways = [self._reached([target], {identity}) for target in targets]
                by = [{flow.id for flow in element.incoming if flow.source in way} for way in ways]
                if sum(map(len, by)) == len(set().union(*by)):
                    found.add(identity)
        return found

    def _reached(self, starts: Iterable[str], stops: Collection[str] = ()) -> set[str]:
        """Return what is reached from these elements, they among it, in their scope: no further than to ``stops``."""
        found: set[str] = set()
        todo = list(starts)
        while todo:
            current = todo.pop()
            if current in found:
                continue
            found.add(current)
            if current not in stops:
                todo += self._next(self._elements[current])
        return found - set(stops)

    def _next(self, element: Element) -> list[str]:
        return [
            *(flow.target for flow in element.outgoing),
            *element.boundaries,
            *self._process.links.get(element.id, []),
        ]

    def _put(self, some: Iterable[str], others: Iterable[str]) -> None:
        ones, beside = self._with_inside(some), self._with_inside(others)
        for one in ones:
            self._beside[one] |= beside
        for other in beside:
            self._beside[other] |= ones

    def _with_inside(self, identities: Iterable[str]) -> set[str]:
        found: set[str] = set()
        todo = list(identities)
        while todo:
            current = todo.pop()
            if current not in found:
                found.add(current)
                todo += self._inside.get(current, [])
        return found
