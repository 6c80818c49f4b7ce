"""A pytest plugin: a run of all process tests fails where they leave an element of a model unvisited.

On a broker elsewhere that is a run of all that carry the marker ``zeebe``, where it writes a file of records.

Checked when the run ends, for its tests may be spread over processes: each tells the first one what it has seen.
"""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

# (process id, element id) of everything that any trace of this process has seen.
VISITED: Counter[tuple[str, str]] = Counter()

PROCESS_TESTS = Path(__file__).parents[1] / "process"
OTHERS = (  # no traces of theirs are kept
    "test_golden_scenarios.py",
    "test_golden_differences.py",
    "test_golden_on_broker.py",
    "test_paths_on_broker.py",
    "test_kill_points.py",
    "test_kill_points_withdrawn.py",
    "test_engine_apart.py",
)
TOLD = "visited elements"
BPMN = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
NODES = ("startEvent", "endEvent", "boundaryEvent", "intermediateCatchEvent", "intermediateThrowEvent")
KINDS = ("Task", "Gateway", "callActivity", "subProcess", "task")


class Visits:
    """What one run asks for and sees."""

    def __init__(self) -> None:
        self.asked_for: set[str] = set()  # the ids of the process tests; empty where some are left out
        self.left_out = False
        self.ran: set[str] = set()
        self.seen: Counter[tuple[str, str]] = Counter()
        self.missing: list[tuple[str, str]] = []

    @pytest.hookimpl
    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        self.left_out = self.left_out or any(_is_counted(item) for item in items)

    @pytest.hookimpl
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        counted = [item for item in session.items if _is_counted(item)]
        files = {path.name for path in PROCESS_TESTS.glob("test_*.py") if _has_counted(path)}
        tells_nothing = _on_broker() and not os.environ.get("ZEEBE_RECORDS")
        if not (self.left_out or tells_nothing or files - {item.path.name for item in counted}):
            self.asked_for = {item.nodeid for item in counted}

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "teardown":
            self.ran.add(report.nodeid)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take what a process of a parallel run (pytest-xdist) tells when it has ended."""
        asked_for, seen = getattr(node, "workeroutput", {}).get(TOLD, ((), ()))
        self.asked_for.update(asked_for)
        self.seen.update({(process, element): times for process, element, times in seen})

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        told = getattr(session.config, "workeroutput", None)
        if told is not None:
            told[TOLD] = (sorted(self.asked_for), [(*of, times) for of, times in VISITED.items()])
            return
        self.seen.update(VISITED)
        if self.asked_for and self.asked_for <= self.ran:
            self.missing = [one for one in drawn() if not self.seen[one]]
            if self.missing and session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self.asked_for:
            return
        terminalreporter.section(TOLD)
        if not self.asked_for <= self.ran:
            terminalreporter.write_line("not counted: not all process tests ran")
            return
        elements = drawn()
        for process in dict.fromkeys(process for process, _ in elements):
            ids = [element for of, element in elements if of == process]
            seen = [f"{element} {self.seen[process, element]}" for element in ids if self.seen[process, element]]
            terminalreporter.write_line(f"{process}.bpmn, {len(seen)} of {len(ids)}: {', '.join(seen)}")
        for process, element in self.missing:
            terminalreporter.write_line(f"FAILED: no process test visits {element} of {process}.bpmn", red=True)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Visits(), TOLD)


def drawn() -> list[tuple[str, str]]:
    """Flow nodes and sequence flows of the shipped models as (process id, element id)."""
    from services.app.container import models  # noqa: PLC0415  # slow, and only needed at the end of such a run

    return [one for path in models() if path.suffix == ".bpmn" for one in _elements_of(path)]


def _elements_of(path: Path) -> Iterator[tuple[str, str]]:
    from lxml import etree  # noqa: PLC0415  # as above

    for process in etree.parse(path).getroot().iter(f"{BPMN}process"):
        # No engine takes a flow out of an event-based gateway: the event that came is next.
        waiting = {gateway.get("id") for gateway in process.iter(f"{BPMN}eventBasedGateway")}
        for element in process.iter():
            name = str(element.tag).removeprefix(BPMN)
            is_taken = name == "sequenceFlow" and element.get("sourceRef") not in waiting
            if name in NODES or name.endswith(KINDS) or is_taken:
                yield process.get("id"), element.get("id")


def _on_broker() -> bool:
    return bool(os.environ.get("ZEEBE_ADDRESS") and os.environ.get("ZEEBE_CLOCK"))


def _is_counted(item: pytest.Item) -> bool:
    is_ours = item.path.parent == PROCESS_TESTS and item.path.name not in OTHERS
    return is_ours and (not _on_broker() or item.get_closest_marker("zeebe") is not None)


def _has_counted(path: Path) -> bool:
    """Whether a file has tests that count: on a broker elsewhere, those that run there."""
    return path.name not in OTHERS and (not _on_broker() or "mark.zeebe" in path.read_text(encoding="utf-8"))
