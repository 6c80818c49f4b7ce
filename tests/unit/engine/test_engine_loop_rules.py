"""Multi-instance and call activities: what happens when collections or variables change under way."""

from typing import Any

import pytest
from bpmn_makers import diagram, job, start
from engine_harness import EngineHarness

from services.engine.processing import incidents, instances, modification
from services.engine.processing.elements import multi_instance
from services.engine.processing.variables import evaluate


def _loop(attributes: str, more: str = "", *, sequential: bool = True) -> str:
    """A task of which one instance runs for each of ``items``."""
    flag = 'isSequential="true"' if sequential else ""
    loop = f'<zeebe:loopCharacteristics inputCollection="=items" {attributes} />'
    return (
        '<bpmn:serviceTask id="work"><bpmn:extensionElements><zeebe:taskDefinition type="work" />'
        f"</bpmn:extensionElements><bpmn:multiInstanceLoopCharacteristics {flag}><bpmn:extensionElements>{loop}"
        f"</bpmn:extensionElements>{more}</bpmn:multiInstanceLoopCharacteristics></bpmn:serviceTask>"
    )


def _resolve(harness: EngineHarness, instance_key: int, **variables: object) -> None:
    harness.do(lambda execution: instances.set_variables(execution, instance_key, variables, local=False))
    harness.do(lambda execution: incidents.resolve(execution, execution.store.incidents.all_open()[0].key))


def _finish(harness: EngineHarness) -> int:
    """Complete every job of type work; returns how many there were."""
    done = 0
    while fetched := harness.fetch("work"):
        for activated in fetched:
            harness.complete(activated.job.key)
            done += 1
    return done


@pytest.mark.parametrize("wrong", [None, "text", {"a": 1}, 3])
@pytest.mark.parametrize("sequential", [True, False])
def test_a_collection_that_is_none_is_an_incident_until_it_is_one(wrong: object, *, sequential: bool) -> None:
    harness = EngineHarness()
    harness.deploy(diagram(start() + _loop("", sequential=sequential), "s>work"))
    instance = harness.create("p", items=wrong)
    assert harness.open_incidents() == [("work", "EXTRACT_VALUE_ERROR")]

    _resolve(harness, instance.key, items=[1, 2])

    assert _finish(harness) == 2
    assert harness.history(instance)[-1] == ("p", "COMPLETED")


def test_a_collection_that_is_lost_under_way_stops_a_sequential_loop_until_there_is_one() -> None:
    harness = EngineHarness()
    harness.deploy(diagram(start() + _loop(""), "s>work"))
    instance = harness.create("p", items=[1, 2])

    harness.do(lambda execution: instances.set_variables(execution, instance.key, {"items": "gone"}, local=False))
    harness.complete(harness.fetch("work")[0].job.key)
    assert harness.open_incidents() == [("work", "EXTRACT_VALUE_ERROR")]
    _resolve(harness, instance.key, items=[1, 2])
    _finish(harness)

    assert harness.open_incidents() == []
    assert harness.history(instance)[-1] == ("p", "COMPLETED")


def test_a_parallel_loop_has_begun_all_and_needs_its_collection_no_more() -> None:
    harness = EngineHarness()
    harness.deploy(diagram(start() + _loop("", sequential=False), "s>work"))
    instance = harness.create("p", items=[1, 2])

    harness.do(lambda execution: instances.set_variables(execution, instance.key, {"items": "gone"}, local=False))

    assert _finish(harness) == 2
    assert harness.history(instance)[-1] == ("p", "COMPLETED")


def test_a_sequential_loop_reads_the_current_collection() -> None:
    harness = EngineHarness()
    harness.deploy(diagram(start() + _loop(""), "s>work"))
    instance = harness.create("p", items=[1])

    harness.complete(harness.fetch("work")[0].job.key, items=[1, 2, 3])

    assert _finish(harness) == 2
    assert harness.history(instance)[-1] == ("p", "COMPLETED")


@pytest.mark.parametrize(("collection", "times"), [("items", 0), ("[0, 1, 2, 3]", 5)])
def test_a_sequential_loop_computes_its_collection_once_an_item_and_never_converts_a_variable_whole(
    collection: str, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed = 0

    def counting(*given: Any, **more: Any) -> Any:
        nonlocal computed
        computed += 1
        return evaluate(*given, **more)

    monkeypatch.setattr(multi_instance, "evaluate", counting)
    harness = EngineHarness()
    harness.deploy(diagram(start() + _loop('inputElement="item"').replace("=items", f"={collection}"), "s>work"))

    harness.create("p", items=[0, 1, 2, 3])

    assert (_finish(harness), computed) == (4, times)


@pytest.mark.parametrize("sequential", [True, False])
def test_an_item_is_what_the_expression_language_makes_of_it(*, sequential: bool) -> None:
    harness = EngineHarness()
    harness.deploy(diagram(start() + _loop('inputElement="item"', sequential=sequential), "s>work"))

    harness.create("p", items=[{"n": 1.0}])

    assert repr(harness.fetch("work")[0].variables["item"]) == "{'n': 1}"


def test_an_output_element_that_is_a_property_keeps_its_variable_local() -> None:
    harness = EngineHarness()
    harness.deploy(
        diagram(start() + _loop('outputCollection="all" outputElement="=result.n"') + job("after"), "s>work work>after")
    )
    harness.create("p", items=[1, 2])

    for n in (1, 2):
        (activated,) = harness.fetch("work")
        assert activated.variables["result"] is None
        harness.complete(activated.job.key, result={"n": n})

    assert harness.fetch("after")[0].variables == {"items": [1, 2], "all": [1, 2]}


def test_a_completion_condition_that_is_no_expression_is_an_incident() -> None:
    harness = EngineHarness()
    harness.deploy(diagram(start() + _loop("", "<bpmn:completionCondition>done</bpmn:completionCondition>"), "s>work"))
    harness.create("p", items=[1])

    harness.complete(harness.fetch("work")[0].job.key)

    assert harness.open_incidents() == [("work", "EXTRACT_VALUE_ERROR")]


def test_a_completion_condition_that_is_no_boolean_is_an_incident_and_can_be_resumed() -> None:
    condition = "<bpmn:completionCondition>=done</bpmn:completionCondition>"
    harness = EngineHarness()
    harness.deploy(diagram(start() + _loop("", condition), "s>work"))
    instance = harness.create("p", items=[1, 2, 3])

    harness.complete(harness.fetch("work")[0].job.key)
    assert harness.open_incidents() == [("work", "EXTRACT_VALUE_ERROR")]
    _resolve(harness, instance.key, done=True)

    assert harness.history(instance)[-1] == ("p", "COMPLETED")


@pytest.mark.parametrize(
    ("mapping", "variables"),
    [
        ("", {}),
        ('<zeebe:ioMapping><zeebe:input source="=x" target="y" /></zeebe:ioMapping>', {"y": 1, "loopCounter": 1}),
    ],
)
def test_without_parent_variables_a_called_process_gets_what_is_mapped(
    mapping: str, variables: dict[str, object]
) -> None:
    call = (
        '<bpmn:callActivity id="c"><bpmn:extensionElements>'
        f'<zeebe:calledElement processId="called" propagateAllParentVariables="false" />{mapping}'
        "</bpmn:extensionElements><bpmn:multiInstanceLoopCharacteristics><bpmn:extensionElements>"
        '<zeebe:loopCharacteristics inputCollection="=[1]" /></bpmn:extensionElements>'
        "</bpmn:multiInstanceLoopCharacteristics></bpmn:callActivity>"
    )
    harness = EngineHarness()
    harness.deploy(diagram(start() + job("work"), "s>work", process_id="called"), diagram(start() + call, "s>c"))
    harness.create("p", x=1)

    assert harness.fetch("work")[0].variables == variables


def test_an_empty_job_type_is_an_incident() -> None:
    harness = EngineHarness()
    harness.deploy(diagram(start() + job("work", "=kind"), "s>work"))
    instance = harness.create("p", kind="")
    assert harness.open_incidents() == [("work", "EXTRACT_VALUE_ERROR")]

    _resolve(harness, instance.key, kind="work")

    assert _finish(harness) == 1


@pytest.mark.parametrize(("sequential", "jobs"), [(True, 1), (False, 3)])
def test_the_number_of_instances_is_that_of_those_begun(*, sequential: bool, jobs: int) -> None:
    condition = (
        "<bpmn:completionCondition>=numberOfInstances = 1 or numberOfCompletedInstances = 3</bpmn:completionCondition>"
    )
    harness = EngineHarness()
    harness.deploy(diagram(start() + _loop("", condition, sequential=sequential), "s>work"))
    instance = harness.create("p", items=[1, 2, 3])

    assert _finish(harness) == jobs
    assert harness.history(instance)[-1] == ("p", "COMPLETED")


@pytest.mark.parametrize("spoilt", ["text", {"a": 1, "b": 2}, [], None])
def test_an_output_collection_that_is_spoilt_under_way_is_an_incident(spoilt: object) -> None:
    harness = EngineHarness()
    harness.deploy(diagram(start() + _loop('outputCollection="all" outputElement="=1"'), "s>work"))
    instance = harness.create("p", items=[1, 2])
    body = next(node for node in instance.element_instances.values() if node.element_type == "MULTI_INSTANCE_BODY")

    harness.do(lambda execution: instances.set_variables(execution, body.key, {"all": spoilt}, local=True))
    harness.complete(harness.fetch("work")[0].job.key)

    assert harness.open_incidents() == [("work", "EXTRACT_VALUE_ERROR")]


def test_an_instance_that_was_terminated_by_hand_is_counted() -> None:
    condition = "<bpmn:completionCondition>=numberOfTerminatedInstances = 1</bpmn:completionCondition>"
    harness = EngineHarness()
    harness.deploy(diagram(start() + _loop("", condition, sequential=False), "s>work"))
    instance = harness.create("p", items=[1, 2, 3])
    first, second, _ = harness.fetch("work")

    harness.do(lambda execution: modification.modify(execution, instance.key, [], [first.job.element_instance_key]))
    harness.complete(second.job.key)

    assert harness.history(instance)[-1] == ("p", "COMPLETED")


@pytest.mark.parametrize("sequential", [True, False])
def test_a_loop_that_collects_into_its_own_collection_sees_only_nulls(*, sequential: bool) -> None:
    harness = EngineHarness()
    loop = _loop('inputElement="item" outputCollection="items" outputElement="=loopCounter"', sequential=sequential)
    harness.deploy(diagram(start() + loop + job("after"), "s>work work>after"))
    harness.create("p", items=["a", "b"])

    seen = []
    while fetched := harness.fetch("work"):
        seen += [activated.variables["item"] for activated in fetched]
        for activated in fetched:
            harness.complete(activated.job.key)

    assert seen == [None, None]
    assert harness.fetch("after")[0].variables == {"items": [1, 2]}
