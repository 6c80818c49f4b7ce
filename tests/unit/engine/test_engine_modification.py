"""Going on at another place: what is opened, what ends, what is refused."""

import pytest
from bpmn_makers import diagram, end, job, start, timer
from engine_harness import EngineHarness

from services.engine.errors import Rejection, RejectionType
from services.engine.processing import incidents, instances, jobs
from services.engine.processing.modification import Activation, modify
from services.engine.state.instances import ProcessInstance

_SUB = (
    f'<bpmn:subProcess id="sub">{start("i")}{job("inner")}'
    '<bpmn:sequenceFlow id="f_i_inner" sourceRef="i" targetRef="inner" /></bpmn:subProcess>'
)
_EVENTS = (
    '<bpmn:eventBasedGateway id="g" />' + timer("t1", "timeDuration", "PT1H") + timer("t2", "timeDuration", "PT2H")
)


def _running() -> tuple[EngineHarness, ProcessInstance]:
    harness = EngineHarness()
    inside = start() + job("one") + _SUB + job("two") + '<bpmn:parallelGateway id="join" />' + _EVENTS + end()
    harness.deploy(diagram(inside, "s>one one>sub sub>two two>join sub>join join>g g>t1 g>t2 t1>e t2>e"))
    return harness, harness.create("p", x=1)


def _modify(harness: EngineHarness, instance: ProcessInstance, *activate: Activation, end_jobs: str = "") -> None:
    keys = [h.job.element_instance_key for h in harness.fetch(end_jobs)] if end_jobs else []
    harness.do(lambda execution: modify(execution, instance.key, list(activate), keys))


def test_a_scope_that_does_not_run_is_opened_around_the_element() -> None:
    harness, instance = _running()

    _modify(harness, instance, Activation("inner", variables=[("sub", {"y": 2}), ("", {"x": 3})]), end_jobs="one")

    (inner,) = harness.fetch("inner")
    assert inner.variables == {"x": 3, "y": 2}
    harness.complete(inner.job.key)
    assert len(harness.fetch("two")) == 1


def test_an_active_scope_is_used_for_an_activation() -> None:
    harness, instance = _running()
    harness.complete(harness.fetch("one")[0].job.key)

    _modify(harness, instance, Activation("inner"))

    assert harness.history(instance).count(("sub", "ACTIVATED")) == 1
    assert len(harness.fetch("inner")) == 2


def test_a_scope_ends_with_the_last_inside_it_and_so_does_the_instance() -> None:
    harness, instance = _running()
    harness.complete(harness.fetch("one")[0].job.key)

    _modify(harness, instance, end_jobs="inner")

    assert harness.history(instance)[-3:] == [("inner", "TERMINATED"), ("sub", "TERMINATED"), ("p", "TERMINATED")]


def test_a_join_is_entered_without_its_tokens() -> None:
    harness, instance = _running()

    _modify(harness, instance, Activation("join"), end_jobs="one")
    harness.turn(hours=1)

    assert harness.history(instance)[-1] == ("p", "COMPLETED")


@pytest.mark.parametrize(
    "activation",
    [
        Activation("nope"),
        Activation("s"),
        Activation("p"),
        Activation("t1"),
        Activation("two", ancestor=5),
        Activation("two", variables=[("one", {})]),
    ],
)
def test_what_cannot_be_followed_is_refused_and_nothing_is_done(activation: Activation) -> None:
    harness, instance = _running()
    before = harness.history(instance)

    with pytest.raises(Rejection) as refusal:
        harness.do(lambda execution: modify(execution, instance.key, [Activation("two"), activation], []))

    assert refusal.value.reason == RejectionType.INVALID_ARGUMENT
    assert harness.history(instance) == before


def test_what_is_refused_after_a_place_was_found_leaves_no_token() -> None:
    harness, instance = _running()
    _modify(harness, instance, Activation("sub"), Activation("sub"))

    with pytest.raises(Rejection, match="'sub' has several active instances"):
        _modify(harness, instance, Activation("two"), Activation("inner"))

    for task in ("one", "inner", "two"):
        for activated in harness.fetch(task):
            harness.complete(activated.job.key)
    harness.turn(hours=2)
    assert harness.history(instance)[-1] == ("p", "COMPLETED")


def test_a_rejection_that_changed_nothing_keeps_its_batch_together(caplog: pytest.LogCaptureFixture) -> None:
    harness, instance = _running()
    key = harness.fetch("one")[0].job.key
    harness.do(lambda execution: jobs.fail_job(execution, key, retries=0, backoff=0, text="", variables={}))
    [incident] = harness.store.incidents.all_open()

    batch = harness.core.apply(
        [
            lambda execution: modify(execution, instance.key, [Activation("nope")], []),
            lambda execution: incidents.resolve(execution, incident.key),
            lambda execution: modify(execution, instance.key, [Activation("two")], []),
        ]
    )

    assert [isinstance(answer, Rejection) for answer in batch.responses] == [True, True, False]
    assert len(harness.fetch("two")) == 1
    assert caplog.messages == []


def test_an_instance_begins_at_given_elements() -> None:
    harness, _ = _running()

    def create(*elements: str) -> None:
        harness.do(
            lambda execution: instances.create(
                execution, instances.find_definition(execution, 0, "p", -1), {"x": 7}, start_at=list(elements)
            )
        )

    create("inner", "two")

    assert [h.variables for h in harness.fetch("inner") + harness.fetch("two")] == [{"x": 7}, {"x": 7}]
    with pytest.raises(Rejection, match="'s' is a START_EVENT"):
        create("s")


def _looping(items: list[int]) -> tuple[EngineHarness, ProcessInstance]:
    """A loop of subprocesses, each with two tasks in a row."""
    flows = "".join(
        f'<bpmn:sequenceFlow id="f_{a}_{b}" sourceRef="{a}" targetRef="{b}" />'
        for a, b in (("i", "inner"), ("inner", "last"))
    )
    loop = (
        "<bpmn:multiInstanceLoopCharacteristics><bpmn:extensionElements>"
        '<zeebe:loopCharacteristics inputCollection="=items" inputElement="item" />'
        "</bpmn:extensionElements></bpmn:multiInstanceLoopCharacteristics>"
    )
    sub = f'<bpmn:subProcess id="sub">{loop}{start("i")}{job("inner")}{job("last")}{flows}</bpmn:subProcess>'
    harness = EngineHarness()
    harness.deploy(diagram(start() + sub + job("two"), "s>sub sub>two"))
    return harness, harness.create("p", items=items)


def test_an_element_in_a_loop_is_activated_in_the_instance_that_is_named() -> None:
    harness, instance = _looping([10, 20])
    jobs = harness.fetch("inner")
    second = instance.element_instances[jobs[1].job.element_instance_key].flow_scope_key

    harness.do(
        lambda execution: modify(
            execution, instance.key, [Activation("last", second)], [jobs[1].job.element_instance_key]
        )
    )

    (last,) = harness.fetch("last")
    assert last.variables["item"] == 20
    harness.complete(last.job.key)
    harness.complete(jobs[0].job.key)
    harness.complete(harness.fetch("last")[0].job.key)
    assert len(harness.fetch("two")) == 1


@pytest.mark.parametrize("items", [[], [10, 20]])
def test_an_element_in_a_loop_needs_one_instance_to_be_activated_in(items: list[int]) -> None:
    harness, instance = _looping(items)

    with pytest.raises(Rejection) as refusal:
        harness.do(lambda execution: modify(execution, instance.key, [Activation("last")], []))

    assert refusal.value.reason == RejectionType.INVALID_ARGUMENT
    assert harness.fetch("last") == []
