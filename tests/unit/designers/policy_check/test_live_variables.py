"""Which variables a case can do without where it stands: what no path reads before something sets it."""

import pytest

from services.designers.policy_check.live_variables import LiveVariables, Uses
from services.engine.model.parse import parse_bpmn

HEAD = (
    '<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"'
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0">'
    '<bpmn:process id="p" isExecutable="true">'
)
SETS = '<zeebe:output source="=done" target="x" />'
ENDS = '<bpmn:endEvent id="{id}"><bpmn:incoming>{flow}</bpmn:incoming></bpmn:endEvent>'


def _task(identity: str, mapping: str = "") -> str:
    mapped = f"<zeebe:ioMapping>{mapping}</zeebe:ioMapping>" if mapping else ""
    job = f'<zeebe:taskDefinition type="{identity}" />'
    extended = f"<bpmn:extensionElements>{job}{mapped}</bpmn:extensionElements>"
    return f'<bpmn:serviceTask id="{identity}">{extended}</bpmn:serviceTask>'


def _flow(source: str, target: str, condition: str = "") -> str:
    text = (
        f'<bpmn:conditionExpression xsi:type="bpmn:tFormalExpression">={condition}</bpmn:conditionExpression>'
        if condition
        else ""
    )
    ends = f'sourceRef="{source}" targetRef="{target}"'
    return f'<bpmn:sequenceFlow id="{source}-{target}" {ends}>{text}</bpmn:sequenceFlow>'


def _live(inside: str, *, of_scope: str = "") -> LiveVariables:
    """Return the live variables of a process that asks for x after a subprocess."""
    mapped = f"<bpmn:extensionElements><zeebe:ioMapping>{of_scope}</zeebe:ioMapping></bpmn:extensionElements>"
    parts = [
        '<bpmn:startEvent id="start" />',
        _task("first"),
        f'<bpmn:subProcess id="scope">{mapped if of_scope else ""}',
        f'<bpmn:startEvent id="inner" />{inside}</bpmn:subProcess>',
        '<bpmn:exclusiveGateway id="asks" />',
        '<bpmn:endEvent id="one" /><bpmn:endEvent id="other" />',
        _flow("start", "first") + _flow("first", "scope") + _flow("scope", "asks"),
        _flow("asks", "one", "x = 1") + _flow("asks", "other", "x != 1"),
    ]
    [process] = parse_bpmn(f"{HEAD}{''.join(parts)}</bpmn:process></bpmn:definitions>".encode(), deployed=True)
    nothing = frozenset[str]()
    return LiveVariables(process, Uses(lambda _: nothing, lambda _: nothing, nothing))


def test_what_every_path_inside_a_subprocess_sets_before_its_end_does_not_matter_before() -> None:
    live = _live(_task("sets", SETS) + _flow("inner", "sets"))

    assert "x" not in live.during["first"]
    assert "x" not in live.before["scope"]


def test_what_one_path_inside_leaves_as_it_is_matters_before() -> None:
    fork = '<bpmn:exclusiveGateway id="fork" /><bpmn:endEvent id="leaves" />'
    flows = _flow("inner", "fork") + _flow("fork", "sets", "y") + _flow("fork", "leaves", "not(y)")

    live = _live(fork + _task("sets", SETS) + flows)

    assert {"x", "y"} <= live.during["first"]
    assert "x" not in live.before["sets"]


def test_what_a_branch_that_ends_beside_the_others_leaves_matters_before() -> None:
    fork = '<bpmn:parallelGateway id="fork" />'
    flows = _flow("inner", "fork") + _flow("fork", "sets") + _flow("fork", "beside")

    live = _live(fork + _task("sets", SETS) + _task("beside") + flows)

    assert "x" in live.before["scope"]


def test_what_an_output_of_a_subprocess_reads_matters_where_it_is_set_inside_no_more() -> None:
    output = '<zeebe:output source="=z" target="x" />'

    assert "z" in _live(_task("sets", SETS) + _flow("inner", "sets"), of_scope=output).before["scope"]
    set_inside = SETS.replace('"x"', '"z"')
    assert "z" not in _live(_task("sets", set_inside) + _flow("inner", "sets"), of_scope=output).before["scope"]


@pytest.mark.parametrize("of_scope", [True, False])
def test_an_input_hides_a_variable_only_until_its_element_ends(of_scope: bool) -> None:
    hides = '<zeebe:input source="=0" target="x" />'
    keeps = '<zeebe:output source="=0" target="other" />'

    live = _live(
        _task("works", "" if of_scope else hides + keeps) + _flow("inner", "works"),
        of_scope=hides + keeps if of_scope else "",
    )

    assert "x" in live.during["first"]


def _loop(collection: str) -> str:
    loop = f'<zeebe:loopCharacteristics inputCollection="={collection}" outputCollection="x" outputElement="=done" />'
    return (
        '<bpmn:serviceTask id="each"><bpmn:extensionElements><zeebe:taskDefinition type="each" />'
        "</bpmn:extensionElements><bpmn:multiInstanceLoopCharacteristics><bpmn:extensionElements>"
        f"{loop}</bpmn:extensionElements></bpmn:multiInstanceLoopCharacteristics></bpmn:serviceTask>"
    )


def test_what_a_loop_collects_does_not_matter_before_it() -> None:
    live = _live(_loop("[1, 2]") + _flow("inner", "each"))

    assert "x" not in live.before["scope"]
    assert "x" in live.own("each")


def test_what_a_loop_goes_through_matters_before_it_though_it_collects_under_the_same_name() -> None:
    live = _live(_loop("x") + _flow("inner", "each"))

    assert "x" in live.before["scope"]


def test_what_a_loop_collects_matters_before_it_where_a_boundary_event_leaves_it() -> None:
    timer = (
        '<bpmn:boundaryEvent id="late" attachedToRef="each"><bpmn:timerEventDefinition>'
        '<bpmn:timeDuration xsi:type="bpmn:tFormalExpression">PT1H</bpmn:timeDuration>'
        '</bpmn:timerEventDefinition></bpmn:boundaryEvent><bpmn:endEvent id="left" />'
    )
    live = _live(_loop("[1]") + timer + _flow("inner", "each") + _flow("late", "left"))

    assert "x" in live.before["scope"]
