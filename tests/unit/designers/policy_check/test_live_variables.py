"""Which variables a case can do without where it stands: what no path reads before something sets it."""

import pytest

from services.designers.policy_check.live_variables import (
    ALL,
    LiveVariables,
    Uses,
    all_names,
    called_from,
    reads_of_caller,
)
from services.designers.policy_check.side_by_side import SideBySide
from services.engine.model.bpmn import Process
from services.engine.model.parse import parse_bpmn

HEAD = (
    '<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"'
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0">'
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


def _call(process: str) -> str:
    """A call with what the Modeler sets: all variables go there and come back."""
    called = f'<zeebe:calledElement processId="{process}" />'
    return (
        f'<bpmn:callActivity id="calls"><bpmn:extensionElements>{called}</bpmn:extensionElements></bpmn:callActivity>'
    )


def _process(identity: str, *parts: str) -> Process:
    inside = f'<bpmn:process id="{identity}" isExecutable="true">{"".join(parts)}</bpmn:process>'
    [process] = parse_bpmn(f"{HEAD}{inside}</bpmn:definitions>".encode(), deployed=True)
    return process


def _asking_for_x(inside: str, of_scope: str = "") -> Process:
    """Return a process that asks for x after a subprocess."""
    mapped = f"<bpmn:extensionElements><zeebe:ioMapping>{of_scope}</zeebe:ioMapping></bpmn:extensionElements>"
    return _process(
        "p",
        '<bpmn:startEvent id="start" />',
        _task("first"),
        f'<bpmn:subProcess id="scope">{mapped if of_scope else ""}',
        f'<bpmn:startEvent id="inner" />{inside}</bpmn:subProcess>',
        '<bpmn:exclusiveGateway id="asks" />',
        '<bpmn:endEvent id="one" /><bpmn:endEvent id="other" />',
        _flow("start", "first") + _flow("first", "scope") + _flow("scope", "asks"),
        _flow("asks", "one", "x = 1") + _flow("asks", "other", "x != 1"),
    )


def _live(inside: str, *, of_scope: str = "") -> LiveVariables:
    return _live_in(_asking_for_x(inside, of_scope))


def _live_in(process: Process) -> LiveVariables:
    nothing = frozenset[str]()
    uses = Uses(lambda _: nothing, lambda _: nothing, nothing, called_reads=lambda called: frozenset({f"of {called}"}))
    return LiveVariables(process, uses)


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


def test_a_call_that_passes_all_on_reads_what_the_called_process_does() -> None:
    process = _asking_for_x(_call("translation") + _flow("inner", "calls"))

    live = _live_in(process)

    assert live.before["scope"] == {"of translation", "x"}  # what it gives may leave x as it is
    assert reads_of_caller(process.elements["calls"], live) == {"x"}


def test_a_process_reads_what_those_that_it_calls_read() -> None:
    ends = '<bpmn:startEvent id="start" /><bpmn:exclusiveGateway id="asks" /><bpmn:endEvent id="end" />'
    ways = _flow("start", "calls") + _flow("calls", "asks")
    processes = [
        _process(name, ends, _call(called), ways, _flow("asks", "end", f"y{name}"))
        for name, called in (("a", "b"), ("b", "a"), ("c", "unknown"))
    ]

    assert [process.id for process in called_from("a", processes)] == ["a", "b"]
    assert all_names(called_from("a", processes)) == {"ya", "yb"}
    assert all_names(called_from("c", processes)) == {"yc", ALL}
    assert called_from("unknown", processes) == []


def _forked(after_gives: str) -> Process:
    """Return a process with two branches: one gives x, the other one asks for it."""
    return _process(
        "p",
        '<bpmn:startEvent id="start" /><bpmn:parallelGateway id="fork" />',
        _task("gives") + _task("maps", '<zeebe:output source="=y" target="x" />') + _task("waits"),
        '<bpmn:exclusiveGateway id="asks" /><bpmn:endEvent id="end" /><bpmn:endEvent id="other" />',
        '<bpmn:parallelGateway id="join" />' + _task("last") + '<bpmn:endEvent id="over" />',
        _flow("start", "fork") + _flow("fork", "gives") + _flow("fork", "waits"),
        _flow("gives", "maps") + _flow("maps", after_gives) + _flow("waits", "asks"),
        _flow("asks", "other", "x = 1") + _flow("asks", "join", "x != 1"),
        _flow("join", "last") + _flow("last", "over"),
    )


def test_what_one_branch_gives_matters_where_the_other_one_reads_it() -> None:
    live = _live_in(_forked("end"))

    assert live.given("gives", ["x", "y", "z"]) == {"x", "y"}  # y, because x is made of it
    assert live.given("waits", ["x", "z"]) == {"x"}
    assert live.given("last", ["x"]) == frozenset()


def test_branches_are_beside_each_other_up_to_the_gateway_that_waits_for_both() -> None:
    beside = SideBySide(_forked("join")).of_each()

    assert beside["gives"] == {"waits", "asks", "other"}
    assert beside["asks"] == {"gives", "maps"}
    assert beside["join"] == beside["last"] == frozenset()
    assert "last" in SideBySide(_forked("end")).of_each()["maps"]  # nothing waits for both


def test_what_a_reminder_begins_is_beside_what_it_stands_at_and_what_follows() -> None:
    reminder = (
        '<bpmn:boundaryEvent id="due" attachedToRef="works" cancelActivity="{cancels}"><bpmn:timerEventDefinition>'
        '<bpmn:timeCycle xsi:type="bpmn:tFormalExpression">R/PT1H</bpmn:timeCycle>'
        '</bpmn:timerEventDefinition></bpmn:boundaryEvent><bpmn:endEvent id="reminded" />'
    )
    flows = _flow("inner", "works") + _flow("due", "reminds") + _flow("reminds", "reminded") + _flow("works", "next")
    inside = _task("works") + _task("reminds") + _task("next") + flows

    beside = SideBySide(_asking_for_x(inside + reminder.format(cancels="false"))).of_each()

    assert beside["reminds"] == {"works", "due", "reminds", "reminded", "next"}
    assert beside["works"] == {"due", "reminds", "reminded"}
    cancelled = SideBySide(
        _asking_for_x(inside + reminder.format(cancels="true").replace("timeCycle", "timeDuration").replace("R/", ""))
    ).of_each()
    assert cancelled["reminds"] == frozenset()
