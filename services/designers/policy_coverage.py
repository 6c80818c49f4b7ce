"""The coverage of the policy's requirements, from the models' documentation and the tests' markers."""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

BPMN = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
DMN = "{https://www.omg.org/spec/DMN/20191111/MODEL/}"
ROW = re.compile(r"^\| (R\d+) \| ([^|]+) \| ([^|]+) \|")
NUMBER = re.compile(r"R\d+")
MARKER = re.compile(r"mark\.requirement\(([^)]*)\)")


@dataclass(frozen=True)
class Requirement:
    """One requirement: its place and text in the policy, the elements that satisfy it, the tests that show it."""

    number: str
    where: str
    phrase: str
    elements: tuple[str, ...]
    tests: tuple[str, ...]


def coverage(root: Path) -> list[Requirement]:
    """Return the requirements in order, from a checkout at ``root``; raises FileNotFoundError elsewhere."""
    elements = _elements(root / "bpmn")
    tests = _tests(root / "tests")
    return [
        Requirement(number, where.strip(), phrase.strip(), tuple(elements[number]), tuple(sorted(tests[number])))
        for number, where, phrase in _rows(root / "docs" / "policy.md")
    ]


def _rows(policy: Path) -> Iterator[tuple[str, str, str]]:
    for line in policy.read_text(encoding="utf-8").splitlines():
        match = ROW.match(line)
        if match:
            yield match.group(1), match.group(2), match.group(3)


def _elements(folder: Path) -> defaultdict[str, list[str]]:
    """Map each requirement to the ids of the elements whose documentation names it."""
    elements: defaultdict[str, list[str]] = defaultdict(list)
    for model in sorted([*folder.glob("*.bpmn"), *folder.glob("*.dmn")]):
        for text in etree.parse(model).iter(f"{BPMN}documentation", f"{DMN}description"):
            parent = text.getparent()
            name = parent.get("id") if parent is not None else None
            for number in dict.fromkeys(NUMBER.findall(text.text or "")):
                if name and name not in elements[number]:
                    elements[number].append(name)
    return elements


def _tests(folder: Path) -> defaultdict[str, set[str]]:
    """Map each requirement to the test modules that show it."""
    modules: defaultdict[str, set[str]] = defaultdict(set)
    for module in folder.rglob("test_*.py"):
        for marker in MARKER.findall(module.read_text(encoding="utf-8")):
            for number in NUMBER.findall(marker):
                modules[number].add(module.stem.removeprefix("test_"))
    return modules
