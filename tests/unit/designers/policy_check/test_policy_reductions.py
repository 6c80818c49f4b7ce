"""What makes a walk small loses nothing: on small random processes it finds what the walk without it finds."""

from functools import partial
from pathlib import Path
from typing import Any

import amount
import pytest
from hypothesis import HealthCheck, assume, given, settings
from random_process import Process
from random_process_drawn import processes
from random_process_xml import diagram

from services.designers.policy_check import rules as rule_file
from services.designers.policy_check.explorer import Explorer, Walk
from services.designers.policy_check.in_memory import Simulation
from services.designers.policy_check.rules import Rules
from services.designers.policy_check.world import World
from services.engine.processing import instances
from services.engine.processing.deployments import Resource

_MOST_STATES = 1_500
_RULES = """
rules:
  - {id: order, requirements: R1, zh: 次序, en: order, never: "job j3 starts", before: "job j1 done"}
  - {id: after, requirements: R1, zh: 之后, en: after, never: "job j4 starts", after: "job j2 done"}
  - {id: balance, requirements: R1, zh: 成对, en: pairs, opens: "job j2 done", closes: "job j4 done"}
  - {id: comes, requirements: R1, zh: 会来, en: comes, after: "job j2 done", comes: "job j5 done"}
"""


class _Any(World):
    """Jobs that may choose among the branches of gateways, as they end."""

    def __init__(self, folder: Path, choices: dict[str, int]) -> None:
        super().__init__(folder, [], {}, 1)
        self._choices = sorted(choices)

    def outcomes(self, job_type: str) -> Any:
        # every other job has one way to end, and is run at once where no rule sees it
        if not self._choices or not job_type[1:].isdigit() or int(job_type[1:]) % 2:
            return [{}]
        name = self._choices[int(job_type[1:]) % len(self._choices)]
        return [{name: 0}, {name: 1}, {name: 1, "unread": "x"}]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("rules")
    (made / rule_file.NAME).write_text(_RULES, encoding="utf-8")
    return made


def _walk(process: Process, folder: Path, *, reduces: bool) -> Walk:
    world = _Any(folder, process.choices)
    return _walk_in(world, diagram(process), folder, {"k": "1", **process.choices}, reduces=reduces)


def _walk_in(world: World, model: bytes, folder: Path, variables: dict[str, Any], *, reduces: bool) -> Walk:
    rules = Rules(rule_file.read(folder / rule_file.NAME), ["item-1"])

    def begin(execution: Any) -> Any:
        return instances.create(execution, instances.find_definition(execution, 0, "p", -1), dict(variables))

    simulation = Simulation(
        [Resource("p.bpmn", model)],
        world,
        rules,
        reduces=reduces,
        begins=partial(begin),
    )
    return Explorer(simulation, rules, reduces=reduces, most_states=_MOST_STATES, seconds=20).explore()


@pytest.mark.slow
@given(process=processes(fuel=8))
@settings(
    max_examples=amount.examples(sample=15, full=400),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)
def test_a_reduced_walk_finds_what_the_whole_one_finds(process: Process, folder: Path) -> None:
    whole = _walk(process, folder, reduces=False)
    assume(whole.is_complete)

    reduced = _walk(process, folder, reduces=True)

    assert reduced.is_complete
    assert set(reduced.broken) == set(whole.broken)
    assert reduced.happened == whole.happened
    assert len(reduced.parents) <= len(whole.parents)


class _GivesGrade(World):
    """A job that always gives the same, which no expression reads, but a rule does."""

    def outcomes(self, job_type: str) -> Any:
        return [{"grade": 1}] if job_type == "grades" else [{}]


_GRADE_FIRST = """
rules:
  - {id: graded, requirements: R1, zh: 先评级, en: graded first, never: "job uses starts where grade = null"}
"""
_SIDE_BY_SIDE = """<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
    xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" targetNamespace="own"><bpmn:process id="p" isExecutable="true">
  <bpmn:startEvent id="start" /><bpmn:parallelGateway id="fork" /><bpmn:endEvent id="end" />
  <bpmn:serviceTask id="Grades"><bpmn:extensionElements><zeebe:taskDefinition type="grades" /></bpmn:extensionElements>
  </bpmn:serviceTask>
  <bpmn:serviceTask id="Before"><bpmn:extensionElements><zeebe:taskDefinition type="before" /></bpmn:extensionElements>
  </bpmn:serviceTask>
  <bpmn:serviceTask id="Uses"><bpmn:extensionElements><zeebe:taskDefinition type="uses" /></bpmn:extensionElements>
  </bpmn:serviceTask>
  <bpmn:serviceTask id="First"><bpmn:extensionElements><zeebe:taskDefinition type="first" /></bpmn:extensionElements>
  </bpmn:serviceTask>
  <bpmn:sequenceFlow id="f0" sourceRef="start" targetRef="First" />
  <bpmn:sequenceFlow id="f1" sourceRef="First" targetRef="fork" />
  <bpmn:sequenceFlow id="f2" sourceRef="fork" targetRef="Grades" />
  <bpmn:sequenceFlow id="f3" sourceRef="fork" targetRef="Before" />
  <bpmn:sequenceFlow id="f4" sourceRef="Before" targetRef="Uses" />
  <bpmn:sequenceFlow id="f5" sourceRef="Grades" targetRef="end" />
  <bpmn:sequenceFlow id="f6" sourceRef="Uses" targetRef="end" />
</bpmn:process></bpmn:definitions>"""


@pytest.mark.parametrize("reduces", [False, True])
def test_a_job_that_gives_what_a_rule_asks_for_is_not_run_ahead(reduces: bool, tmp_path: Path) -> None:
    (tmp_path / rule_file.NAME).write_text(_GRADE_FIRST, encoding="utf-8")
    world = _GivesGrade(tmp_path, [], {}, 1)

    walk = _walk_in(world, _SIDE_BY_SIDE.encode(), tmp_path, {"k": "1"}, reduces=reduces)

    assert [broken.rule.id for broken in walk.broken.values() if broken.rule is not None] == ["graded"]
