"""A run of all process tests fails where none of them has visited an element, whatever process they ran in."""

from pathlib import Path
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


def test_no_flow_out_of_an_event_based_gateway_is_waited_for() -> None:
    elements = {element for process, element in drawn() if process == "urgent-retrieval"}
    assert "Gateway_AwaitApproval" in elements
    assert elements.isdisjoint({"Flow_AwaitApproval", "Flow_AwaitRefusal", "Flow_AwaitLimit"})


@pytest.mark.parametrize(("records", "counts"), [("records.jsonl", True), ("", False)])
def test_on_a_broker_the_tests_that_run_there_count_where_it_writes_records(
    records: str, counts: bool, visits: Visits, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = {"ADDRESS": "127.0.0.1:26500", "CLOCK": "http://127.0.0.1:9600/actuator/clock", "RECORDS": records}
    for name, value in variables.items():
        monkeypatch.setenv(f"ZEEBE_{name}", value)
    there = [found(path) for path in visited_elements.PROCESS_TESTS.glob("test_*.py")]
    visits.pytest_deselected([item for item in there if not item.get_closest_marker("zeebe")])

    session = SimpleNamespace(items=[item for item in there if item.get_closest_marker("zeebe")])
    visits.pytest_collection_finish(session)  # type: ignore[arg-type]

    assert bool(visits.asked_for) is counts
    assert any("test_maintenance_at_work" in one for one in visits.asked_for) is counts


def found(path: Path) -> Any:
    """A test of a file, which carries the marker where any of the file does."""
    marker = "mark.zeebe" in path.read_text(encoding="utf-8") or None
    return SimpleNamespace(path=path, nodeid=path.name, get_closest_marker=lambda _name: marker)
