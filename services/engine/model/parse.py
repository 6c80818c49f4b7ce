"""Parse BPMN files; unsupported elements are rejected by their ids."""

from dataclasses import replace

from lxml import etree

from services.engine.errors import InvalidModel
from services.engine.model.bpmn import SCOPES, Element, ElementType, EventType, Flow, Process
from services.engine.model.checks import check_compensation, check_flows, check_loops, check_process
from services.engine.model.events import EventReader
from services.engine.model.extensions import ExtensionReader
from services.engine.model.platform import platform_of
from services.engine.model.schema import schema_problems
from services.engine.model.xml import BPMN, ZEEBE, bpmn_children, local_name, parse_definitions

_ELEMENT_KINDS = {
    "subProcess": ElementType.SUB_PROCESS,
    "callActivity": ElementType.CALL_ACTIVITY,
    "serviceTask": ElementType.SERVICE_TASK,
    "sendTask": ElementType.SEND_TASK,
    "receiveTask": ElementType.RECEIVE_TASK,
    "scriptTask": ElementType.SCRIPT_TASK,
    "businessRuleTask": ElementType.BUSINESS_RULE_TASK,
    "userTask": ElementType.USER_TASK,
    "manualTask": ElementType.MANUAL_TASK,
    "task": ElementType.TASK,
    "exclusiveGateway": ElementType.EXCLUSIVE_GATEWAY,
    "parallelGateway": ElementType.PARALLEL_GATEWAY,
    "inclusiveGateway": ElementType.INCLUSIVE_GATEWAY,
    "eventBasedGateway": ElementType.EVENT_BASED_GATEWAY,
    "startEvent": ElementType.START_EVENT,
    "intermediateCatchEvent": ElementType.INTERMEDIATE_CATCH_EVENT,
    "intermediateThrowEvent": ElementType.INTERMEDIATE_THROW_EVENT,
    "boundaryEvent": ElementType.BOUNDARY_EVENT,
    "endEvent": ElementType.END_EVENT,
}
_IGNORED_ELEMENTS = {
    "documentation",
    "extensionElements",
    "incoming",
    "outgoing",
    "laneSet",
    "property",
    "ioSpecification",
    "dataObject",
    "dataObjectReference",
    "dataStoreReference",
    "textAnnotation",
    "association",
    "group",
    "multiInstanceLoopCharacteristics",
    "standardLoopCharacteristics",
}
_ALTERNATIVES = {
    "transaction": "draw an embedded subprocess",
    "adHocSubProcess": "draw its tasks in an embedded subprocess, with gateways that choose among them",
    "complexGateway": "draw exclusive, parallel or inclusive gateways",
    "choreographyTask": "draw send and receive tasks",
    "subChoreography": "draw send and receive tasks",
    "callChoreography": "draw send and receive tasks",
}
_REFUSED_EXTENSIONS = {
    "userTask": "Camunda user tasks need REST; draw a service task and a receive task",
    "executionListeners": "execution listeners are not supported; draw a service task before or behind it",
    "taskListeners": "task listeners are not supported; draw a service task before or behind it",
}


def parse_bpmn(content: bytes, *, deployed: bool = False) -> list[Process]:
    """Parse the executable processes of a file; raises InvalidModel with every problem.

    A file that is ``deployed`` is parsed without checks, because later rules do not invalidate it.
    """
    root = parse_definitions(content)
    problems = [] if deployed else list(schema_problems(root))
    if problems:
        raise InvalidModel(problems)
    processes = [
        _Reader(root, p, problems).process() for p in root.findall(BPMN + "process") if p.get("isExecutable") == "true"
    ]
    if deployed:
        return processes
    if not processes and not problems:
        problems.append('The file has no process with isExecutable="true".')
    for process in [] if problems else processes:
        problems.extend(check_flows(process) or [*check_process(process), *check_compensation(process)])
    problems.extend([] if problems else check_loops(processes))
    if problems:
        raise InvalidModel(problems)
    return processes


class _Reader:
    """Parses one process and collects all its problems."""

    def __init__(self, root: etree._Element, process: etree._Element, problems: list[str]) -> None:
        self._process = process
        self._problems = problems
        self._extensions = ExtensionReader(platform_of(root), problems)
        self._events = EventReader(root, self._extensions, problems)
        self._elements: dict[str, Element] = {}
        self._flows: list[Flow] = []
        associations = reversed(list(root.iter(BPMN + "association")))  # the first one of a source wins
        self._associated = {a.get("sourceRef"): a.get("targetRef") for a in associations}
        self._refused: set[str] = set()

    def process(self) -> Process:
        element_id = self._process.get("id") or ""
        name = self._process.get("name") or ""
        tag = self._process.find(f"{BPMN}extensionElements/{ZEEBE}versionTag")
        self._elements[element_id] = Element(element_id, ElementType.PROCESS, "", name)
        self._refuse_extensions(self._process)
        self._walk(self._process, element_id)
        self._connect()
        joins = [
            e.id
            for e in self._elements.values()
            if e.element_type == ElementType.INCLUSIVE_GATEWAY and len(e.incoming) > 1
        ]
        version_tag = (tag.get("value") or "") if tag is not None else ""
        return Process(element_id, name, version_tag, self._elements, self._links(), tuple(joins))

    def _links(self) -> dict[str, list[str]]:
        links = [e for e in self._elements.values() if e.event is not None and e.event.event_type == EventType.LINK]
        catches = [e for e in links if e.element_type == ElementType.INTERMEDIATE_CATCH_EVENT]
        return {
            throw.id: [
                c.id
                for c in catches
                if c.scope == throw.scope and c.event and throw.event and c.event.name == throw.event.name
            ]
            for throw in links
            if throw.element_type == ElementType.INTERMEDIATE_THROW_EVENT
        }

    def _walk(self, container: etree._Element, scope: str) -> None:
        for child in bpmn_children(container):
            tag = local_name(child)
            if tag == "sequenceFlow":
                self._flow(child)
            elif tag in _ELEMENT_KINDS:
                self._element(child, _ELEMENT_KINDS[tag], scope)
            elif tag not in _IGNORED_ELEMENTS:
                alternative = _ALTERNATIVES.get(tag, "use tasks, call activities, subprocesses, gateways and events")
                self._problems.append(f"Element '{child.get('id')}': '{tag}' is not supported; {alternative}.")
                self._refused.add(child.get("id") or "")

    def _flow(self, xml: etree._Element) -> None:
        condition = xml.find(BPMN + "conditionExpression")
        element_id = xml.get("id") or ""
        text = (condition.text or "") if condition is not None else None
        self._flows.append(
            Flow(
                element_id,
                xml.get("sourceRef") or "",
                xml.get("targetRef") or "",
                None if text is None else self._extensions.feel_expression(element_id, "condition", text),
            )
        )

    def _element(self, xml: etree._Element, element_type: ElementType, scope: str) -> None:
        element_id = xml.get("id") or ""
        if element_type == ElementType.SUB_PROCESS and xml.get("triggeredByEvent") == "true":
            element_type = ElementType.EVENT_SUB_PROCESS
        self._refuse_extensions(xml)
        if xml.find(BPMN + "standardLoopCharacteristics") is not None:
            self._problems.append(
                f"Element '{element_id}': a standard loop is not supported; draw the loop or use multi-instance."
            )
        inputs, outputs = self._extensions.mappings(element_id, xml)
        self._elements[element_id] = Element(
            element_id,
            element_type,
            scope,
            xml.get("name") or "",
            default_flow=xml.get("default"),
            inputs=inputs,
            outputs=outputs,
            event=self._events.parse(element_id, element_type, xml),
            interrupting=xml.get("cancelActivity" if element_type == ElementType.BOUNDARY_EVENT else "isInterrupting")
            != "false",
            attached_to=xml.get("attachedToRef"),
            job=self._extensions.job(element_id, element_type, xml),
            loop=self._extensions.loop(element_id, xml),
            called=self._extensions.called(element_id, element_type, xml),
            script=self._extensions.script(element_id, element_type, xml),
            for_compensation=xml.get("isForCompensation") in ("true", "1"),
            handler=self._associated.get(element_id),
        )
        if element_type in SCOPES:
            self._walk(xml, element_id)

    def _refuse_extensions(self, xml: etree._Element) -> None:
        for name, reason in _REFUSED_EXTENSIONS.items():
            if xml.find(f"{BPMN}extensionElements/{ZEEBE}{name}") is not None:
                self._problems.append(f"Element '{xml.get('id')}': {reason}.")

    def _connect(self) -> None:
        """Add flows, boundary events and start events to the elements."""
        for flow in self._flows:
            for end in (flow.source, flow.target):
                if end not in self._elements and end not in self._refused:
                    self._problems.append(f"Element '{flow.id}': the flow refers to '{end}', which does not exist.")
        for element_id, element in list(self._elements.items()):
            children = (
                [e for e in self._elements.values() if e.scope == element_id] if element.element_type in SCOPES else []
            )
            starts = [e for e in children if e.element_type == ElementType.START_EVENT and e.event is not None]
            self._elements[element_id] = replace(
                element,
                incoming=tuple(f for f in self._flows if f.target == element_id),
                outgoing=tuple(f for f in reversed(self._flows) if f.source == element_id),
                boundaries=tuple(e.id for e in reversed(self._elements.values()) if e.attached_to == element_id),
                none_start=next((e.id for e in starts if e.event and e.event.event_type == EventType.NONE), None),
                event_starts=tuple(e.id for e in starts if e.event and e.event.event_type != EventType.NONE),
                event_subprocesses=tuple(
                    e.id for e in reversed(children) if e.element_type == ElementType.EVENT_SUB_PROCESS
                ),
            )
