"""What is easy to get wrong and no recorded scenario pins down: events, scopes, incidents, messages."""

import json

import pytest
from bpmn_makers import ONE_JOB, diagram, end, job, message, start, timer
from engine_harness import EngineHarness

from services.engine.clock import MAX_MILLIS
from services.engine.errors import Rejection
from services.engine.processing import deployments, incidents, instances, jobs, messages, signals

_MESSAGE = '<bpmn:messageEventDefinition messageRef="{}" />'
_ERROR = '<bpmn:errorEventDefinition errorRef="{}" />'


def _publish(harness: EngineHarness, name: str, key: str, ttl: int = 0, **variables: object) -> None:
    harness.do(lambda execution: messages.publish(execution, name, key, ttl=ttl, message_id="", variables=variables))


def _boundary(identity: str, host: str, definition: str, *, interrupting: bool = True) -> str:
    cancels = "" if interrupting else 'cancelActivity="false"'
    return f'<bpmn:boundaryEvent id="{identity}" attachedToRef="{host}" {cancels}>{definition}</bpmn:boundaryEvent>'


def _sub(identity: str, inside: str, flows: str, more: str = "") -> str:
    pairs = [flow.split(">") for flow in flows.split()]
    sequence = "".join(f'<bpmn:sequenceFlow id="f_{a}_{b}" sourceRef="{a}" targetRef="{b}" />' for a, b in pairs)
    return f'<bpmn:subProcess id="{identity}" {more}>{inside}{sequence}</bpmn:subProcess>'


def _event_sub(start_definition: str, *, interrupting: bool = True) -> str:
    flag = "" if interrupting else 'isInterrupting="false"'
    begin = f'<bpmn:startEvent id="es" {flag}>{start_definition}</bpmn:startEvent>'
    return _sub("ev", begin + job("handle") + end("ee"), "es>handle handle>ee", 'triggeredByEvent="true"')


def test_an_interrupting_event_subprocess_leaves_the_enclosing_boundary_events_alone() -> None:
    inside = start("i") + job("work") + _event_sub(_MESSAGE.format("M1"))
    harness = EngineHarness()
    harness.deploy(
        diagram(
            start() + _sub("sub", inside, "i>work") + _boundary("b", "sub", _MESSAGE.format("M2")) + job("after"),
            "s>sub b>after",
            before=message("M1", "inner", "=k") + message("M2", "outer", "=k"),
        )
    )
    instance = harness.create("p", k="1")

    _publish(harness, "inner", "1")
    assert [h.job.element_id for h in harness.fetch("handle")] == ["handle"]
    _publish(harness, "outer", "1")

    history = harness.history(instance)
    assert ("handle", "TERMINATED") in history
    assert ("sub", "TERMINATED") in history
    assert len(harness.fetch("after")) == 1


@pytest.mark.parametrize("caller", [False, True])
def test_an_error_in_its_own_handler_is_caught_by_the_caller_only(caller: bool) -> None:
    error = '<bpmn:error id="E" errorCode="E-1" />'
    inside = start("i") + job("work") + _event_sub(_ERROR.format("E"))
    called = start() + _sub("sub", inside, "i>work") + _boundary("b", "sub", _ERROR.format("E")) + job("beside")
    call = (
        '<bpmn:callActivity id="c"><bpmn:extensionElements><zeebe:calledElement processId="p" />'
        "</bpmn:extensionElements></bpmn:callActivity>"
    )
    outer = start() + call + _boundary("b", "c", _ERROR.format("E")) + job("after")
    harness = EngineHarness()
    harness.deploy(
        diagram(called, "s>sub b>beside", before=error),
        diagram(outer, "s>c b>after", process_id="outer", before=error),
    )
    harness.create("outer" if caller else "p")

    for job_type in ("work", "handle"):
        key = harness.fetch(job_type)[0].job.key
        harness.do(lambda execution, key=key: jobs.throw_job_error(execution, key, "E-1", "", {}))

    assert (len(harness.fetch("after")), len(harness.fetch("beside"))) == (int(caller), 0)
    assert harness.open_incidents() == ([] if caller else [(jobs.NO_CATCH_EVENT_FOUND, "UNHANDLED_ERROR_EVENT")])


def test_a_timer_that_comes_while_an_output_mapping_hangs_does_not_fire() -> None:
    mapping = '<zeebe:ioMapping><zeebe:output source="=assert(x, x != null)" target="y" /></zeebe:ioMapping>'
    hour = "<bpmn:timerEventDefinition><bpmn:timeDuration>PT1H</bpmn:timeDuration></bpmn:timerEventDefinition>"
    harness = EngineHarness()
    harness.deploy(
        diagram(start() + job("work", more=mapping) + _boundary("b", "work", hour) + job("late"), "s>work b>late")
    )
    instance = harness.create("p")
    harness.complete(harness.fetch("work")[0].job.key)
    assert harness.open_incidents() == [("work", "IO_MAPPING_ERROR")]

    harness.turn(hours=2)
    assert harness.fetch("late") == []
    assert harness.core.next_due() == MAX_MILLIS  # it is still there, and goes with its element
    harness.do(lambda execution: instances.set_variables(execution, instance.key, {"x": 1}, local=False))
    harness.do(lambda execution: incidents.resolve(execution, execution.store.incidents.all_open()[0].key))

    assert harness.history(instance)[-1] == ("p", "COMPLETED")
    assert harness.core.next_due() is None


def test_resolving_without_a_cure_raises_the_incident_anew() -> None:
    harness = EngineHarness()
    harness.deploy(diagram(start() + job("work", "=kind"), "s>work"))
    harness.create("p")

    for _ in range(2):
        harness.do(lambda execution: incidents.resolve(execution, execution.store.incidents.all_open()[0].key))

    assert harness.open_incidents() == [("work", "EXTRACT_VALUE_ERROR")]


def test_no_matching_flow_and_no_default_is_a_condition_error() -> None:
    gateway = (
        '<bpmn:exclusiveGateway id="g" /><bpmn:sequenceFlow id="a" sourceRef="g" targetRef="e">'
        "<bpmn:conditionExpression>=x = 1</bpmn:conditionExpression></bpmn:sequenceFlow>"
        '<bpmn:sequenceFlow id="b" sourceRef="g" targetRef="e">'
        "<bpmn:conditionExpression>=x = 2</bpmn:conditionExpression></bpmn:sequenceFlow>"
    )
    harness = EngineHarness()
    harness.deploy(diagram(start() + end() + gateway, "s>g"))
    harness.create("p", x=3)

    assert harness.open_incidents() == [("g", "CONDITION_ERROR")]


def test_an_inclusive_join_waits_for_nothing_that_comes_on_a_flow_that_has_a_token() -> None:
    gateways = '<bpmn:parallelGateway id="f" /><bpmn:exclusiveGateway id="m" />'
    flows = "".join(f'<bpmn:sequenceFlow id="{n}" sourceRef="f" targetRef="m" />' for n in ("one", "two"))
    split = (
        '<bpmn:inclusiveGateway id="i" default="f_i_work" /><bpmn:inclusiveGateway id="j" />'
        '<bpmn:sequenceFlow id="never" sourceRef="i" targetRef="other">'
        "<bpmn:conditionExpression>=false</bpmn:conditionExpression></bpmn:sequenceFlow>"
    )
    harness = EngineHarness()
    inside = start() + gateways + flows + split + job("work") + job("other") + job("after")
    harness.deploy(diagram(inside, "s>f m>i i>work work>j other>j j>after"))
    harness.create("p")

    harness.complete(harness.fetch("work", most=1)[0].job.key)

    assert len(harness.fetch("after")) == 1


def test_a_called_process_that_does_not_exist_is_an_incident_until_it_is_deployed() -> None:
    call = (
        '<bpmn:callActivity id="c"><bpmn:extensionElements><zeebe:calledElement processId="one-job" />'
        "</bpmn:extensionElements></bpmn:callActivity>"
    )
    harness = EngineHarness()
    harness.deploy(diagram(start() + call, "s>c"))
    harness.create("p")
    assert harness.open_incidents() == [("c", "CALLED_ELEMENT_ERROR")]

    harness.deploy(ONE_JOB)
    harness.do(lambda execution: incidents.resolve(execution, execution.store.incidents.all_open()[0].key))

    assert len(harness.fetch("work")) == 1


def test_a_message_without_a_key_starts_an_instance_each_time() -> None:
    begin = f'<bpmn:startEvent id="s">{_MESSAGE.format("M")}</bpmn:startEvent>'
    harness = EngineHarness()
    harness.deploy(diagram(begin + job("work"), "s>work", before='<bpmn:message id="M" name="go" />'))

    _publish(harness, "go", "")
    _publish(harness, "go", "")

    assert len(harness.fetch("work")) == 2


def test_a_cancelled_instance_frees_its_key_for_the_message_that_waits() -> None:
    begin = f'<bpmn:startEvent id="s">{_MESSAGE.format("M")}</bpmn:startEvent>'
    harness = EngineHarness()
    harness.deploy(diagram(begin + job("work"), "s>work", before='<bpmn:message id="M" name="go" />'))
    _publish(harness, "go", "k", ttl=60_000, n=1)
    _publish(harness, "go", "k", ttl=60_000, n=2)
    (first,) = harness.fetch("work")

    harness.do(lambda execution: instances.cancel(execution, first.job.process_instance_key))

    assert [h.variables for h in harness.fetch("work")] == [{"n": 2}]


def test_a_new_version_takes_over_the_starts_and_a_deleted_one_gives_them_back() -> None:
    def starts_on_signal(job_type: str) -> bytes:
        begin = '<bpmn:startEvent id="s"><bpmn:signalEventDefinition signalRef="S" /></bpmn:startEvent>'
        return diagram(begin + job(job_type), f"s>{job_type}", before='<bpmn:signal id="S" name="go" />')

    harness = EngineHarness()
    harness.deploy(starts_on_signal("old"))
    newer = harness.deploy(starts_on_signal("new")).processes[0]

    harness.do(lambda execution: signals.broadcast(execution, "go", {}))
    assert (len(harness.fetch("old")), len(harness.fetch("new"))) == (0, 1)
    harness.do(lambda execution: deployments.delete(execution, newer.key))
    harness.do(lambda execution: signals.broadcast(execution, "go", {}))

    assert (len(harness.fetch("old")), len(harness.fetch("new"))) == (1, 0)


def test_a_number_is_a_correlation_key_as_its_text() -> None:
    catch = f'<bpmn:intermediateCatchEvent id="c">{_MESSAGE.format("M")}</bpmn:intermediateCatchEvent>'
    harness = EngineHarness()
    harness.deploy(diagram(start() + catch, "s>c", before=message("M", "m", "=k")))
    instance = harness.create("p", k=17)

    _publish(harness, "m", "17")

    assert harness.history(instance)[-1] == ("p", "COMPLETED")


@pytest.mark.parametrize(("one", "other"), [(1, True), (1, 1.0), ({"a": 1, "b": 2}, {"b": 2, "a": 1})])
def test_what_is_written_in_another_way_is_another_value(one: object, other: object) -> None:
    harness = EngineHarness()
    harness.deploy(ONE_JOB)
    instance = harness.create("one-job", x=one)

    harness.do(lambda execution: instances.set_variables(execution, instance.key, {"x": other}, local=False))

    assert json.dumps(harness.fetch("work")[0].variables["x"]) == json.dumps(other)


def test_a_start_timer_starts_the_newest_version_only() -> None:
    def monthly(job_type: str) -> bytes:
        begin = (
            '<bpmn:startEvent id="s"><bpmn:timerEventDefinition><bpmn:timeCycle>0 0 8 1 * *</bpmn:timeCycle>'
            "</bpmn:timerEventDefinition></bpmn:startEvent>"
        )
        return diagram(begin + job(job_type), f"s>{job_type}")

    harness = EngineHarness()
    harness.deploy(monthly("old"))
    harness.deploy(monthly("new"))

    harness.turn(days=31)
    harness.turn(days=31)

    assert (len(harness.fetch("old")), len(harness.fetch("new"))) == (0, 2)


def test_a_timer_in_the_past_fires_at_once() -> None:
    harness = EngineHarness()
    harness.deploy(diagram(start() + timer("t", "timeDate", "2020-01-01T00:00:00Z") + end(), "s>t t>e"))
    instance = harness.create("p")

    harness.turn()

    assert harness.history(instance)[-1] == ("p", "COMPLETED")


def test_a_refused_command_changes_nothing() -> None:
    harness = EngineHarness()
    harness.deploy(ONE_JOB)
    harness.create("one-job")
    key = harness.fetch("work")[0].job.key

    with pytest.raises(Rejection, match="positive amount"):
        harness.do(lambda execution: jobs.update_retries(execution, key, 0))

    harness.do(lambda execution: jobs.fail_job(execution, key, retries=3, backoff=0, text="", variables={}))
    assert harness.fetch("work")[0].job.retries == 3
