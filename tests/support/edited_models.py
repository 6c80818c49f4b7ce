"""What a designer does to a copy of the models: elements, flows, conditions, cells of tables, stages."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lxml import etree
from modeler import DECLARED, NS, put_into

BPMN, ZEEBE = f"{{{NS['bpmn']}}}", f"{{{NS['zeebe']}}}"
BPMNDI, DC, DI = f"{{{NS['bpmndi']}}}", f"{{{NS['dc']}}}", f"{{{NS['di']}}}"
_SIZES = (("Task", (100, 80)), ("Activity", (100, 80)), ("Gateway", (50, 50)), ("Event", (36, 36)))
_BEFORE_FLOWS = ("documentation", "extensionElements", "incoming", "outgoing")


class Model:
    """One BPMN file, open for changes; ``save`` writes it."""

    def __init__(self, folder: Path, name: str = "video-retrieval.bpmn") -> None:
        self.path = folder / name
        self.tree = etree.parse(self.path)
        self.root = self.tree.getroot()

    def save(self) -> None:
        self.tree.write(self.path, encoding="UTF-8", xml_declaration=True)

    def one(self, identity: str) -> Any:
        [found] = self.root.xpath(f'//bpmn:*[@id="{identity}"]', namespaces=NS)
        return found

    def make(self, xml: str) -> Any:
        [new] = etree.fromstring(f"<x {DECLARED}>{xml}</x>")
        return new

    def add(self, scope: str, xml: str) -> Any:
        """Put a new element into a scope, drawn somewhere."""
        new = self.make(xml)
        put_into(self.one(scope), new)
        kind = etree.QName(new).localname
        width, height = next((size for end, size in _SIZES if kind.endswith(end)), (100, 80))
        self._draw(new.get("id"), scope, width, height)
        return new

    def _draw(self, identity: str, scope: str, width: float, height: float) -> None:
        plane = self._plane(scope)
        shape = etree.SubElement(plane, f"{BPMNDI}BPMNShape", id=f"{identity}_di", bpmnElement=identity)
        sides = {"x": 100, "y": 2000, "width": width, "height": height}
        etree.SubElement(shape, f"{DC}Bounds", {side: f"{length:g}" for side, length in sides.items()})

    def _plane(self, scope: str) -> Any:
        found = self.root.xpath(f'//bpmndi:BPMNPlane[@bpmnElement="{scope}"]', namespaces=NS)
        return found[0] if found else self.root.xpath("//bpmndi:BPMNPlane", namespaces=NS)[0]

    def flow(self, identity: str, source: str, target: str, condition: str | None = None) -> None:
        start, end = self.one(source), self.one(target)
        flow = etree.Element(f"{BPMN}sequenceFlow", id=identity, sourceRef=source, targetRef=target)
        if condition:
            text = etree.SubElement(flow, f"{BPMN}conditionExpression")
            text.set(f"{{{NS['xsi']}}}type", "bpmn:tFormalExpression")
            text.text = condition
        put_into(start.getparent(), flow)
        self._refer(start, "outgoing", identity)
        self._refer(end, "incoming", identity)
        edge = etree.SubElement(
            self._plane(start.getparent().get("id")), f"{BPMNDI}BPMNEdge", id=f"{identity}_di", bpmnElement=identity
        )
        for x in (100, 200):
            etree.SubElement(edge, f"{DI}waypoint", x=f"{x}", y="2000")

    def _refer(self, element: Any, tag: str, flow: str) -> None:
        new = etree.Element(f"{BPMN}{tag}")
        new.text = flow
        order, place = _BEFORE_FLOWS.index(tag), 0
        for index, child in enumerate(element):
            name = etree.QName(child).localname if isinstance(child.tag, str) else ""
            if name in _BEFORE_FLOWS and _BEFORE_FLOWS.index(name) <= order:
                place = index + 1
        element.insert(place, new)

    def _unrefer(self, element: Any, tag: str, flow: str) -> None:
        for child in element.findall(f"{BPMN}{tag}"):
            if child.text == flow:
                element.remove(child)

    def retarget(self, flow: str, target: str) -> None:
        """Drag the end of a flow to another element."""
        line = self.one(flow)
        self._unrefer(self.one(line.get("targetRef")), "incoming", flow)
        line.set("targetRef", target)
        self._refer(self.one(target), "incoming", flow)

    def resource(self, flow: str, source: str) -> None:
        """Drag the beginning of a flow to another element."""
        line = self.one(flow)
        self._unrefer(self.one(line.get("sourceRef")), "outgoing", flow)
        line.set("sourceRef", source)
        self._refer(self.one(source), "outgoing", flow)

    def remove_flow(self, flow: str) -> None:
        line = self.one(flow)
        self._unrefer(self.one(line.get("sourceRef")), "outgoing", flow)
        self._unrefer(self.one(line.get("targetRef")), "incoming", flow)
        line.getparent().remove(line)
        self._erase(flow)

    def remove(self, identity: str, *, bridge: bool = True) -> None:
        """Delete an element as Modeler does: what came in goes on to where it led."""
        element = self.one(identity)
        incoming = [child.text for child in element.findall(f"{BPMN}incoming")]
        outgoing = [child.text for child in element.findall(f"{BPMN}outgoing")]
        if bridge and len(outgoing) == 1:
            target = self.one(outgoing[0]).get("targetRef")
            for flow in incoming:
                self.retarget(flow, target)
            self.remove_flow(outgoing[0])
        else:
            for flow in incoming + outgoing:
                self.remove_flow(flow)
        for boundary in self.root.xpath(f'//bpmn:boundaryEvent[@attachedToRef="{identity}"]', namespaces=NS):
            self.remove(boundary.get("id"), bridge=False)
        element.getparent().remove(element)
        self._erase(identity)

    def remove_branch(self, identity: str) -> None:
        """Delete an element, and everything behind it that nothing else leads to."""
        element = self.one(identity)
        targets = [self.one(c.text).get("targetRef") for c in element.findall(f"{BPMN}outgoing")]
        self.remove(identity, bridge=False)
        for target in targets:
            found = self.root.xpath(f'//bpmn:*[@id="{target}"]', namespaces=NS)
            if found and not found[0].findall(f"{BPMN}incoming"):
                self.remove_branch(target)

    def _erase(self, identity: str) -> None:
        for drawn in self.root.xpath(f'//bpmndi:*[@bpmnElement="{identity}"]', namespaces=NS):
            drawn.getparent().remove(drawn)

    def move(self, identity: str, scope: str) -> None:
        """Drag an element or a flow, with what is drawn of it, into another scope."""
        put_into(self.one(scope), self.one(identity))
        for drawn in self.root.xpath(f'//bpmndi:*[@bpmnElement="{identity}"]', namespaces=NS):
            self._plane(scope).append(drawn)

    def insert(self, flow: str, xml: str, new_flow: str, condition: str | None = None) -> None:
        """Drop a new element on a flow."""
        line = self.one(flow)
        target = line.get("targetRef")
        new = self.add(line.getparent().get("id"), xml)
        self.retarget(flow, new.get("id"))
        self.flow(new_flow, new.get("id"), target, condition)

    def condition(self, flow: str, text: str) -> None:
        self.one(flow).find(f"{BPMN}conditionExpression").text = text

    def default(self, flow: str) -> None:
        """Let a flow of a gateway be taken where no other is."""
        line = self.one(flow)
        line.remove(line.find(f"{BPMN}conditionExpression"))
        self.one(line.get("sourceRef")).set("default", flow)

    def interrupts(self, boundary: str, *, interrupting: bool) -> None:
        """Let a boundary event end what it is attached to, or stand beside it."""
        self.one(boundary).set("cancelActivity", "true" if interrupting else "false")

    def terminates(self, end_event: str) -> None:
        """Let an end event end everything in its scope."""
        self.one(end_event).append(self.make(f'<bpmn:terminateEventDefinition id="{end_event}_t" />'))

    def extensions(self, identity: str) -> Any:
        """Return the extension elements of an element; makes them where it has none."""
        element = self.one(identity)
        found = element.find(f"{BPMN}extensionElements")
        if found is None:
            found = etree.Element(f"{BPMN}extensionElements")
            element.insert(0 if element.find(f"{BPMN}documentation") is None else 1, found)
        return found

    def mapping(self, identity: str, direction: str, target: str, source: str | None) -> None:
        """Set an input or output of an element; None takes it away."""
        extensions = self.extensions(identity)
        mappings = extensions.find(f"{ZEEBE}ioMapping")
        if mappings is None:
            mappings = etree.SubElement(extensions, f"{ZEEBE}ioMapping")
        for one in mappings.findall(f"{ZEEBE}{direction}"):
            if one.get("target") == target:
                if source is None:
                    mappings.remove(one)
                else:
                    one.set("source", source)
                return
        if source is not None:
            new = etree.Element(f"{ZEEBE}{direction}", source=source, target=target)
            mappings.insert(0 if direction == "input" else len(mappings), new)

    def timer(self, identity: str, text: str) -> None:
        [definition] = self.one(identity).findall(f"{BPMN}timerEventDefinition")
        definition[0].text = text

    def key(self, message: str, text: str) -> None:
        """Set the correlation key of a message."""
        [subscription] = self.one(message).iter(f"{ZEEBE}subscription")
        subscription.set("correlationKey", text)

    def loop(self, identity: str, **attributes: str) -> None:
        [loop] = self.one(identity).iter(f"{ZEEBE}loopCharacteristics")
        for name, value in attributes.items():
            loop.set(name, value)

    def loop_is_parallel(self, identity: str) -> None:
        """Let all runs of a loop begin at once."""
        [loop] = self.one(identity).iter(f"{BPMN}multiInstanceLoopCharacteristics")
        loop.set("isSequential", "false")

    def timer_boundary(self, identity: str, host: str, kind: str, text: str, *, interrupting: bool = True) -> None:
        cancel = "" if interrupting else ' cancelActivity="false"'
        scope = self.one(host).getparent().get("id")
        self.add(
            scope,
            f'<bpmn:boundaryEvent id="{identity}" name="时间已到"{cancel} attachedToRef="{host}">'
            f'<bpmn:timerEventDefinition id="{identity}_t"><bpmn:{kind} xsi:type="bpmn:tFormalExpression">{text}'
            f"</bpmn:{kind}></bpmn:timerEventDefinition></bpmn:boundaryEvent>",
        )

    def end(self, scope: str, identity: str, *, terminates: bool = False, outputs: str = "") -> None:
        extensions = f"<bpmn:extensionElements><zeebe:ioMapping>{outputs}</zeebe:ioMapping></bpmn:extensionElements>"
        ends = f'<bpmn:terminateEventDefinition id="{identity}_t" />' if terminates else ""
        body = (extensions if outputs else "") + ends
        self.add(scope, f'<bpmn:endEvent id="{identity}" name="结束">{body}</bpmn:endEvent>')


def review(identity: str, stage: str, variable: str = "decision") -> str:
    """Return the call of a review."""
    return (
        f'<bpmn:callActivity id="{identity}" name="审核"><bpmn:extensionElements>'
        '<zeebe:calledElement processId="review" propagateAllChildVariables="false"'
        ' propagateAllParentVariables="false" bindingType="deployment" />'
        '<zeebe:ioMapping><zeebe:input source="=null" target="decision" />'
        '<zeebe:input source="=applicationId" target="applicationId" />'
        f'<zeebe:input source="=&#34;{stage}&#34;" target="stage" />'
        f'<zeebe:output source="=decision" target="{variable}" /></zeebe:ioMapping>'
        "</bpmn:extensionElements></bpmn:callActivity>"
    )


def task(identity: str, job_type: str, outputs: str = "") -> str:
    """Return a service task."""
    mapping = f"<zeebe:ioMapping>{outputs}</zeebe:ioMapping>" if outputs else ""
    return (
        f'<bpmn:serviceTask id="{identity}" name="任务"><bpmn:extensionElements>'
        f'<zeebe:taskDefinition type="{job_type}" retries="3" />{mapping}</bpmn:extensionElements></bpmn:serviceTask>'
    )


def check_again(model: Model, flow: str) -> None:
    """Have the materials checked once more on a flow of the approval; ``Flow_CheckedAgain`` leads on."""
    outputs = (
        '<zeebe:output source="=applicationComplete" target="applicationComplete" />'
        '<zeebe:output source="=onBehalf" target="onBehalf" /><zeebe:output source="'
        '=if applicationComplete then &#34;approved&#34; else &#34;returned&#34;" target="decision" />'
    )
    model.insert(flow, task("Task_CheckAgain", "preliminary-review", outputs), "Flow_CheckedAgain")


def gateway(identity: str, kind: str = "exclusive") -> str:
    """Return a gateway; ``kind`` is exclusive, parallel or eventBased."""
    return f'<bpmn:{kind}Gateway id="{identity}" name="如何继续？" />'


def timer_event(identity: str, duration: str) -> str:
    """Return an intermediate event that waits for a time."""
    return (
        f'<bpmn:intermediateCatchEvent id="{identity}" name="时间已到"><bpmn:timerEventDefinition id="{identity}_t">'
        f'<bpmn:timeDuration xsi:type="bpmn:tFormalExpression">{duration}</bpmn:timeDuration>'
        "</bpmn:timerEventDefinition></bpmn:intermediateCatchEvent>"
    )


def timer_start(identity: str, cycle: str) -> str:
    """Return a start event that a timer triggers again and again."""
    return (
        f'<bpmn:startEvent id="{identity}" name="定时启动"><bpmn:timerEventDefinition id="{identity}_t">'
        f'<bpmn:timeCycle xsi:type="bpmn:tFormalExpression">{cycle}</bpmn:timeCycle>'
        "</bpmn:timerEventDefinition></bpmn:startEvent>"
    )


class Table:
    """The decision table, open for changes."""

    def __init__(self, folder: Path, name: str = "classification.dmn") -> None:
        self.path = folder / name
        self.tree = etree.parse(self.path)
        self.root = self.tree.getroot()
        self._names = {"d": self.root.nsmap[None]}

    def cell(self, identity: str, text: str) -> None:
        [found] = self.root.xpath(f'//d:*[@id="{identity}"]/d:text', namespaces=self._names)
        found.text = text

    def _one(self, identity: str) -> Any:
        [found] = self.root.xpath(f'//d:*[@id="{identity}"]', namespaces=self._names)
        return found

    def remove_rule(self, identity: str) -> None:
        rule = self._one(identity)
        rule.getparent().remove(rule)

    def add_rule(self, table: str, number: int, cells: Sequence[str], results: Sequence[str]) -> None:
        """Add a row at the end of a table; an empty cell fits everything."""
        new = etree.SubElement(self._one(table), f"{{{self._names['d']}}}rule", id=f"{table}_Rule_{number}")
        for kind, short, texts in (("inputEntry", "In", cells), ("outputEntry", "Out", results)):
            for column, text in enumerate(texts, 1):
                entry = etree.SubElement(new, f"{{{self._names['d']}}}{kind}", id=f"{new.get('id')}_{short}_{column}")
                etree.SubElement(entry, f"{{{self._names['d']}}}text").text = text

    def move_to_top(self, rule: str) -> None:
        row = self._one(rule)
        row.getparent().find("d:rule", self._names).addprevious(row)

    def hit_policy(self, table: str, policy: str) -> None:
        self._one(table).set("hitPolicy", policy)

    def save(self) -> None:
        self.tree.write(self.path, encoding="UTF-8", xml_declaration=True)


def add_stage(
    folder: Path,
    code: str,
    zh: str,
    en: str,
    outcomes: Sequence[str] = ("approved", "returned"),
    *,
    department: str = "legal",
) -> None:
    """Add a stage of the approval to the review stages, before that of Security."""
    path = folder / "review-stages.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["duties"][f"{code}-duty"] = {"zh": f"{zh}人", "en": f"the {en}"}
    new = {
        "zh": zh,
        "en": en,
        "phase": "approval",
        "duty": f"{code}-duty",
        "candidates": [{"posts": ["head"], "departments": department}],
        "limit": "PT8H",
        "signature": "password",
        "outcomes": list(outcomes),
        "reasonFor": list(outcomes[1:]),
        "questions": [{"code": f"{code}-ok", "zh": "是否可以？", "en": "Is it all right?"}],
    }
    stages = {}
    for name, stage in content["stages"].items():
        if name == "security":
            stages[code] = new
        stages[name] = stage
    content["stages"] = stages
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def change_stage(folder: Path, code: str, **changes: Any) -> None:
    """Set keys of a stage; None takes one away."""
    path = folder / "review-stages.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    for key, value in changes.items():
        if value is None:
            content["stages"][code].pop(key, None)
        else:
            content["stages"][code][key] = value
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def stage(folder: Path, code: str) -> dict[str, Any]:
    """Return what a stage has."""
    content = json.loads((folder / "review-stages.json").read_text(encoding="utf-8"))
    found: dict[str, Any] = content["stages"][code]
    return found


def declare_worker(
    folder: Path, job_type: str, outputs: dict[str, list[str]], inputs: Sequence[str] = ("applicationId",)
) -> None:
    """Declare a job of one's own, with the values that its outputs can have."""
    worker = {"zh": "自有任务", "en": "A job of our own.", "inputs": list(inputs), "outputs": outputs}
    text = json.dumps({"workers": {job_type: worker}}, ensure_ascii=False, indent=2)
    (folder / "workers.json").write_text(text + "\n", encoding="utf-8")


def add_copy(folder: Path, process: str, name: str) -> None:
    """Add a copy of the process under another id, as Save as and a new id make one."""
    text = (folder / f"{process}.bpmn").read_text(encoding="utf-8")
    for key in ("id", "bpmnElement", "processId"):
        text = text.replace(f'{key}="{process}"', f'{key}="{name}"')
    (folder / f"{name}.bpmn").write_text(text, encoding="utf-8")


def add_notice(folder: Path, message: str, name: str) -> None:
    """Add a process that the message begins too, and that does nothing but end."""
    text = f"""<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" id="Definitions_{name}"
    xmlns:modeler="http://camunda.org/schema/modeler/1.0" modeler:executionPlatform="Camunda Cloud"
    modeler:executionPlatformVersion="8.5.0" targetNamespace="http://example.org">
  <bpmn:process id="{name}" name="通知 · Notice" isExecutable="true">
    <bpmn:startEvent id="Event_Told" name="收到消息 · Message received">
      <bpmn:outgoing>Flow_Told</bpmn:outgoing>
      <bpmn:messageEventDefinition messageRef="Message_Told" />
    </bpmn:startEvent>
    <bpmn:sequenceFlow id="Flow_Told" sourceRef="Event_Told" targetRef="Event_End" />
    <bpmn:endEvent id="Event_End" name="结束 · End"><bpmn:incoming>Flow_Told</bpmn:incoming></bpmn:endEvent>
  </bpmn:process>
  <bpmn:message id="Message_Told" name="{message}" />
</bpmn:definitions>
"""
    (folder / f"{name}.bpmn").write_text(text, encoding="utf-8")


def with_one_mark(folder: Path) -> None:
    """Let the world know one mark of importance: the three are alike, and a walk takes a third of the time."""
    world = folder / "policy-world.yaml"
    text = world.read_text(encoding="utf-8")
    for name in ("sensitiveEvent", "highImpact"):
        text = text.replace(f"{name}: [false, true]", f"{name}: [false]")
    text = text.replace("not varied: []", "not varied: [importance sensitiveEvent, importance highImpact]")
    world.write_text(text, encoding="utf-8")
