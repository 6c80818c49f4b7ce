"""What a designer does with the mouse in Camunda Modeler, on a copy of the models."""

from pathlib import Path
from typing import Any

from lxml import etree

NS = {
    "bpmn": "http://www.omg.org/spec/BPMN/20100524/MODEL",
    "bpmndi": "http://www.omg.org/spec/BPMN/20100524/DI",
    "dc": "http://www.omg.org/spec/DD/20100524/DC",
    "di": "http://www.omg.org/spec/DD/20100524/DI",
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
    "zeebe": "http://camunda.org/schema/zeebe/1.0",
}
DECLARED = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NS.items())


def put_into(scope: Any, new: Any) -> None:
    """Put an element into a process or phase, before its annotations: the schema wants these last."""
    last = scope.find(f"{{{NS['bpmn']}}}textAnnotation")
    if last is None:
        scope.append(new)
    else:
        last.addprevious(new)


class Drawing:
    """One phase of a model, open for changes."""

    def __init__(self, path: Path, phase: str) -> None:
        self.path, self.phase = path, phase
        self.tree = etree.parse(path)
        self.plane = self.one(f'//bpmndi:BPMNPlane[@bpmnElement="{phase}"]')

    def one(self, path: str) -> Any:
        (found,) = self.tree.xpath(path, namespaces=NS)
        return found

    def element(self, name: str) -> Any:
        return self.one(f'//bpmn:*[@id="{name}"]')

    def make_room(self, after: float, by: float) -> None:
        """The space tool: everything in the phase that lies right of ``after`` moves right."""
        for part in self.plane.iter(f"{{{NS['dc']}}}Bounds", f"{{{NS['di']}}}waypoint"):
            if float(part.get("x")) >= after:
                part.set("x", f"{float(part.get('x')) + by:g}")

    def put(self, xml: str) -> None:
        """Put elements into the phase; flows are drawn by ``connect``."""
        for new in etree.fromstring(f"<elements {DECLARED}>{xml}</elements>"):
            put_into(self.element(self.phase), new)

    def place(self, name: str, x: float, y: float, width: float, height: float) -> None:
        shape = etree.SubElement(self.plane, f"{{{NS['bpmndi']}}}BPMNShape", id=f"{name}_di", bpmnElement=name)
        self._bound(shape, x, y, width, height)

    def label(self, name: str, x: float, y: float, width: float, height: float) -> None:
        """Drag the name of an event or a gateway to where it hides nothing."""
        shape = self.one(f'//bpmndi:BPMNShape[@bpmnElement="{name}"]')
        label = etree.SubElement(shape, f"{{{NS['bpmndi']}}}BPMNLabel")
        self._bound(label, x, y, width, height)

    def _bound(self, drawn: Any, x: float, y: float, width: float, height: float) -> None:
        sides = {"x": x, "y": y, "width": width, "height": height}
        etree.SubElement(drawn, f"{{{NS['dc']}}}Bounds", {side: f"{length:g}" for side, length in sides.items()})

    def draw(self, flow: str, *points: tuple[float, float]) -> None:
        """The line of a flow, new or anew."""
        for old in self.plane.xpath(f'bpmndi:BPMNEdge[@bpmnElement="{flow}"]', namespaces=NS):
            self.plane.remove(old)
        edge = etree.SubElement(self.plane, f"{{{NS['bpmndi']}}}BPMNEdge", id=f"{flow}_di", bpmnElement=flow)
        for x, y in points:
            etree.SubElement(edge, f"{{{NS['di']}}}waypoint", x=f"{x:g}", y=f"{y:g}")

    def turn(self, flow: str, target: str, *, instead: str | None = None) -> None:
        """Drag the end of a flow to another element; ``instead`` takes its place where it ended."""
        line = self.element(flow)
        (entry,) = self.element(line.get("targetRef")).xpath(f'bpmn:incoming[.="{flow}"]', namespaces=NS)
        if instead is None:
            entry.getparent().remove(entry)
        else:
            entry.text = instead
        line.set("targetRef", target)

    def enter(self, name: str, flow: str) -> None:
        """Say at an element that a new flow ends there."""
        before = self.element(name).find(f"{{{NS['bpmn']}}}outgoing")
        entry = etree.Element(f"{{{NS['bpmn']}}}incoming")
        entry.text = flow
        before.addprevious(entry)

    def save(self) -> None:
        self.tree.write(self.path, xml_declaration=True, encoding="UTF-8")
