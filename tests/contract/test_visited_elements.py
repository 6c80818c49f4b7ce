"""A run of all process tests fails where none of them has visited an element, whatever process they ran in."""

from types import SimpleNamespace
from typing import Any

import pytest
import visited_elements
from visited_elements import TOLD, Visits, drawn

SEEN = [(*one, 1) for one in drawn()]


def ended(visits: Visits) -> Any:
    """How a run without a failed test ends, in the process that the others have told."""
    session = SimpleNamespace(config=SimpleNamespace(), exitstatus=pytest.ExitCode.OK)
    visits.pytest_sessionfinish(session)  # type: ignore[arg-type]
    return session.exitstatus


@pytest.fixture
def visits(monkeypatch: pytest.MonkeyPatch) -> Visits:
    """Of two tests that both ran."""
    monkeypatch.setattr(visited_elements, "VISITED", {})
    visits = Visits()
    visits.ran = {"one", "two"}
    return visits


def tell(visits: Visits, seen: list[tuple[str, str, int]]) -> None:
    visits.pytest_testnodedown(SimpleNamespace(workeroutput={TOLD: (["one", "two"], seen)}))


def test_every_flow_node_and_sequence_flow_is_counted() -> None:
    assert len(SEEN) == len(set(SEEN)) > 150
    assert {process for process, *_ in SEEN} == {
        "video-retrieval",
        "review",
        "matter",
        "problem-report",
        "violation",
        "urgent-retrieval",
        "inspection",
        "work-order",
        "maintenance",
    }


def test_what_two_processes_have_seen_together_is_enough(visits: Visits) -> None:
    tell(visits, SEEN[:100])
    tell(visits, SEEN[100:])
    assert ended(visits) == pytest.ExitCode.OK


def test_an_element_that_nobody_has_seen_fails_the_run_and_is_named(visits: Visits) -> None:
    tell(visits, SEEN[1:])
    assert ended(visits) == pytest.ExitCode.TESTS_FAILED
    assert visits.missing == drawn()[:1]


def test_a_run_that_was_broken_off_is_not_judged(visits: Visits) -> None:
    tell(visits, [])
    visits.ran = {"one"}
    assert ended(visits) == pytest.ExitCode.OK


def test_a_run_of_other_tests_is_not_judged(visits: Visits) -> None:
    assert ended(visits) == pytest.ExitCode.OK
