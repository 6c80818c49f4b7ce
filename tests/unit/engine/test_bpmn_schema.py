"""What BPMN's schema forbids is refused as a broker refuses it, and what it allows is taken."""

import pytest
from bpmn_makers import diagram, end, job, message_catch, start, with_ends
from engine_harness import EngineHarness

from services.engine.errors import InvalidModel, Rejection
from services.engine.model.parse import parse_bpmn

FLOWS = "s>t t>e"
JOB = job("t")
TIMER = "<bpmn:timerEventDefinition><bpmn:timeDuration>PT1H</bpmn:timeDuration></bpmn:timerEventDefinition>"


def whole(inside: str = "", before: str = "", flows: str = FLOWS) -> bytes:
    """Start, job and end, with something more in the process."""
    return diagram(start() + JOB + end() + inside, flows, before=before)


def changed(old: str, new: str) -> bytes:
    content = whole().decode()
    assert old in content
    return content.replace(old, new, 1).encode()


def task(extensions: str) -> bytes:
    extended = f"<bpmn:extensionElements>{extensions}</bpmn:extensionElements>"
    return diagram(start() + f'<bpmn:serviceTask id="t">{extended}</bpmn:serviceTask>' + end(), FLOWS)


def call(attributes: str) -> bytes:
    called = f"<bpmn:extensionElements><zeebe:calledElement {attributes}/></bpmn:extensionElements>"
    return diagram(start() + f'<bpmn:callActivity id="t">{called}</bpmn:callActivity>' + end(), FLOWS)


def boundary(attributes: str = "", inside: str = TIMER) -> str:
    return f'<bpmn:boundaryEvent id="b" attachedToRef="t" {attributes}>{inside}</bpmn:boundaryEvent>'


DEFINITION = '<zeebe:taskDefinition type="t" />'

REFUSED = {
    "an outgoing that names nothing": (
        changed("<bpmn:outgoing>f_s_t<", "<bpmn:outgoing>gone<"),
        "Element 's', 'outgoing' refers to 'gone', which does not exist",
    ),
    "a lane of nothing": (
        changed(
            '<bpmn:startEvent id="s">',
            '<bpmn:laneSet id="ls"><bpmn:lane id="l"><bpmn:flowNodeRef>gone</bpmn:flowNodeRef></bpmn:lane>'
            '</bpmn:laneSet><bpmn:startEvent id="s">',
        ),
        "Element 'l', 'flowNodeRef' refers to 'gone'",
    ),
    "a default that is no flow": (
        changed('id="t"', 'id="t" default="gone"'),
        "Element 't': 'default' refers to 'gone', which does not exist",
    ),
    "a boundary event whose flow it does not name": (
        whole(boundary(), flows=f"{FLOWS} b>e").replace(b"<bpmn:outgoing>f_b_e</bpmn:outgoing>", b""),
        "Element 'b': a boundary event needs an outgoing flow, named in an 'outgoing'",
    ),
    "an event-based gateway with one way": (
        whole('<bpmn:eventBasedGateway id="g" />', flows=f"{FLOWS} t>g g>e"),
        "Element 'g': an event-based gateway needs two outgoing flows, each named in an 'outgoing'",
    ),
    "a flow without an id": (
        whole('<bpmn:sequenceFlow sourceRef="s" targetRef="e" />'),
        "A 'sequenceFlow' has no id; give it one",
    ),
    "a flow from nowhere": (changed(' sourceRef="s"', ""), "'f_s_t': a 'sequenceFlow' needs the attribute 'sourceRef'"),
    "a process without an id": (changed(' id="p"', ""), "A 'process' has no id; give it one"),
    "a boundary event attached to nothing": (
        whole(boundary(), flows=f"{FLOWS} b>e").replace(b' attachedToRef="t"', b""),
        "Element 'b': a 'boundaryEvent' needs the attribute 'attachedToRef'",
    ),
    "an attribute nobody knows": (
        changed('<bpmn:endEvent id="e"', '<bpmn:endEvent id="e" colour="red"'),
        "Element 'e': a 'endEvent' has no attribute 'colour'; take it out",
    ),
    "an attribute of another element": (
        changed('<bpmn:endEvent id="e"', '<bpmn:endEvent id="e" isInterrupting="true"'),
        "Element 'e': a 'endEvent' has no attribute 'isInterrupting'",
    ),
    "a boolean that is none": (
        whole(boundary('cancelActivity="maybe"'), flows=f"{FLOWS} b>e"),
        "Element 'b': the attribute 'cancelActivity' is true or false, not 'maybe'",
    ),
    "an element nobody knows": (whole("<bpmn:thing />"), "'thing' is not supported; use tasks, call activities"),
    "a root element nobody knows": (
        whole(before="<bpmn:thing />"),
        "Element 'd': a 'definitions' cannot hold 'thing'; take it out",
    ),
    "an unknown part of a task": (
        changed("</bpmn:serviceTask>", "<bpmn:thing /></bpmn:serviceTask>"),
        "Element 't': a 'serviceTask' cannot hold 'thing'",
    ),
    "a foreign element beside the extensions": (
        whole("<zeebe:thing />"),
        "Element 'p': 'thing' belongs inside 'extensionElements'",
    ),
    "text between elements": (whole("hello"), "Element 'p': the text 'hello' is between its elements; remove it"),
    "extensions twice": (
        changed("</bpmn:extensionElements>", "</bpmn:extensionElements><bpmn:extensionElements />"),
        "Element 't': it can contain 'extensionElements' once, not 2 times",
    ),
    "two task definitions": (
        task(DEFINITION * 2),
        "Element 't', 'extensionElements': it has 2 elements 'zeebe:taskDefinition'; keep one",
    ),
    "two mappings": (
        task(DEFINITION + "<zeebe:ioMapping />" * 2),
        "Element 't', 'extensionElements': it has 2 elements 'zeebe:ioMapping'; keep one",
    ),
    "an output that is plain text": (
        task(DEFINITION + '<zeebe:ioMapping><zeebe:output source="done" target="x" /></zeebe:ioMapping>'),
        "Element 't': the output source 'done' must be an expression beginning with '='",
    ),
    "a version tag without its binding": (
        call('processId="x" versionTag="v1"'),
        "Element 't': a versionTag and the binding type 'versionTag' belong together",
    ),
    "a binding to a version tag that is missing": (
        call('processId="x" bindingType="versionTag"'),
        "Element 't': a versionTag and the binding type 'versionTag' belong together",
    ),
    "a form with no id and no key": (
        whole(
            '<bpmn:userTask id="u"><bpmn:extensionElements><zeebe:formDefinition /></bpmn:extensionElements>'
            "</bpmn:userTask>"
        ),
        "Element 'u', 'extensionElements': the form definition needs either a formId or a formKey",
    ),
    "a message end whose job stands in its definition": (
        diagram(
            start()
            + '<bpmn:endEvent id="t"><bpmn:messageEventDefinition><bpmn:extensionElements>'
            + f"{DEFINITION}</bpmn:extensionElements></bpmn:messageEventDefinition></bpmn:endEvent>",
            "s>t",
        ),
        "Element 't': the task definition belongs to the event, not inside it",
    ),
    "a transaction": (whole('<bpmn:transaction id="x" />'), "'x': 'transaction' is not supported; draw an embedded"),
    "a complex gateway": (whole('<bpmn:complexGateway id="x" />'), "'complexGateway' is not supported; draw exclusive"),
}

TAKEN = {
    "an incoming that names nothing": changed("<bpmn:incoming>f_s_t<", "<bpmn:incoming>gone<"),
    "an outgoing that names the flow of another": changed("<bpmn:outgoing>f_s_t<", "<bpmn:outgoing>f_t_e<"),
    "extensions of others": task(
        DEFINITION + '<zeebe:properties><zeebe:property name="a" value="b" /></zeebe:properties>'
    ),
    "attributes of others": changed('id="t"', 'id="t" zeebe:modelerTemplate="x"'),
    "documentation with text": changed(
        '<bpmn:serviceTask id="t">',
        '<bpmn:serviceTask id="t"><bpmn:documentation textFormat="text/plain">what it does</bpmn:documentation>',
    ),
    "lanes": changed(
        '<bpmn:startEvent id="s">',
        '<bpmn:laneSet id="ls"><bpmn:lane id="l" name="people"><bpmn:flowNodeRef>t</bpmn:flowNodeRef></bpmn:lane>'
        '</bpmn:laneSet><bpmn:startEvent id="s">',
    ),
    "notes": whole().replace(
        b"</bpmn:process>",
        b'<bpmn:textAnnotation id="n"><bpmn:text>why</bpmn:text></bpmn:textAnnotation>'
        b'<bpmn:association id="a" sourceRef="t" targetRef="n" /></bpmn:process>',
    ),
    "data": whole('<bpmn:dataObjectReference id="r" dataObjectRef="o" /><bpmn:dataObject id="o" />'),
    "a pool": whole(
        before='<bpmn:collaboration id="c"><bpmn:participant id="pool" name="us" processRef="p" /></bpmn:collaboration>'
    ),
    "what nothing refers to": whole(before='<bpmn:error id="E" /><bpmn:escalation id="S" />'),
    "ids in Chinese": diagram(start() + JOB + end("结束"), "s>t t>结束"),
    "a boundary event": whole(boundary(), flows=f"{FLOWS} b>e"),
    "a process beside that is not executed": whole().replace(
        b"</bpmn:definitions>", b'<bpmn:process id="q"><bpmn:startEvent id="qs" /></bpmn:process></bpmn:definitions>'
    ),
}


@pytest.mark.parametrize("what", sorted(REFUSED))
def test_refused_with_a_sentence(what: str) -> None:
    content, sentence = REFUSED[what]

    with pytest.raises(InvalidModel) as refusal:
        parse_bpmn(content)

    assert any(sentence in problem for problem in refusal.value.problems), refusal.value.problems
    assert len(refusal.value.problems) == 1


@pytest.mark.parametrize("what", sorted(TAKEN))
def test_accepted(what: str) -> None:
    assert parse_bpmn(TAKEN[what])


def test_what_was_deployed_before_a_rule_came_is_still_read() -> None:
    content, _ = REFUSED["a boundary event whose flow it does not name"]

    assert parse_bpmn(content, deployed=True)[0].elements["b"].outgoing


def test_a_flow_to_what_is_not_supported_is_no_problem_of_its_own() -> None:
    content = diagram(start() + '<bpmn:complexGateway id="g" />' + end(), "s>g g>e")

    with pytest.raises(InvalidModel) as refusal:
        parse_bpmn(content)

    assert len(refusal.value.problems) == 1


def test_what_is_bound_to_a_deployment_must_be_in_it() -> None:
    caller = call('processId="called" bindingType="deployment"')
    harness = EngineHarness()

    with pytest.raises(
        Rejection, match="'t': it is bound to this deployment, which has no process with the id 'called'"
    ):
        harness.deploy(caller)
    harness.deploy(caller, diagram(start("s2"), process_id="called"))


def test_the_makers_name_each_flow_at_both_ends() -> None:
    content = with_ends(diagram(start() + message_catch("m", "M") + end(), "s>m m>e"))

    assert content.count(b"<bpmn:incoming>") == content.count(b"<bpmn:outgoing>") == 2
