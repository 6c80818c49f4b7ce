"""`footage-desk policy coverage` reads the policy, the models and the tests' markers."""

from pathlib import Path

import pytest

from services.designers.policy_coverage import coverage
from services.runtime.places import ROOT


@pytest.mark.requirement("R1")
@pytest.mark.requirement("R62", verb="recorded")
def test_every_requirement_of_the_policy_is_listed_in_order() -> None:
    assert [one.number for one in coverage(ROOT)] == [f"R{n}" for n in range(1, 68)]


def test_a_requirement_is_found_in_models_and_markers(tmp_path: Path) -> None:
    (tmp_path / "bpmn").mkdir()
    (tmp_path / "docs").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "docs" / "policy.md").write_text("| R4 | 一 | 必要 | x | y | E |\n| R5 | 一 | 保密 | x | y | E |\n")
    (tmp_path / "bpmn" / "a.bpmn").write_text(
        '<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"><task id="Task_Ask">'
        "<documentation>Asks. Requirements: R4 R44</documentation></task></definitions>"
    )
    (tmp_path / "tests" / "test_asking.py").write_text('@pytest.mark.requirement("R4")\ndef test_it(): ...\n')

    necessity, confidentiality = coverage(tmp_path)

    assert (necessity.elements, necessity.tests) == (("Task_Ask",), ("asking",))
    assert (confidentiality.elements, confidentiality.tests) == ((), ())


def test_what_the_models_name_is_a_requirement_of_the_policy() -> None:
    listed = {one.number for one in coverage(ROOT)}
    drawn = {one.number for one in coverage(ROOT) if one.elements}

    assert drawn <= listed
    assert len(drawn) > 40
