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
    rules = Rules(rule_file.read(folder / rule_file.NAME), ["item-1"])
    variables = {"k": "1", **process.choices}

    def begin(execution: Any) -> Any:
        return instances.create(execution, instances.find_definition(execution, 0, "p", -1), dict(variables))

    simulation = Simulation(
        [Resource("p.bpmn", diagram(process))],
        _Any(folder, process.choices),
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
