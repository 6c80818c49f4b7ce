"""Each part of the models bent in turn: the policy check finds it, or it is on the list of those that it lets pass.

``tests/process/mutants-that-pass.json`` has the list, each with the reason why it passes; docs/policy-mutants.md counts
them by kind.
"""

import json
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import amount
import pytest
from edited_models import with_one_mark
from kept_walks import keeping_walks
from model_mutants import Mutant, examine, mutants

from services.designers.policy_check.check import check
from services.designers.policy_check.report import Report
from services.runtime.jobs.worker import discover
from services.runtime.places import BPMN

ALL = list(mutants(BPMN))
PASSING: dict[str, dict[str, str]] = json.loads(
    Path(__file__).with_name("mutants-that-pass.json").read_text(encoding="utf-8")
)
_EVERY = 150
FOUND = ("lint", "broken", "undecided")


def _some() -> list[Mutant]:
    return ALL if amount.all_of_it() else [mutant for mutant in ALL if mutant.name not in PASSING][::_EVERY]


@cache
def _shipped(folder: Path) -> Report:
    return check(folder, discover())


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = Path(shutil.copytree(BPMN, tmp_path_factory.mktemp("mutants") / "shipped"))
    with_one_mark(folder)
    with keeping_walks():
        if amount.all_of_it():
            _shipped(folder)  # so that its walks are those that are kept
        yield folder


@pytest.mark.parametrize("mutant", _some(), ids=str)
def test_a_bent_part_of_the_models_is_found_or_known_to_pass(mutant: Mutant, models: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(models, tmp_path / "bent"))
    mutant.apply(folder)

    said = examine(folder, list(discover()), lambda: _shipped(models))

    if mutant.name in PASSING:
        assert said == PASSING[mutant.name]["result"]
    else:
        assert said.partition(":")[0] in FOUND


def test_the_list_of_those_that_pass_names_mutants_that_there_are() -> None:
    assert set(PASSING) <= {mutant.name for mutant in ALL}
    assert {entry["result"] for entry in PASSING.values()} <= {"equal", "survived"}
    assert all(entry["why"] for entry in PASSING.values())
