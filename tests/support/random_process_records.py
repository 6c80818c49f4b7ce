"""What the records of any run must obey, whatever the process: lives of elements and what they open, flows."""

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

from lxml import etree

from services.engine.state.records import Record

_BPMN = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
_BEFORE = {
    "ACTIVATED": ("ACTIVATING",),
    "COMPLETING": ("ACTIVATED",),
    "COMPLETED": ("COMPLETING",),
    "TERMINATING": ("ACTIVATING", "ACTIVATED", "COMPLETING"),
    "TERMINATED": ("TERMINATING",),
}
_OPENED = ("JOB", "TIMER", "PROCESS_MESSAGE_SUBSCRIPTION", "SIGNAL_SUBSCRIPTION", "INCIDENT")
_CLOSED = ("COMPLETED", "CANCELED", "DELETED", "RESOLVED", "TRIGGERED")


@dataclass
class _Lives:
    """Elements that live (key: state, scope and calling element), and what is open (key: element)."""

    elements: dict[int, tuple[str, int, int]] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)
    opened: dict[int, int] = field(default_factory=dict)
    variables: set[tuple[int, str]] = field(default_factory=set)

    def take(self, record: Record) -> None:
        value = record.value
        if record.value_type == "PROCESS_INSTANCE":
            if record.intent == "SEQUENCE_FLOW_TAKEN":
                assert value["flowScopeKey"] in self.elements, f"a flow in a scope that has ended: {record}"
            else:
                self._element(record)
        elif record.value_type == "VARIABLE":
            assert value["scopeKey"] in self.elements, f"a variable in a scope that has ended: {record}"
            named = (value["scopeKey"], value["name"])
            assert (named in self.variables) == (record.intent == "UPDATED"), f"not the first, or the first: {record}"
            self.variables.add(named)
        elif record.value_type in _OPENED:
            self._open(record)

    def _element(self, record: Record) -> None:
        key, intent, value = record.key, record.intent.removeprefix("ELEMENT_"), record.value
        scope, caller = value["flowScopeKey"], value["parentElementInstanceKey"]
        if intent == "ACTIVATING":
            assert key not in self.seen, f"it lives twice: {record}"
            assert scope == -1 or scope in self.elements, f"it begins in a scope that has ended: {record}"
            assert scope != -1 or caller == -1 or caller in self.elements, f"its caller has ended: {record}"
            self.seen.add(key)
        else:
            assert self.elements.get(key, ("gone",))[0] in _BEFORE[intent], f"out of turn: {record}"
        self.elements[key] = (intent, scope, caller if scope == -1 else -1)
        if intent in ("COMPLETED", "TERMINATED"):
            del self.elements[key]
            left = [k for k, (_, around, by) in self.elements.items() if key in (around, by)]
            assert not left, f"{left} live on in {record}"
            assert key not in self.opened.values(), f"something stays open at {record}"

    def _open(self, record: Record) -> None:
        value, key = record.value, record.key
        owner = value.get("elementInstanceKey", value.get("catchEventInstanceKey"))
        if record.intent == "CREATED":
            assert key not in self.opened, f"it is opened twice: {record}"
            assert owner in self.elements, f"it is opened for what has ended: {record}"
            self.opened[key] = owner
            return
        assert key in self.opened, f"it is not open: {record}"
        thrown = record.intent == "ERROR_THROWN" and value["elementId"] != "NO_CATCH_EVENT_FOUND"
        correlated = record.intent == "CORRELATED" and value["interrupting"]
        if record.intent in _CLOSED or thrown or correlated:
            del self.opened[key]


def check_lives(records: list[Record]) -> None:
    """Each element ends once and after all that is inside it, and nothing happens in it or stays open behind that."""
    assert all(one.position < other.position for one, other in pairwise(records))
    lives = _Lives()
    for record in records:
        lives.take(record)
    assert (lives.elements, lives.opened) == ({}, {})


def check_flows(records: list[Record], content: bytes) -> None:
    """What leaves a completed element goes along its flows into their targets; what a gateway waited for needs none."""
    happened: Counter[tuple[str, str]] = Counter()
    for record in records:
        value = record.value
        if record.value_type == "PROCESS_INSTANCE":
            body = "BODY" if value["bpmnElementType"] == "MULTI_INSTANCE_BODY" else ""
            happened[value["elementId"], record.intent.removeprefix("ELEMENT_") + body] += 1
    root = etree.fromstring(content)
    targets = {str(flow.get("id")): str(flow.get("targetRef")) for flow in root.iter(f"{_BPMN}sequenceFlow")}
    choices = {
        f.text for gateway in root.iter(f"{_BPMN}eventBasedGateway") for f in gateway.findall(f"{_BPMN}outgoing")
    }
    for element in root.iter(f"{_BPMN}*"):
        identity, tag = element.get("id"), etree.QName(element).localname
        body = "BODY" if element.find(f"{_BPMN}multiInstanceLoopCharacteristics") is not None else ""
        taken = [happened[f.text, "SEQUENCE_FLOW_TAKEN"] for f in element.findall(f"{_BPMN}outgoing")]
        completed = happened[identity, f"COMPLETED{body}"]
        if tag == "eventBasedGateway":
            chosen = [happened[targets[str(f.text)], "ACTIVATING"] for f in element.findall(f"{_BPMN}outgoing")]
            assert not any(taken), f"{identity} was left {taken} times by flows, which it does not take"
            assert sum(chosen) == completed, f"{identity} was left {chosen} times"
        elif taken and tag == "exclusiveGateway":
            assert sum(taken) == completed, f"{identity} was left {taken} times"
        elif tag == "inclusiveGateway":
            assert max(taken) <= completed <= sum(taken), f"{identity} was left {taken} times"
        else:
            assert set(taken) <= {completed}, f"{identity} was left {taken} times"
        came = [
            happened[f.text, "SEQUENCE_FLOW_TAKEN"]
            for f in element.findall(f"{_BPMN}incoming")
            if f.text not in choices
        ]
        entered = happened[identity, f"ACTIVATING{body}"]
        if len(came) > 1 and tag in ("parallelGateway", "inclusiveGateway"):
            most = min(came) if tag == "parallelGateway" else sum(came)
            assert entered <= most, f"{identity} was entered {entered} times"
        elif came:
            assert entered == sum(came), f"{identity} was entered {entered} times"
