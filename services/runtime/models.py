"""Read a BPMN model for display: its elements, their names in both languages, their order.

The files are read, not the engine, which may be another product. They are ours and valid (docs/bpmn.md).
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lxml import etree

from services.runtime.diagram_labels import fit_labels
from services.runtime.errors import Fatal
from services.runtime.translations import Message

BPMN = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
ZEEBE = "{http://camunda.org/schema/zeebe/1.0}"
EVENTS = ("startEvent", "endEvent", "boundaryEvent", "intermediateCatchEvent", "intermediateThrowEvent")
KINDS = ("Task", "Gateway", "callActivity", "subProcess")
REQUIREMENT = re.compile(r"\bR[1-9][0-9]?\b")
TIMELESS = ("startEvent", "boundaryEvent", "businessRuleTask", "exclusiveGateway", "parallelGateway")


@dataclass(frozen=True)
class Element:
    """A flow node. ``scope`` is its subprocess, or the process; ``host`` the element of a boundary event.

    ``called`` is the process that a call activity runs, ``stage`` what it asks there; None where an expression says it,
    and then ``stage_is_computed``. ``job_type`` is who does a service task, ``decision`` the table that a business rule
    task asks, ``message`` the name of what it waits for, ``outcome`` the business result that an end event gives.
    ``requirements`` are those of the policy that its documentation names.
    """

    id: str
    kind: str
    zh: str
    en: str
    scope: str
    host: str | None = None
    called: str | None = None
    stage: str | None = None
    job_type: str | None = None
    outcome: str | None = None
    decision: str | None = None
    message: str | None = None
    stage_is_computed: bool = False
    requirements: tuple[str, ...] = ()

    @property
    def timeless(self) -> bool:
        """Whether the engine passes it at once, without a wait."""
        return self.kind in TIMELESS


@dataclass(frozen=True)
class Model:
    """One process: the file's bytes, its elements in file order, and the targets of their flows."""

    process_id: str
    zh: str
    en: str
    content: bytes
    elements: Mapping[str, Element]
    follows: Mapping[str, tuple[str, ...]]

    def of_stage(self, stage: str) -> Element | None:
        """Return the call activity of this review stage."""
        return next((element for element in self.elements.values() if element.stage == stage), None)

    def of_job(self, job_type: str) -> list[Element]:
        """Return the elements at which this work is done."""
        return [element for element in self.elements.values() if element.job_type == job_type]

    def of_decision(self, decision: str) -> list[Element]:
        """Return the elements that ask this decision table."""
        return [element for element in self.elements.values() if element.decision == decision]

    def awaiting(self, message: str) -> Element | None:
        """Return the first element that waits for a message of this name, at the start or on the way."""
        return next((element for element in self.elements.values() if element.message == message), None)

    def ending_after(self, element: Element) -> Element | None:
        """Return the end event to which an element leads at once."""
        targets = [self.elements[target] for target in self.follows.get(element.id, ())]
        return targets[0] if len(targets) == 1 and targets[0].kind == "endEvent" else None

    def of_outcome(self, outcome: str) -> Element | None:
        """Return the end event of this business result."""
        return next((element for element in self.elements.values() if element.outcome == outcome), None)

    def scopes(self, element_id: str) -> Iterator[str]:
        """Return the subprocesses around an element, the nearest first."""
        scope = self.elements[element_id].scope
        while scope in self.elements:
            yield scope
            scope = self.elements[scope].scope

    def certain(self, passed: Iterable[str], completed: Iterable[str] = ()) -> set[str]:
        """Return the elements without a process step that must have been passed too.

        A timeless one that cannot be bypassed on the way to one that was ``passed``, in its own scope; and the end
        event or join that follows one that was ``completed``.
        """
        known = {element_id for element_id in passed if element_id in self.elements}
        before = {
            element.id
            for element in self.elements.values()
            if element.timeless and any(reached in self._only_through[element.id] for reached in known)
        }
        return before | {after for element in completed for after in self._led_to(element)}

    @cached_property
    def leads_to(self) -> Mapping[str, frozenset[str]]:
        """Map each element to those of its scope that may follow it."""
        hosted: dict[str, list[str]] = {}
        for element in self.elements.values():
            if element.host is not None:
                hosted.setdefault(element.host, []).append(element.id)
        found = {}
        for start in self.elements:
            reached, ahead = set[str](), [start]
            while ahead:
                current = ahead.pop()
                new = {*self.follows.get(current, ()), *hosted.get(current, ())} - reached
                reached |= new
                ahead += new
            found[start] = frozenset(reached)
        return found

    def _led_to(self, element_id: str) -> Iterator[str]:
        while len(self.follows.get(element_id, ())) == 1:
            [element_id] = self.follows[element_id]
            element = self.elements[element_id]
            if element.kind not in ("endEvent", "exclusiveGateway"):
                return
            if element.kind == "endEvent" or len(self.follows.get(element_id, ())) == 1:
                yield element_id

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of the file."""
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def _only_through(self) -> Mapping[str, frozenset[str]]:
        """Map each timeless element to the elements of its scope that are reachable only through it."""
        reached = {scope: self._reached(scope) for scope in {element.scope for element in self.elements.values()}}
        return {
            element.id: frozenset(
                reached[element.scope] - self._reached(element.scope, without=element.id) - {element.id}
            )
            for element in self.elements.values()
            if element.timeless
        }

    def _reached(self, scope: str, without: str | None = None) -> set[str]:
        inside = [element for element in self.elements.values() if element.scope == scope]
        reached: set[str] = set()
        ahead = [element.id for element in inside if element.kind == "startEvent"]
        while ahead:
            current = ahead.pop()
            if current in reached or current == without:
                continue
            reached.add(current)
            ahead += self.follows.get(current, ())
            ahead += [element.id for element in inside if element.host == current]
        return reached

    def xml(self, language: str) -> bytes:
        """Return the model to be drawn, its names in Chinese or, for every other language, in English."""
        if language == "zh":
            return self.content
        root = _parsed(self.content)
        for node in root.iter():
            element = self.elements.get(node.get("id", ""))
            # a node without a Chinese name has none to be drawn
            if element is not None and node.get("name"):
                node.set("name", element.en)
            elif node.tag in (BPMN + "sequenceFlow", BPMN + "process") and node.get("name"):
                node.set("name", _english(node) or node.get("name", ""))
            elif node.tag == BPMN + "textAnnotation" and (text := node.find(BPMN + "text")) is not None:
                text.text = node.findtext(BPMN + "documentation") or text.text
        fit_labels(root)
        return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))


def read(paths: Iterable[Path]) -> dict[str, Model]:
    """Read the processes of these BPMN files, by process id; Fatal for a file that is no XML."""
    models: dict[str, Model] = {}
    for path in paths:
        content = path.read_bytes()
        try:
            models |= parse(content)
        except etree.XMLSyntaxError as error:
            raise Fatal(
                Message(
                    "could not read the model | {file} | it is no XML: {error} | correct that line, or save the model "
                    "again in Camunda Modeler",
                    file=str(path),
                    error=error.msg,
                )
            ) from error
    return models


def parse(content: bytes) -> dict[str, Model]:
    """Read the processes of one BPMN file, by process id; raises etree.XMLSyntaxError."""
    models = (_model(process, content) for process in _parsed(content).iter(BPMN + "process"))
    return {model.process_id: model for model in models}


def _model(process: etree._Element, content: bytes) -> Model:
    root = process.getroottree().getroot()
    messages = {message.get("id", ""): message.get("name", "") for message in root.iter(BPMN + "message")}
    nodes = [node for node in process.iter() if _is_flow_node(node)]
    flows: dict[str, list[str]] = {}
    for flow in process.iter(BPMN + "sequenceFlow"):
        flows.setdefault(flow.get("sourceRef", ""), []).append(flow.get("targetRef", ""))
    return Model(
        process_id=process.get("id", ""),
        zh=process.get("name", ""),
        en=_english(process),
        content=content,
        elements={node.get("id", ""): _element(node, messages) for node in nodes},
        follows={source: tuple(targets) for source, targets in flows.items()},
    )


def _element(node: etree._Element, messages: Mapping[str, str]) -> Element:
    english = _english(node)
    extensions = node.find(BPMN + "extensionElements")
    inputs, outputs, called, job_type, decision = {}, {}, None, None, None
    if extensions is not None:
        inputs = {entry.get("target"): _text(entry.get("source")) for entry in extensions.iter(ZEEBE + "input")}
        outputs = {entry.get("target"): _text(entry.get("source")) for entry in extensions.iter(ZEEBE + "output")}
        called = next((entry.get("processId") for entry in extensions.iter(ZEEBE + "calledElement")), None)
        job_type = next((entry.get("type") for entry in extensions.iter(ZEEBE + "taskDefinition")), None)
        decision = next((entry.get("decisionId") for entry in extensions.iter(ZEEBE + "calledDecision")), None)
    kind, parent = _kind(node), node.getparent()
    scope = parent.get("id", "") if parent is not None else ""
    return Element(
        id=node.get("id", ""),
        kind=kind,
        zh=node.get("name") or english,
        en=english or node.get("name", ""),
        scope=scope,
        host=node.get("attachedToRef"),
        called=called,
        stage=inputs.get("stage") if called else None,
        job_type=job_type,
        outcome=outputs.get("applicationOutcome") if kind == "endEvent" else None,
        decision=decision,
        message=messages.get(_message_of(node) or ""),
        stage_is_computed=called is not None and inputs.get("stage") is None and _is_computed(extensions, "stage"),
        requirements=tuple(dict.fromkeys(REQUIREMENT.findall(node.findtext(BPMN + "documentation") or ""))),
    )


def _is_computed(extensions: etree._Element | None, target: str) -> bool:
    """Return whether an input is set by an expression."""
    inputs = () if extensions is None else extensions.iter(ZEEBE + "input")
    sources = [entry.get("source", "") for entry in inputs if entry.get("target") == target]
    return any(source.startswith("=") and source[1:].strip() for source in sources)


def _message_of(node: etree._Element) -> str | None:
    """Return the id of the message that an element waits for."""
    event = node.find(BPMN + "messageEventDefinition")
    return node.get("messageRef") if event is None else event.get("messageRef")


def _is_flow_node(node: etree._Element) -> bool:
    kind = _kind(node)
    return kind in EVENTS or (node.tag != kind and kind.endswith(KINDS))


def _kind(node: etree._Element) -> str:
    tag = str(node.tag)
    return tag.removeprefix(BPMN) if tag.startswith(BPMN) else ""


def _english(node: etree._Element) -> str:
    """Return the English name, which is the first line of the documentation."""
    first = (node.findtext(BPMN + "documentation") or "").strip().partition("\n")[0]
    return first.removesuffix(".")


def _text(source: str | None) -> str | None:
    """Return the text of a FEEL text literal; None for any other expression."""
    inner = (source or "").removeprefix("=").strip()
    return inner[1:-1] if len(inner) > 1 and inner[0] == inner[-1] == '"' else None


def _parsed(content: bytes) -> etree._Element:
    return etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True))
