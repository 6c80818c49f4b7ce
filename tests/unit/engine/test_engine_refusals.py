"""What the engine does not run is refused at deployment, with a sentence that names the element."""

import pytest
from bpmn_makers import diagram, end, job, message, message_catch, start, timer

from services.engine.errors import InvalidModel
from services.engine.model.parse import parse_bpmn

_LOOP = (
    "<bpmn:multiInstanceLoopCharacteristics><bpmn:extensionElements><zeebe:loopCharacteristics {} />"
    "</bpmn:extensionElements></bpmn:multiInstanceLoopCharacteristics>"
)
_HALF_OUTPUT = _LOOP.format('inputCollection="=a" outputElement="=b"')
_NO_COLLECTION = _LOOP.format("")
_DEFINED = '<bpmn:extensionElements><zeebe:taskDefinition type="t" /></bpmn:extensionElements>'


def _boundary(identity: str, definition: str, attributes: str = "") -> str:
    return f'<bpmn:boundaryEvent id="{identity}" attachedToRef="t" {attributes}>{definition}</bpmn:boundaryEvent>'


_TIMER = "<bpmn:timerEventDefinition><bpmn:time{0}>{1}</bpmn:time{0}></bpmn:timerEventDefinition>"

REFUSALS = {
    "an element type nobody knows": (
        diagram(start() + '<bpmn:complexGateway id="g" />'),
        "'g': 'complexGateway' is not",
    ),
    "a transaction": (diagram(start() + '<bpmn:transaction id="x" />'), "'x': 'transaction' is not supported"),
    "compensation": (
        diagram(start() + f'<bpmn:serviceTask id="t" isForCompensation="true">{_DEFINED}</bpmn:serviceTask>'),
        "'t': compensation is not supported",
    ),
    "a conditional event": (
        diagram(
            start()
            + '<bpmn:intermediateCatchEvent id="c"><bpmn:conditionalEventDefinition /></bpmn:intermediateCatchEvent>'
        ),
        "'c': the event type 'conditional' is not supported",
    ),
    "a Camunda user task": (
        diagram(
            start()
            + '<bpmn:userTask id="u"><bpmn:extensionElements><zeebe:userTask /></bpmn:extensionElements>'
            + "</bpmn:userTask>"
        ),
        "'u': Camunda user tasks need REST",
    ),
    "an execution listener": (
        diagram(start() + job("t", more="<zeebe:executionListeners />")),
        "'t': execution listeners are not supported",
    ),
    "a standard loop": (
        diagram(
            start() + f'<bpmn:serviceTask id="t">{_DEFINED}<bpmn:standardLoopCharacteristics /></bpmn:serviceTask>'
        ),
        "'t': a standard loop is not supported",
    ),
    "a condition that is no expression": (
        diagram(
            start()
            + '<bpmn:exclusiveGateway id="g" default="dflt" />'
            + end()
            + '<bpmn:sequenceFlow id="dflt" sourceRef="g" targetRef="e" />'
            + '<bpmn:sequenceFlow id="f" sourceRef="g" targetRef="e">'
            + "<bpmn:conditionExpression>true</bpmn:conditionExpression>"
            + "</bpmn:sequenceFlow>",
            "s>g",
        ),
        "'f': the condition 'true' must be an expression",
    ),
    "a flow to nowhere": (diagram(start(), "s>nowhere"), "'nowhere', which does not exist"),
    "an id with a colon": (diagram(start("s:1")), "'s:1': the id is not a valid XML name"),
    "an id used twice": (diagram(start() + end("s")), "'s': the id is used twice"),
    "children in the wrong order": (
        diagram(
            start() + f'<bpmn:subProcess id="t">{start("i")}<bpmn:multiInstanceLoopCharacteristics /></bpmn:subProcess>'
        ),
        "'t': 'multiInstanceLoopCharacteristics' stands too late",
    ),
    "a loop without a collection": (
        diagram(start() + f'<bpmn:task id="t">{_NO_COLLECTION}</bpmn:task>'),
        "'t': a multi-instance needs an inputCollection",
    ),
    "an output element without its collection": (
        diagram(start() + f'<bpmn:task id="t">{_HALF_OUTPUT}</bpmn:task>'),
        "'t': outputCollection and outputElement belong together",
    ),
    "an interrupting cycle": (
        diagram(start() + job("t") + _boundary("b", _TIMER.format("Cycle", "R/P1D")) + end(), "b>e"),
        "'b': a cycle belongs on",
    ),
    "a duration that is none": (
        diagram(start() + timer("t", "timeDuration", "tomorrow")),
        "'t': 'tomorrow' is not an ISO",
    ),
    "a date without a zone": (
        diagram(start() + timer("t", "timeDate", "2026-01-01T00:00:00")),
        "'t': '2026-01-01T00:00:00'",
    ),
    "a message without a key": (
        diagram(start() + message_catch("c", "M"), before='<bpmn:message id="M" name="m" />'),
        "'c': its message needs a subscription with a correlation key",
    ),
    "a correlation key that is text": (
        diagram(start() + message_catch("c", "M"), before=message("M", "m", "key")),
        "'c': the correlation key 'key' must be an expression",
    ),
    "two boundaries for one message": (
        diagram(
            start()
            + job("t")
            + _boundary("b1", '<bpmn:messageEventDefinition messageRef="M" />')
            + _boundary("b2", '<bpmn:messageEventDefinition messageRef="M" />')
            + end(),
            "b1>e b2>e",
            before=message("M", "m", "=k"),
        ),
        "'t': two message events with the name 'm'",
    ),
    "a link that leads nowhere": (
        diagram(
            start()
            + '<bpmn:intermediateThrowEvent id="l"><bpmn:linkEventDefinition name="there" />'
            + "</bpmn:intermediateThrowEvent>"
        ),
        "'l': no link catch event is named 'there'",
    ),
    "an event-based gateway to a task": (
        diagram(start() + '<bpmn:eventBasedGateway id="g" />' + job("a") + job("b"), "s>g g>a g>b"),
        "'g': an event-based gateway leads to message",
    ),
    "a mapping to no variable": (
        diagram(
            start() + job("t", more='<zeebe:ioMapping><zeebe:output source="=1" target="a-b" /></zeebe:ioMapping>')
        ),
        "'t': 'a-b' is not a variable name",
    ),
    "a binding nobody knows": (
        diagram(
            start()
            + '<bpmn:callActivity id="c"><bpmn:extensionElements>'
            + '<zeebe:calledElement processId="x" bindingType="newest" />'
            + "</bpmn:extensionElements></bpmn:callActivity>"
        ),
        "'c': the binding type 'newest' is not known",
    ),
}


@pytest.mark.parametrize("what", sorted(REFUSALS))
def test_refused_with_the_element_named(what: str) -> None:
    content, sentence = REFUSALS[what]

    with pytest.raises(InvalidModel) as refusal:
        parse_bpmn(content)

    assert any(sentence in problem for problem in refusal.value.problems), refusal.value.problems


def test_every_problem_is_told_at_once() -> None:
    content = diagram(start() + '<bpmn:complexGateway id="g" /><bpmn:serviceTask id="t" /><bpmn:transaction id="x" />')

    with pytest.raises(InvalidModel) as refusal:
        parse_bpmn(content)

    assert len(refusal.value.problems) == 2


def test_entities_of_a_file_are_not_resolved() -> None:
    content = b'<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/hostname">]>' + diagram(start()).split(b"?>")[1]

    assert parse_bpmn(content)[0].id == "p"
