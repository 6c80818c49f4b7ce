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

_TWO_EVENTS = (
    '<bpmn:eventBasedGateway id="g" />' + timer("a", "timeDuration", "PT1H") + timer("b", "timeDuration", "PT2H")
)


def _flow(source: str, target: str) -> str:
    return f'<bpmn:sequenceFlow id="f_{source}_{target}" sourceRef="{source}" targetRef="{target}" />'


REFUSALS = {
    "an element type nobody knows": (
        diagram(start() + '<bpmn:complexGateway id="g" />'),
        "'g': 'complexGateway' is not",
    ),
    "a transaction": (diagram(start() + '<bpmn:transaction id="x" />'), "'x': 'transaction' is not supported"),
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
        "'t': 'multiInstanceLoopCharacteristics' is too late",
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
    "an event after an event-based gateway that is reached otherwise too": (
        diagram(start() + _TWO_EVENTS + job("t"), "s>g g>a g>b b>t t>a"),
        "'g': the events after an event-based gateway have no other incoming flow",
    ),
    "an event-based gateway that waits twice for one signal": (
        diagram(
            start()
            + '<bpmn:eventBasedGateway id="g" />'
            + "".join(
                f'<bpmn:intermediateCatchEvent id="{i}"><bpmn:signalEventDefinition signalRef="S" />'
                "</bpmn:intermediateCatchEvent>"
                for i in "ab"
            ),
            "s>g g>a g>b",
            before='<bpmn:signal id="S" name="go" />',
        ),
        "'g': two signal events with the name 'go'",
    ),
    "a flow into a boundary event": (
        diagram(start() + job("t") + _boundary("b", _TIMER.format("Duration", "PT1H")) + end(), "s>t t>b b>e"),
        "'b': a boundary event has no incoming flow",
    ),
    "a flow out of an end event": (diagram(start() + end() + job("t"), "s>e e>t"), "'e': an end event has no outgoing"),
    "a flow into the process itself": (diagram(start(), "s>p"), "'f_s_p': a flow stays in its process"),
    "a flow out of a subprocess": (
        diagram(start() + f'<bpmn:subProcess id="x">{start("i")}</bpmn:subProcess>' + end(), "s>x i>e"),
        "'f_i_e': a flow stays in its process or subprocess",
    ),
    "a caught error whose code is an expression": (
        diagram(
            start() + job("t") + _boundary("b", '<bpmn:errorEventDefinition errorRef="E" />') + end(),
            "s>t b>e",
            before='<bpmn:error id="E" errorCode="=code" />',
        ),
        "'b': the code of the error that it catches cannot be an expression",
    ),
    "an escalation at the boundary of a task": (
        diagram(
            start() + job("t") + _boundary("b", '<bpmn:escalationEventDefinition escalationRef="E" />') + end(),
            "s>t b>e",
            before='<bpmn:escalation id="E" escalationCode="c" />',
        ),
        "'b': only a subprocess or call activity catches an escalation",
    ),
    "an error that begins something beside": (
        diagram(
            start()
            + '<bpmn:subProcess id="x" triggeredByEvent="true"><bpmn:startEvent id="es" isInterrupting="false">'
            + "<bpmn:errorEventDefinition /></bpmn:startEvent></bpmn:subProcess>"
        ),
        "'es': an event that catches an error always interrupts",
    ),
    "a loop in which nothing waits": (
        diagram(start() + '<bpmn:exclusiveGateway id="a" /><bpmn:task id="b" />', "s>a a>b b>a"),
        "'b': nothing waits in the loop b > a > b",
    ),
    "a loop through a subprocess in which nothing waits": (
        diagram(
            start()
            + f'<bpmn:subProcess id="x">{start("i")}<bpmn:manualTask id="m" />{_flow("i", "m")}</bpmn:subProcess>',
            "s>x x>x",
        ),
        "'m': nothing waits in the loop m > x > i > m",
    ),
    "a process that calls itself at once": (
        diagram(
            start()
            + '<bpmn:callActivity id="c"><bpmn:extensionElements><zeebe:calledElement processId="p" />'
            + "</bpmn:extensionElements></bpmn:callActivity>",
            "s>c",
        ),
        "'c': nothing waits in the loop c > s > c",
    ),
    "a mapping to a reserved word": (
        diagram(start() + job("t", more='<zeebe:ioMapping><zeebe:input source="=1" target="for" /></zeebe:ioMapping>')),
        "'t': 'for' is not a variable name",
    ),
    "a mapping to a name the broker does not take": (
        diagram(
            start() + job("t", more='<zeebe:ioMapping><zeebe:input source="=1" target="录像" /></zeebe:ioMapping>')
        ),
        "'t': '录像' is not a variable name",
    ),
    "a mapping to no variable": (
        diagram(
            start() + job("t", more='<zeebe:ioMapping><zeebe:output source="=1" target="a-b" /></zeebe:ioMapping>')
        ),
        "'t': 'a-b' is not a variable name",
    ),
    "a header kept for user tasks": (
        diagram(
            start()
            + job(
                "t",
                more='<zeebe:taskHeaders><zeebe:header key="io.camunda.zeebe:formKey" value="f" /></zeebe:taskHeaders>',
            )
        ),
        "'t': the header 'io.camunda.zeebe:formKey' is kept for user tasks",
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


def test_every_problem_is_reported_at_once() -> None:
    content = diagram(start() + '<bpmn:complexGateway id="g" /><bpmn:serviceTask id="t" /><bpmn:transaction id="x" />')

    with pytest.raises(InvalidModel) as refusal:
        parse_bpmn(content)

    assert len(refusal.value.problems) == 2


def test_entities_of_a_file_are_not_resolved() -> None:
    content = b'<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/hostname">]>' + diagram(start()).split(b"?>")[1]

    assert parse_bpmn(content)[0].id == "p"


def test_a_loop_of_gateways_and_one_with_a_job_are_accepted() -> None:
    gateways = '<bpmn:exclusiveGateway id="a" /><bpmn:exclusiveGateway id="b" />'

    assert parse_bpmn(diagram(start() + gateways, "s>a a>b b>a"))
    assert parse_bpmn(diagram(start() + '<bpmn:task id="a" />' + job("b"), "s>a a>b b>a"))
