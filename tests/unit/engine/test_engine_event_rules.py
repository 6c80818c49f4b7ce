"""How events meet what else goes on in the same moment: interruptions, scopes that open, buffered messages."""

from bpmn_makers import diagram, end, job, message, start
from engine_desk import CoreDesk

from services.engine.processing import messages

_MESSAGE = '<bpmn:messageEventDefinition messageRef="{}" />'
_SIGNAL = '<bpmn:signalEventDefinition signalRef="{}" />'
_ERROR = '<bpmn:errorEventDefinition errorRef="{}" />'
_ESCALATION = '<bpmn:escalationEventDefinition escalationRef="{}" />'
_DECLARED = '<bpmn:signal id="S" name="sig" /><bpmn:escalation id="X" escalationCode="x" />'


def _publish(desk: CoreDesk, name: str, key: str, ttl: int = 0, **variables: object) -> None:
    desk.do(lambda work: messages.publish(work, name, key, ttl=ttl, message_id="", variables=variables))


def _event(kind: str, identity: str, definition: str, more: str = "") -> str:
    return f'<bpmn:{kind} id="{identity}" {more}>{definition}</bpmn:{kind}>'


def _sub(identity: str, inside: str, flows: str, more: str = "") -> str:
    pairs = [flow.split(">") for flow in flows.split()]
    sequence = "".join(f'<bpmn:sequenceFlow id="f_{a}_{b}" sourceRef="{a}" targetRef="{b}" />' for a, b in pairs)
    return f'<bpmn:subProcess id="{identity}" {more}>{inside}{sequence}</bpmn:subProcess>'


def _handler(definition: str, more: str = "") -> str:
    """An event subprocess that waits at a job."""
    begin = _event("startEvent", "es", definition, more)
    return _sub("ev", begin + job("handle") + end("ee"), "es>handle handle>ee", 'triggeredByEvent="true"')


def test_what_stands_beside_an_interruption_is_terminated_though_it_was_about_to_complete() -> None:
    desk = CoreDesk()
    inside = start() + '<bpmn:parallelGateway id="g" /><bpmn:task id="beside" />' + end("e1")
    inside += _event("endEvent", "thrown", _ESCALATION.format("X")) + _handler(_ESCALATION.format("X"))
    desk.deploy(diagram(inside, "s>g g>beside beside>e1 g>thrown", before=_DECLARED))

    history = desk.history(desk.create("p"))

    assert ("beside", "TERMINATED") in history
    assert ("beside", "COMPLETED") not in history
    assert history[-1] == ("handle", "ACTIVATED")


def test_what_stands_beside_a_terminate_end_is_terminated_though_it_was_about_to_complete() -> None:
    desk = CoreDesk()
    inside = start() + '<bpmn:parallelGateway id="g" /><bpmn:task id="beside" />' + end("e1")
    inside += _event("endEvent", "all", "<bpmn:terminateEventDefinition />")
    desk.deploy(diagram(inside, "s>g g>all g>beside beside>e1"))

    history = desk.history(desk.create("p"))

    assert history[-3:] == [("all", "COMPLETED"), ("beside", "TERMINATED"), ("p", "COMPLETED")]


def test_what_a_scope_waits_for_begins_when_its_start_event_completes() -> None:
    mapped = "<bpmn:extensionElements><zeebe:ioMapping>{}</zeebe:ioMapping></bpmn:extensionElements>"
    begin = _event("startEvent", "i", mapped.format('<zeebe:output source="=k + 1" target="k" />'))
    boundary = _event("boundaryEvent", "b", _MESSAGE.format("M"), 'attachedToRef="sub"')
    desk = CoreDesk()
    inside = start() + _sub("sub", begin + job("work"), "i>work") + boundary + job("after")
    desk.deploy(diagram(inside, "s>sub b>after", before=message("M", "m", "=k")))
    instance = desk.create("p", k=1)

    _publish(desk, "m", "1")
    assert ("sub", "TERMINATED") not in desk.history(instance)
    _publish(desk, "m", "2")
    assert ("sub", "TERMINATED") in desk.history(instance)


def test_a_scope_that_cannot_wait_for_its_events_is_an_incident_of_its_start_event() -> None:
    desk = CoreDesk()
    inside = start() + job("work") + _handler(_MESSAGE.format("M"))
    desk.deploy(diagram(inside, "s>work", before=message("M", "m", "=missing")))

    history = desk.history(desk.create("p"))

    assert desk.open_incidents() == [("s", "EXTRACT_VALUE_ERROR")]
    assert history == [("p", "ACTIVATED"), ("s", "ACTIVATED")]
