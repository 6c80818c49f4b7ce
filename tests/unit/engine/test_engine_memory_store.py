"""The state in memory does what the state in the file does, and a fork of it changes apart."""

from pathlib import Path
from typing import Any
from unittest.mock import patch

import amount
import pytest
from golden_scenario import Scenario, TurnableClock

from services.engine.processing import instances, jobs
from services.engine.processing.command_processor import CommandProcessor
from services.engine.processing.deployments import Resource, deploy
from services.engine.state import store
from services.engine.state.memory import MemoryStore

GOLDEN = Path(__file__).parents[2] / "process" / "golden"
FOLDERS = sorted(path.parent.name for path in GOLDEN.glob("*/scenario.json"))
_ONE_TASK = b"""<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0"
  id="d" targetNamespace="http://example/bpmn">
  <bpmn:process id="p" isExecutable="true">
    <bpmn:startEvent id="start"><bpmn:outgoing>f1</bpmn:outgoing></bpmn:startEvent>
    <bpmn:serviceTask id="task"><bpmn:extensionElements><zeebe:taskDefinition type="work" /></bpmn:extensionElements>
      <bpmn:incoming>f1</bpmn:incoming><bpmn:outgoing>f2</bpmn:outgoing></bpmn:serviceTask>
    <bpmn:endEvent id="end"><bpmn:incoming>f2</bpmn:incoming></bpmn:endEvent>
    <bpmn:sequenceFlow id="f1" sourceRef="start" targetRef="task" />
    <bpmn:sequenceFlow id="f2" sourceRef="task" targetRef="end" />
  </bpmn:process>
</bpmn:definitions>"""


def _records(scenario: Scenario) -> list[Any]:
    return [(step, r.position, r.key, r.value_type, r.intent, r.value) for step, r in scenario.records or []]


@pytest.mark.parametrize("name", FOLDERS if amount.all_of_it() else FOLDERS[::4])
def test_each_scenario_gives_the_same_records_in_memory_as_in_the_file(name: str) -> None:
    with patch.object(store, "_choose_first_key", lambda: 2**51):
        in_file = Scenario(GOLDEN / name)
    in_memory = Scenario(GOLDEN / name, make_store=MemoryStore)

    answers = in_file.run(), in_memory.run()

    assert answers[0] == answers[1]
    assert _records(in_memory) == _records(in_file)


def _with_open_job() -> tuple[MemoryStore, int]:
    memory = MemoryStore()
    core = CommandProcessor(memory, TurnableClock())
    core.apply([lambda execution: deploy(execution, [Resource("p.bpmn", _ONE_TASK)])])
    core.apply([lambda e: instances.create(e, instances.find_definition(e, 0, "p", -1), {"count": 1})])
    [key] = memory.state.jobs
    return memory, key


def test_a_fork_goes_on_without_changing_what_it_was_made_of() -> None:
    memory, key = _with_open_job()
    fork = memory.fork()

    CommandProcessor(fork, TurnableClock()).apply([lambda e: jobs.complete_job(e, key, {"count": 2})])

    assert not fork.state.instances
    assert list(memory.state.jobs) == [key]
    [instance] = memory.state.instances.values()
    assert instance.root.variables == {"count": 1}


def test_a_state_that_is_kept_can_be_gone_on_from_in_several_ways() -> None:
    memory, key = _with_open_job()
    kept = memory.state
    core = CommandProcessor(memory, TurnableClock())

    core.apply([lambda e: jobs.fail_job(e, key, retries=0, backoff=0, text="no", variables={})])
    failed = memory.state
    memory.state = kept
    core.apply([lambda e: jobs.complete_job(e, key, {})])

    assert [incident.job_key for incident in failed.incidents.values()] == [key]
    assert not memory.state.instances
    assert kept.jobs[key].state == "ACTIVATABLE"


def test_a_command_that_fails_half_way_leaves_the_state_as_it_was() -> None:
    memory, key = _with_open_job()
    before = memory.state

    def fails(execution: Any) -> None:
        jobs.complete_job(execution, key, {})
        raise RuntimeError("half way")

    CommandProcessor(memory, TurnableClock()).apply([fails])

    assert memory.state is before
    assert list(before.jobs) == [key]
