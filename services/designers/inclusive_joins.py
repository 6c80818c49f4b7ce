"""Find inclusive joins that a token can miss.

A Camunda cluster looks at such a join when a token arrives and not when one leaves: if the other one goes another way,
the join waits for ever, without an incident. The embedded engine goes on there.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from services.runtime.models import BPMN

_SPLITTING = (BPMN + "parallelGateway", BPMN + "inclusiveGateway")
_CHOOSING = (BPMN + "exclusiveGateway", BPMN + "eventBasedGateway", BPMN + "inclusiveGateway")
_ENDING = (BPMN + "terminateEventDefinition", BPMN + "errorEventDefinition")


@dataclass(frozen=True)
class UnevenJoin:
    """``join`` is the gateway, ``leaves`` the element at which a token can leave on another way."""

    join: str
    leaves: str

    def __str__(self) -> str:
        return (
            f"{self.join}: a token that leaves at {self.leaves} never comes to this inclusive join, and a Camunda "
            "cluster then waits there for ever: lead that way into the join too, or end it with a terminate end event"
        )


def uneven_joins(tree: etree._ElementTree) -> list[UnevenJoin]:
    """Return the inclusive joins of a file that a token can miss, each with the first element where one can leave."""
    found: dict[str, UnevenJoin] = {}
    for scope in tree.iter(BPMN + "process", BPMN + "subProcess"):
        graph = _Graph(scope)
        for join in graph.joins():
            for leaves in graph.exits(join):
                found.setdefault(join, UnevenJoin(join, leaves))
    return list(found.values())


class _Graph:
    """The elements of one scope and where a token can go from each."""

    def __init__(self, scope: etree._Element) -> None:
        self._tags = {child.get("id", ""): child.tag for child in scope if child.get("id")}
        self._flows: dict[str, list[str]] = defaultdict(list)
        self._incoming: dict[str, int] = defaultdict(int)
        self._boundaries: dict[str, list[tuple[str, bool]]] = defaultdict(list)
        self._ends = {
            end.get("id", "")
            for end in scope.iterchildren(BPMN + "endEvent")
            if any(end.find(definition) is not None for definition in _ENDING)
        }
        for flow in scope.iterchildren(BPMN + "sequenceFlow"):
            self._flows[flow.get("sourceRef", "")].append(flow.get("targetRef", ""))
            self._incoming[flow.get("targetRef", "")] += 1
        for event in scope.iterchildren(BPMN + "boundaryEvent"):
            interrupts = event.get("cancelActivity") != "false"
            self._boundaries[event.get("attachedToRef", "")].append((event.get("id", ""), interrupts))
        self._link(scope)

    def _link(self, scope: etree._Element) -> None:
        """Add flows from each throwing link event to the catching one of its name."""
        named = {
            (event.tag, definition.get("name")): event.get("id", "")
            for event in scope
            for definition in event.iterchildren(BPMN + "linkEventDefinition")
        }
        for (tag, name), element in named.items():
            caught = named.get((BPMN + "intermediateCatchEvent", name))
            if tag == BPMN + "intermediateThrowEvent" and caught is not None:
                self._flows[element].append(caught)

    def joins(self) -> Iterator[str]:
        for element, tag in self._tags.items():
            if tag == BPMN + "inclusiveGateway" and self._incoming[element] > 1:
                yield element

    def exits(self, join: str) -> Iterator[str]:
        """Yield the elements at which one of several tokens that go to the join can leave."""
        before = self._before(join)
        for fork in sorted(before):
            branches = [target for target in self._concurrent(fork) if target in before or target == join]
            if len(branches) < 2:
                continue
            for branch in branches:
                for element in sorted(self._region(branch, before - {fork})):
                    if any(target not in before and target != join for target in self._alternatives(element)):
                        yield element

    def _before(self, join: str) -> set[str]:
        """Return the elements from which a token can come to the join."""
        sources: dict[str, list[str]] = defaultdict(list)
        for element in self._tags:
            for target in self._next(element):
                sources[target].append(element)
        return self._reached(sources[join], sources) - {join}

    def _region(self, start: str, within: set[str]) -> set[str]:
        targets = {element: [t for t in self._next(element) if t in within] for element in within}
        return self._reached([start] if start in within else [], targets)

    @staticmethod
    def _reached(starts: list[str], follows: dict[str, list[str]]) -> set[str]:
        reached: set[str] = set()
        queue = list(starts)
        while queue:
            element = queue.pop()
            if element not in reached:
                reached.add(element)
                queue.extend(follows.get(element, []))
        return reached

    def _next(self, element: str) -> list[str]:
        return [*self._flows[element], *(event for event, _ in self._boundaries[element])]

    def _concurrent(self, element: str) -> list[str]:
        """Return where tokens can go at the same time from an element."""
        tag = self._tags[element]
        flows = self._flows[element] if tag in _SPLITTING or not tag.endswith("Gateway") else []
        return [*flows, *(event for event, interrupts in self._boundaries[element] if not interrupts)]

    def _alternatives(self, element: str) -> list[str]:
        """Return where the one token can go instead of somewhere else; an end of the whole scope does no harm."""
        flows = self._flows[element] if self._tags[element] in _CHOOSING else []
        ways = [*flows, *(event for event, interrupts in self._boundaries[element] if interrupts)]
        return [way for way in ways if way not in self._ends and not set(self._next(way)) & self._ends]
