"""Deploying several files: which ids may come twice, and what makes a new version."""

import pytest
from bpmn_makers import ONE_JOB, diagram, job, start
from engine_harness import EngineHarness

from services.engine.errors import Rejection, RejectionType
from services.engine.processing.deployments import Deployed, Resource, delete, deploy


def _dmn(requirements: str, decision: str, value: int) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" id="{requirements}" name="r" namespace="n">'
        f'<decision id="{decision}" name="d"><literalExpression><text>{value}</text></literalExpression></decision>'
        "</definitions>"
    ).encode()


def _deploy(harness: EngineHarness, *files: tuple[str, bytes]) -> Deployed:
    deployed: Deployed = harness.do(
        lambda execution: deploy(execution, [Resource(name, content) for name, content in files])
    )
    return deployed


def _version(deployed: Deployed) -> int:
    return deployed.decisions[0].decisions[0].version


@pytest.mark.parametrize("second", [_dmn("r1", "other", 1), _dmn("r2", "d", 1)])
def test_an_id_comes_once_in_a_deployment(second: bytes) -> None:
    harness = EngineHarness()

    with pytest.raises(Rejection) as refusal:
        _deploy(harness, ("a.dmn", _dmn("r1", "d", 1)), ("b.dmn", second))

    assert refusal.value.reason == RejectionType.INVALID_ARGUMENT
    assert "is in 'a.dmn' and in 'b.dmn'" in str(refusal.value)


def test_a_file_is_a_new_version_once_another_has_had_its_decision() -> None:
    harness = EngineHarness()
    first, other = ("a.dmn", _dmn("r1", "d", 1)), ("b.dmn", _dmn("r2", "d", 2))

    assert [_version(_deploy(harness, file)) for file in (first, first, other, first)] == [1, 1, 2, 3]


def test_a_deleted_version_gives_way_to_the_one_before_and_its_number_is_not_used_again() -> None:
    harness = EngineHarness()
    _deploy(harness, ("a.dmn", _dmn("r1", "d", 1)))
    newer = _deploy(harness, ("a.dmn", _dmn("r1", "d", 2)))

    harness.do(lambda execution: delete(execution, newer.decisions[0].requirements.key))

    assert _version(_deploy(harness, ("a.dmn", _dmn("r1", "d", 1)))) == 1
    assert _version(_deploy(harness, ("a.dmn", _dmn("r1", "d", 2)))) == 3


@pytest.mark.parametrize(("binding", "versions"), [("latest", [1, 2, 1]), ("deployment", [2, 2, 2])])
def test_what_is_unchanged_keeps_its_version_unless_the_files_are_bound_to_each_other(
    binding: str, versions: list[int]
) -> None:
    called = f'<zeebe:calledElement processId="one-job" bindingType="{binding}" />'
    call = f'<bpmn:callActivity id="c"><bpmn:extensionElements>{called}</bpmn:extensionElements></bpmn:callActivity>'
    caller = ("caller.bpmn", diagram(start() + call, "s>c", process_id="caller"))
    changed = diagram(start() + job("other"), "s>other", process_id="one-job")
    table = ("a.dmn", _dmn("r1", "d", 1))
    harness = EngineHarness()
    _deploy(harness, caller, ("called.bpmn", ONE_JOB), table)

    deployed = _deploy(harness, caller, ("called.bpmn", changed), table)

    assert [process.version for process in deployed.processes] + [_version(deployed)] == versions


@pytest.mark.parametrize("name", ["a.bpmn", "a.bpmn20.xml", "a.xml"])
def test_a_diagram_is_known_by_its_name(name: str) -> None:
    assert [process.bpmn_process_id for process in _deploy(EngineHarness(), (name, ONE_JOB)).processes] == ["one-job"]


@pytest.mark.parametrize("name", ["a.form", "a.txt", "bpmn"])
def test_another_file_is_refused(name: str) -> None:
    with pytest.raises(Rejection, match="is neither"):
        _deploy(EngineHarness(), (name, ONE_JOB))
