"""The writer's core: what is applied together, what a broken command does, and what is left of finished instances."""

import sqlite3

import pytest
from bpmn_makers import ONE_JOB, diagram, end, job, message, message_catch, start, timer
from engine_harness import EngineHarness
from sqlalchemy import func, select

from services.engine.clock import to_millis
from services.engine.errors import Rejection
from services.engine.processing import incidents, instances, jobs, messages
from services.engine.processing.execution import Execution
from services.engine.state import tables

LIVE = (
    tables.process_instances,
    tables.element_instances,
    tables.jobs,
    tables.timers,
    tables.message_subscriptions,
    tables.signal_subscriptions,
    tables.incidents,
    tables.message_start_locks,
)


def _rows(harness: EngineHarness) -> dict[str, int]:
    connection = harness.store._connection
    counted = {t.name: connection.execute(select(func.count()).select_from(t)).scalar_one() for t in LIVE}
    connection.rollback()
    return {name: count for name, count in counted.items() if count}


def test_a_finished_instance_leaves_the_live_tables() -> None:
    waits = start() + timer("t", "timeDuration", "PT1H") + message_catch("m", "M") + end()
    harness = EngineHarness()
    harness.deploy(ONE_JOB, diagram(waits, "s>t s>m t>e m>e", process_id="waits", before=message("M", "m", "=k")))
    harness.create("one-job")
    harness.create("waits", k="1")
    assert _rows(harness)["process_instances"] == 2

    harness.complete(harness.fetch("work")[0].job.key)
    harness.turn(hours=2)
    harness.do(lambda execution: messages.publish(execution, "m", "1", ttl=0, message_id="", variables={}))

    assert _rows(harness) == {}


def test_a_broken_command_fails_alone_and_leaves_nothing(caplog: pytest.LogCaptureFixture) -> None:
    harness = EngineHarness()
    harness.deploy(ONE_JOB)

    def publish(execution: Execution) -> int:
        return messages.publish(execution, "m", "k", ttl=60_000, message_id="same", variables={})

    def broken(execution: Execution) -> int:
        publish(execution)
        raise ZeroDivisionError("a bug")

    batch = harness.core.apply([lambda execution: execution.store.next_key(), broken, publish])

    assert [type(answer) for answer in batch.responses] == [int, Rejection, int]
    assert batch.responses[1].reason == "INTERNAL"
    assert "ZeroDivisionError" in caplog.text
    assert len({r.position for r in batch.records}) == len(batch.records)


_ENDLESS = '<bpmn:exclusiveGateway id="a" /><bpmn:exclusiveGateway id="b" />'


def test_a_process_that_loops_for_ever_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.engine.processing.command_processor.MAX_STEPS", 200)
    harness = EngineHarness()
    harness.deploy(diagram(start() + _ENDLESS, "s>a a>b b>a"))

    with pytest.raises(Rejection, match="endless loop"):
        harness.create("p")

    assert _rows(harness) == {}


def test_a_timer_whose_process_fails_is_postponed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.engine.processing.command_processor.MAX_STEPS", 200)
    harness = EngineHarness()
    harness.deploy(diagram(start() + timer("t", "timeDuration", "PT1H") + _ENDLESS, "s>t t>a a>b b>a"))
    harness.create("p")
    harness.clock.turn(hours=2)

    (answer,) = harness.core.apply_due().responses

    assert isinstance(answer, Rejection)
    next_due = harness.core.next_due()
    assert next_due is not None
    assert next_due > to_millis(harness.clock.now())
    assert not harness.core.apply_due().responses


def test_a_timer_that_cannot_be_postponed_blocks_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.engine.processing.command_processor.MAX_STEPS", 200)
    harness = EngineHarness()
    breaks = start() + timer("t", "timeDuration", "PT1H") + _ENDLESS
    goes = start("s") + timer("t", "timeDuration", "PT1H") + job("after")
    harness.deploy(diagram(breaks, "s>t t>a a>b b>a"), diagram(goes, "s>t t>after", process_id="goes"))
    harness.create("p")
    harness.create("goes")
    harness.clock.turn(hours=2)

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as while_full:
        while_full.setattr(harness.store.timers, "postpone", full)
        batch = harness.core.apply_due()

    assert (batch.write_failures, dict(batch.available_jobs)) == (1, {"after": 1})
    assert len(harness.fetch("after")) == 1
    harness.core.apply_due()
    assert not harness.core.apply_due().responses


def test_records_are_kept_for_a_while_and_then_go() -> None:
    harness = EngineHarness()
    harness.deploy(ONE_JOB)
    old = harness.create("one-job")
    harness.complete(harness.fetch("work")[0].job.key)
    harness.turn(days=40)
    new = harness.create("one-job")

    harness.core.prune_records(to_millis(harness.clock.now()) - 30 * 86_400_000)

    assert harness.history(old) == []
    assert ("work", "ACTIVATED") in harness.history(new)


def test_nothing_of_a_refused_deployment_stays() -> None:
    harness = EngineHarness()

    with pytest.raises(Rejection, match="complexGateway"):
        harness.deploy(ONE_JOB, diagram(start() + '<bpmn:complexGateway id="g" />'))

    with pytest.raises(Rejection, match="none found"):
        harness.create("one-job")


def test_what_is_deployed_together_is_called_together() -> None:
    call = (
        '<bpmn:callActivity id="c"><bpmn:extensionElements>'
        '<zeebe:calledElement processId="one-job" bindingType="deployment" />'
        "</bpmn:extensionElements></bpmn:callActivity>"
    )
    caller = diagram(start() + call, "s>c", process_id="caller")
    harness = EngineHarness()
    harness.deploy(caller, ONE_JOB)
    harness.deploy(diagram(start() + job("other"), "s>other", process_id="one-job"))

    harness.create("caller")

    assert len(harness.fetch("work")) == 1
    assert harness.fetch("other") == []


def test_a_loop_through_a_fork_counts_its_tokens() -> None:
    gateways = (
        '<bpmn:exclusiveGateway id="m" /><bpmn:parallelGateway id="f" /><bpmn:parallelGateway id="j" />'
        '<bpmn:exclusiveGateway id="x" default="out" />'
    )
    flows = (
        '<bpmn:sequenceFlow id="out" sourceRef="x" targetRef="e" />'
        '<bpmn:sequenceFlow id="back" sourceRef="x" targetRef="m">'
        "<bpmn:conditionExpression>=again</bpmn:conditionExpression></bpmn:sequenceFlow>"
    )
    harness = EngineHarness()
    harness.deploy(diagram(start() + job("a") + job("b") + end() + gateways + flows, "s>m m>f f>a f>b a>j b>j j>x"))
    instance = harness.create("p", again=True)

    for again in (True, False):
        harness.complete(harness.fetch("a")[0].job.key)
        harness.complete(harness.fetch("b")[0].job.key, again=again)

    assert harness.history(instance).count(("j", "COMPLETED")) == 2
    assert _rows(harness) == {}


def test_many_jobs_of_one_answer_stay_below_the_size_grpc_takes() -> None:
    harness = EngineHarness()
    harness.deploy(ONE_JOB)
    for _ in range(5):
        harness.create("one-job", text="x" * 400_000)

    assert [len(harness.fetch("work")) for _ in range(3)] == [2, 2, 1]


def test_an_answer_with_many_small_jobs_counts_their_keys_and_names_too() -> None:
    harness = EngineHarness()
    harness.deploy(ONE_JOB)
    for _ in range(4):
        harness.create("one-job")

    found = harness.do(
        lambda execution: jobs.activate_jobs(
            execution, "work", worker="w", timeout=1, max_jobs=9, fetch_variables=[], max_bytes=300
        )
    )

    assert len(found) == 2


def test_a_job_that_no_message_can_hold_is_an_incident_and_others_come_by() -> None:
    harness = EngineHarness()
    harness.deploy(ONE_JOB)
    large, small = harness.create("one-job", text="x" * 4_200_000), harness.create("one-job", text="x")

    assert [h.job.process_instance_key for h in harness.fetch("work")] == [small.key]
    assert harness.open_incidents() == [("work", "MESSAGE_SIZE_EXCEEDED")]

    harness.do(lambda execution: instances.set_variables(execution, large.key, {"text": "y"}, local=False))
    harness.do(lambda execution: incidents.resolve(execution, execution.store.incidents.all_open()[0].key))

    assert [h.variables for h in harness.fetch("work")] == [{"text": "y"}]
