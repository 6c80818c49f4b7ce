"""Compensation: which completed activities are undone, where, how often, and how long the thrower waits."""

import re

import pytest
from bpmn_makers import diagram, end, job, start
from engine_harness import EngineHarness

from services.engine.errors import InvalidModel
from services.engine.model.parse import parse_bpmn
from services.engine.processing import instances, jobs

_THROWN = "<bpmn:compensateEventDefinition {} />"
_BPMN_ERROR = '<bpmn:error id="E" errorCode="e" />'


def _throw(identity: str = "t", more: str = "", kind: str = "intermediateThrowEvent") -> str:
    return f'<bpmn:{kind} id="{identity}">{_THROWN.format(more)}</bpmn:{kind}>'


def _boundary(host: str) -> str:
    """On the activity ``host``; ``_wired`` associates it with the job ``undo-HOST``."""
    return f'<bpmn:boundaryEvent id="b-{host}" attachedToRef="{host}">{_THROWN.format("")}</bpmn:boundaryEvent>'


def _undoable(host: str) -> str:
    undo = job(f"undo-{host}").replace("<bpmn:serviceTask", '<bpmn:serviceTask isForCompensation="true"')
    return job(host) + _boundary(host) + undo


def _wired(inside: str, flows: str) -> str:
    """The content of a scope with its flows, and an association for each compensation boundary event in it."""
    pairs = [flow.split(">") for flow in flows.split()]
    sequence = "".join(f'<bpmn:sequenceFlow id="f_{a}_{b}" sourceRef="{a}" targetRef="{b}" />' for a, b in pairs)
    own = re.sub(r"<bpmn:subProcess.*?</bpmn:subProcess>", "", inside, flags=re.DOTALL)
    joined = "".join(
        f'<bpmn:association id="a-{host}" sourceRef="b-{host}" targetRef="undo-{host}" />'
        for host in re.findall(r'boundaryEvent id="b-([\w-]+)"', own)
    )
    return inside + sequence + joined


def _sub(identity: str, inside: str, flows: str, more: str = "", loop: str = "") -> str:
    return f'<bpmn:subProcess id="{identity}" {more}>{loop}{_wired(inside, flows)}</bpmn:subProcess>'


def _each(collection: str) -> str:
    return (
        "<bpmn:multiInstanceLoopCharacteristics><bpmn:extensionElements>"
        f'<zeebe:loopCharacteristics inputCollection="={collection}" inputElement="one" />'
        "</bpmn:extensionElements></bpmn:multiInstanceLoopCharacteristics>"
    )


def _harness(inside: str, flows: str, before: str = "") -> EngineHarness:
    harness = EngineHarness()
    harness.deploy(diagram(_wired(inside, flows), before=before))
    return harness


def _finish(harness: EngineHarness, *job_types: str) -> None:
    for job_type in job_types:
        harness.complete(harness.fetch(job_type, most=1)[0].job.key)


def _waiting(harness: EngineHarness, job_type: str) -> int:
    return len(harness.fetch(job_type))


def test_what_completed_in_a_subprocess_is_undone_from_outside_in_the_throwers_scope() -> None:
    inner = _sub("sub", start("i") + _undoable("a") + _undoable("b"), "i>a a>b")
    harness = _harness(start() + inner + _throw() + end(), "s>sub sub>t t>e")
    instance = harness.create("p")

    _finish(harness, "a", "b", "undo-b")
    assert ("t", "COMPLETED") not in harness.history(instance)
    _finish(harness, "undo-a")

    assert harness.history(instance)[-4:] == [
        ("t", "COMPLETED"),
        ("e", "ACTIVATED"),
        ("e", "COMPLETED"),
        ("p", "COMPLETED"),
    ]


def test_an_active_subprocess_is_not_compensated() -> None:
    inner = _sub("sub", start("i") + _undoable("a") + job("more"), "i>a a>more")
    harness = _harness(start() + '<bpmn:parallelGateway id="g" />' + inner + job("x") + _throw(), "s>g g>sub g>x x>t")
    instance = harness.create("p")

    _finish(harness, "a", "x")

    assert ("t", "COMPLETED") in harness.history(instance)
    assert _waiting(harness, "undo-a") == 0


def test_an_activity_is_undone_once() -> None:
    harness = _harness(start() + _undoable("a") + _throw("t") + _throw("u") + end(), "s>a a>t t>u u>e")
    instance = harness.create("p")

    _finish(harness, "a", "undo-a")

    assert harness.history(instance)[-1] == ("p", "COMPLETED")


def test_an_activity_that_ran_twice_is_undone_twice() -> None:
    body = _sub("sub", start("i") + _undoable("a"), "i>a", loop=_each("[1, 2]"))
    harness = _harness(start() + body + _throw("t", kind="endEvent"), "s>sub sub>t")
    instance = harness.create("p")

    _finish(harness, "a", "a")
    assert _waiting(harness, "undo-a") == 2
    assert ("t", "COMPLETED") not in harness.history(instance)


def test_a_multi_instance_is_undone_as_a_whole() -> None:
    undoable = _undoable("a").replace("</bpmn:serviceTask>", _each("[1, 2]") + "</bpmn:serviceTask>", 1)
    harness = _harness(start() + undoable + _throw() + end(), "s>a a>t t>e")
    instance = harness.create("p")

    _finish(harness, "a", "a", "undo-a")

    assert harness.history(instance)[-1] == ("p", "COMPLETED")


def test_only_the_named_activity_is_undone() -> None:
    harness = _harness(
        start() + _undoable("a") + _undoable("b") + _throw("t", 'activityRef="b"') + end(), "s>a a>b b>t t>e"
    )
    instance = harness.create("p")

    _finish(harness, "a", "b", "undo-b")

    assert harness.history(instance)[-1] == ("p", "COMPLETED")
    assert ("undo-a", "ACTIVATED") not in harness.history(instance)


def test_an_event_subprocess_undoes_what_completed_around_it() -> None:
    begin = '<bpmn:startEvent id="es"><bpmn:errorEventDefinition errorRef="E" /></bpmn:startEvent>'
    handler = _sub("ev", begin + _throw() + end("ee"), "es>t t>ee", 'triggeredByEvent="true"')
    harness = _harness(start() + _undoable("a") + job("fails") + handler, "s>a a>fails", before=_BPMN_ERROR)
    instance = harness.create("p")
    _finish(harness, "a")

    failing = harness.fetch("fails")[0].job.key
    harness.do(lambda execution: jobs.throw_job_error(execution, failing, "e", "", {}))
    _finish(harness, "undo-a")

    assert harness.history(instance)[-2:] == [("ev", "COMPLETED"), ("p", "COMPLETED")]


def test_what_completed_in_a_subprocess_that_was_ended_is_not_undone() -> None:
    inner = _sub("sub", start("i") + _undoable("a") + job("fails"), "i>a a>fails")
    caught = '<bpmn:boundaryEvent id="caught" attachedToRef="sub"><bpmn:errorEventDefinition errorRef="E" />'
    harness = _harness(
        start() + inner + caught + "</bpmn:boundaryEvent>" + _throw() + end(), "s>sub caught>t t>e", before=_BPMN_ERROR
    )
    instance = harness.create("p")
    _finish(harness, "a")

    failing = harness.fetch("fails")[0].job.key
    harness.do(lambda execution: jobs.throw_job_error(execution, failing, "e", "", {}))

    assert harness.history(instance)[-1] == ("p", "COMPLETED")


def test_an_instance_can_be_cancelled_while_it_undoes() -> None:
    harness = _harness(start() + _undoable("a") + _throw() + end(), "s>a a>t t>e")
    instance = harness.create("p")
    _finish(harness, "a")

    harness.do(lambda execution: instances.cancel(execution, instance.key))

    assert harness.history(instance)[-3:] == [("t", "TERMINATED"), ("undo-a", "TERMINATED"), ("p", "TERMINATED")]


@pytest.mark.parametrize(
    ("inside", "flows", "sentence"),
    [
        (job("a") + _boundary("a"), "s>a b-a>a", "'b-a': a compensation boundary event has an association"),
        (_undoable("a"), "s>a a>undo-a", "'undo-a': a compensation handler has no flows"),
        (_throw("t", 'waitForCompletion="false"'), "s>t", "'t': a thrown compensation always waits"),
        (_throw("t", 'activityRef="nothing"'), "s>t", "'t': the activity 'nothing' that it compensates does not exist"),
        (job("a") + _throw("t", 'activityRef="a"'), "s>a a>t", "'t': the compensated activity 'a' needs a"),
        (
            '<bpmn:receiveTask id="r" isForCompensation="true" messageRef="M" />',
            "",
            "'r': a compensation handler is a service,",
        ),
        (
            _sub("sub", start("i") + _undoable("a"), "i>a") + _throw("t", 'activityRef="a"'),
            "s>sub sub>t",
            "'t': the activity 'a' that it compensates is in another scope",
        ),
        (
            _sub(
                "ev", f'<bpmn:startEvent id="es">{_THROWN.format("")}</bpmn:startEvent>', "", 'triggeredByEvent="true"'
            ),
            "",
            "'ev': an event subprocess needs one start event with",
        ),
    ],
)
def test_what_cannot_be_undone_is_refused(inside: str, flows: str, sentence: str) -> None:
    with pytest.raises(InvalidModel) as refusal:
        parse_bpmn(diagram(_wired(start() + inside, flows)))

    assert any(sentence in problem for problem in refusal.value.problems), refusal.value.problems
