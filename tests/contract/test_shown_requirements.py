"""docs/policy.md says no more than the tests show, and a marker that says more stops the run."""

from types import SimpleNamespace

import pytest
import requirement_marks

from services.designers.policy_coverage.coverage import (
    SHIPPED_COVERAGE,
    Coverage,
    read_coverage,
    read_elements,
    shipped_file,
)
from services.designers.policy_coverage.policy_page import read_policy
from services.runtime.places import ROOT

NUMBERS = [f"R{number}" for number in range(1, 68)]


@pytest.fixture(scope="module")
def found() -> Coverage:
    return read_coverage(ROOT)


def test_each_requirement_is_shown_as_the_page_says(found: Coverage) -> None:
    assert [one.row.number for one in found.requirements] == NUMBERS
    assert found.faults == ()


@pytest.mark.requirement("R62")
def test_the_portal_shows_the_coverage_of_this_release(found: Coverage) -> None:
    shipped = (ROOT / SHIPPED_COVERAGE).read_text(encoding="utf-8")

    assert shipped == shipped_file(found, ROOT), "run footage-desk policy coverage --write, and commit the file"


def test_what_the_models_name_is_a_requirement_of_the_policy() -> None:
    drawn = {number for number, elements in read_elements(ROOT / "bpmn").items() if elements}

    assert drawn <= set(read_policy(ROOT))
    assert len(drawn) > 40


def test_a_run_with_a_wrong_marker_is_stopped_and_each_is_named() -> None:
    def item(name: str, *numbers: str, **options: object) -> SimpleNamespace:
        mark = SimpleNamespace(args=numbers, kwargs=options)
        return SimpleNamespace(nodeid=f"tests/test_a.py::{name}", iter_markers=lambda _: [mark])

    right, wrong = item("right", "R41", refuses=True), [item("one[a]", "R68"), item("two", "R41", verb="done")]

    requirement_marks.pytest_collection_modifyitems([right])  # type: ignore[list-item]  # what is used of it
    with pytest.raises(pytest.UsageError) as stopped:
        requirement_marks.pytest_collection_modifyitems([right, *wrong])  # type: ignore[list-item]  # as above
    first, second = str(stopped.value).splitlines()
    assert first.startswith("tests/test_a.py::one: @pytest.mark.requirement: 'R68' is no requirement")
    assert second.startswith("tests/test_a.py::two: @pytest.mark.requirement: its verb is 'done'")
