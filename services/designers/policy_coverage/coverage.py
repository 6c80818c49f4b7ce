"""The coverage of the policy's requirements, and where docs/policy.md says more than is shown."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lxml import etree

from services.designers.policy_coverage.called_by_tests import find_test_only
from services.designers.policy_coverage.marked_tests import MarkedTest, read_tests
from services.designers.policy_coverage.marks import Mark
from services.designers.policy_coverage.policy_page import PAGE, Row, State, Verb, read_policy
from services.designers.policy_coverage.source import Source
from services.runtime.models import read as read_models

BPMN = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
DMN = "{https://www.omg.org/spec/DMN/20191111/MODEL/}"
NUMBER = re.compile(r"R\d+")
SHIPPED_COVERAGE = Path("services/domain/supervision/policy_coverage.json")


@dataclass(frozen=True)
class Requirement:
    """One requirement: its row of the page, the elements that satisfy it, the tests that show it with their marks."""

    row: Row
    elements: tuple[str, ...]
    tests: tuple[tuple[str, Mark], ...]

    @property
    def refusing(self) -> int:
        """How many of the tests try the wrong thing and see it refused."""
        return sum(mark.refuses for _, mark in self.tests)

    def faults(self) -> Iterator[str]:
        """Say where the page says more or less than the tests show."""
        number, verb, state = self.row.number, self.row.verb, self.row.state
        if state == State.NOT_YET and self.tests:
            yield f"{number} is {state} in {PAGE}, and tests show it, such as {self.tests[0][0]}: write what lacks"
        if state == State.WHOLE and not any(mark.verb == verb for _, mark in self.tests):
            yield f"{number} is {state} in {PAGE}, and no test shows that it is {verb}: mark one, or write what lacks"
        elif state != State.NOT_YET and verb == Verb.ENFORCED and not self.refusing:
            yield f"{number} is {verb} in {PAGE}, and no test sees the wrong thing refused: mark one with refuses=True"

    def as_shipped(self, elements: Iterable[Mapping[str, str]]) -> dict[str, Any]:
        """Return what the portal shows of it: ``elements`` with their models, the tests that refuse, and the others."""
        row = self.row
        return {
            **{"number": row.number, "where": row.where, "phrase": row.phrase, "meaning": row.meaning},
            **{"verb": row.verb, "state": row.state, "lacks": row.lacks or None},
            "elements": list(elements),
            "refusing": [name for name, mark in self.tests if mark.refuses],
            "showing": [name for name, mark in self.tests if not mark.refuses],
        }

    def as_json(self) -> dict[str, Any]:
        """Return it as the JSON of ``policy coverage --json``."""
        row = self.row
        return {
            **{"number": row.number, "where": row.where, "phrase": row.phrase},
            **{"verb": row.verb, "state": row.state, "lacks": row.lacks or None},
            "elements": list(self.elements),
            "tests": [{"id": name, "verb": mark.verb, "refuses": mark.refuses} for name, mark in self.tests],
            "refusing": self.refusing,
        }


@dataclass(frozen=True)
class Coverage:
    """All requirements, in order, and the sentences about what is not as the page says."""

    requirements: tuple[Requirement, ...]
    faults: tuple[str, ...]

    def numbers(self, state: State) -> list[str]:
        """Return the numbers of the requirements in a state."""
        return [one.row.number for one in self.requirements if one.row.state == state]

    def count_whole(self, verb: Verb) -> int:
        """Return how many requirements of a verb are whole."""
        return sum(one.row.state == State.WHOLE and one.row.verb == verb for one in self.requirements)

    def as_json(self) -> dict[str, Any]:
        """Return it as the JSON of ``policy coverage --json``."""
        return {
            "requirements": [one.as_json() for one in self.requirements],
            "whole": {verb: self.count_whole(verb) for verb in Verb},
            "partly": self.numbers(State.PARTLY),
            "notYet": self.numbers(State.NOT_YET),
            "faults": list(self.faults),
        }


def shipped_file(found: Coverage, root: Path) -> str:
    """Return the file with which a release is shipped: its portal shows the coverage, and has no tests beside it."""
    elements = _read_named_elements(root / "bpmn")
    rows = [one.as_shipped(elements[one.row.number]) for one in found.requirements]
    return json.dumps(rows, ensure_ascii=False, indent=1) + "\n"


def read_coverage(root: Path) -> Coverage:
    """Read the coverage from a checkout at ``root``.

    Raises:
        FileNotFoundError: it is no checkout.
        WrongPage: a row of docs/policy.md cannot be read.
        WrongMark: a test's marker cannot be read, or says what the page does not.
    """
    rows = read_policy(root)
    elements, tests = read_elements(root / "bpmn"), read_tests(root, rows)
    shown = _by_number(tests)
    requirements = tuple(
        Requirement(row, tuple(elements[number]), tuple(shown[number])) for number, row in rows.items()
    )
    faults = [fault for one in requirements for fault in one.faults()]
    return Coverage(requirements, (*faults, *_test_only(root, tests)))


def _by_number(tests: Iterable[MarkedTest]) -> Mapping[str, list[tuple[str, Mark]]]:
    found: defaultdict[str, list[tuple[str, Mark]]] = defaultdict(list)
    for test in tests:
        for mark in test.marks:
            found[mark.number].append((test.id, mark))
    return found


def _test_only(root: Path, tests: list[MarkedTest]) -> Iterator[str]:
    for name, test in find_test_only(Source(root), tests):
        numbers = ", ".join(mark.number for mark in test.marks)
        yield f"{test.id} shows {numbers} by {name}, which tests alone call: test what the product calls"


def read_elements(folder: Path) -> defaultdict[str, list[str]]:
    """Map each requirement to the ids of the elements whose documentation names it."""
    elements: defaultdict[str, list[str]] = defaultdict(list)
    for _, node, numbers in _documented(folder):
        name = node.get("id")
        for number in numbers:
            if name and name not in elements[number]:
                elements[number].append(name)
    return elements


def _read_named_elements(folder: Path) -> defaultdict[str, list[dict[str, str]]]:
    """Map each requirement to the elements whose documentation names it, with model, process and names.

    ``process`` is empty for a table and for what is no step of a process.
    """
    steps = {
        (path.name, element.id): (model.process_id, element)
        for path in sorted(folder.glob("*.bpmn"))
        for model in read_models([path]).values()
        for element in model.elements.values()
    }
    elements: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
    for model, node, numbers in _documented(folder):
        name = node.get("id", "")
        process, element = steps.get((model.name, name), ("", None))
        label = node.get("name") or name
        zh, en = (element.zh, element.en) if element is not None else (label, label)
        line = {"model": model.name, "process": process, "id": name, "zh": zh, "en": en}
        for number in numbers:
            if name and line not in elements[number]:
                elements[number].append(line)
    return elements


def _documented(folder: Path) -> Iterator[tuple[Path, etree._Element, list[str]]]:
    """Yield the elements whose documentation names requirements, with their model and these numbers."""
    for model in sorted([*folder.glob("*.bpmn"), *folder.glob("*.dmn")]):
        for text in etree.parse(model).iter(f"{BPMN}documentation", f"{DMN}description"):
            node, numbers = text.getparent(), list(dict.fromkeys(NUMBER.findall(text.text or "")))
            if node is not None and numbers:
                yield model, node, numbers
