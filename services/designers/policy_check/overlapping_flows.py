"""Find gateways whose flows are not as exclusive as they look, and draw them the other way round.

Where two flows of an exclusive gateway are true at once, the order in the file decides, which no designer sees: a
model that is drawn anew may go the other way. So what such a gateway may do is walked in both orders.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from lxml import etree

from services.engine.errors import Failure, InvalidModel
from services.engine.model.bpmn import Element, Flow
from services.engine.model.xml import BPMN, parse_definitions
from services.engine.processing.deployments import Resource
from services.engine.processing.elements.gateways import ExclusiveGatewayProcessor, matching_flows
from services.engine.processing.execution import ElementContext, Execution

Gateway = tuple[str, str]
"""The ids of a process and of its gateway."""

_EQUALS = re.compile(r"=?\s*(\w+)\s*=\s*(\"[^\"]*\"|true|false)\s*")
_YES_OR_NO = re.compile(r"=?\s*(?:(\w+)|not\((\w+)\))\s*")


class WatchedExclusiveGateway(ExclusiveGatewayProcessor):
    """An exclusive gateway as the engine's, which notes where more than one of its flows is true."""

    def __init__(self, noted: set[Gateway]) -> None:
        super().__init__()
        self._noted = noted
        self._apart: dict[int, tuple[Element, bool]] = {}

    def flows(self, execution: Execution, context: ElementContext) -> tuple[Flow, ...]:
        taken = super().flows(execution, context)
        gateway = (context.process.id, context.element.id)
        if gateway not in self._noted and not self._are_apart(context.element):
            try:
                if len(list(matching_flows(execution, context))) > 1:
                    self._noted.add(gateway)
            except Failure:
                pass  # a condition that is no answer is not taken in the other order either
        return taken

    def _are_apart(self, element: Element) -> bool:
        known = self._apart.get(id(element))
        if known is None:
            known = self._apart[id(element)] = element, _are_apart(element)
        return known[1]


def _are_apart(element: Element) -> bool:
    """Return whether the conditions say by themselves that one of them is true at most."""
    texts = [flow.condition.text for flow in element.outgoing if flow.condition and flow.id != element.default_flow]
    if len(texts) < 2:
        return True
    equal = [_EQUALS.fullmatch(text) for text in texts]
    if all(equal):
        values = [(match[1], match[2]) for match in equal if match is not None]
        return len({name for name, _ in values}) == 1 and len(set(values)) == len(values)
    either = [_YES_OR_NO.fullmatch(text) for text in texts]
    if len(texts) == 2 and all(either):
        [one, other] = [(match[1], match[2]) for match in either if match is not None]
        return one == other[::-1]
    return False


def drawn_otherwise(resources: Sequence[Resource], gateways: set[Gateway]) -> list[Resource]:
    """Return the resources with the flows of these gateways in the opposite order."""
    return [_turned(resource, gateways) if resource.name.endswith(".bpmn") else resource for resource in resources]


def _turned(resource: Resource, gateways: set[Gateway]) -> Resource:
    try:
        root = parse_definitions(resource.content)
    except InvalidModel:
        return resource
    turned = False
    for process in root.findall(f"{BPMN}process"):
        for process_id, gateway in sorted(gateways):
            if process.get("id") == process_id:
                flows = [flow for flow in process.iter(f"{BPMN}sequenceFlow") if flow.get("sourceRef") == gateway]
                turned |= _turn(flows)
    return replace(resource, content=etree.tostring(root)) if turned else resource


def _turn(flows: Sequence[etree._Element]) -> bool:
    """Let each flow stand where the one from the other end stood; they are of one scope, in the order of the file."""
    parent = flows[0].getparent() if len(flows) > 1 else None
    if parent is None:
        return False
    numbers = [parent.index(flow) for flow in flows]
    for flow in flows:
        parent.remove(flow)
    for number, flow in zip(numbers, reversed(flows), strict=True):
        parent.insert(number, flow)
    return True
