"""docs/security.md and docs/failures.md name tests, files and settings that exist; tests are found by their source.

The traps of the models (P) and the tensions of the policy (T) have tests that carry their number in their name.
"""

import ast
import re
from functools import cache

import pytest

from services.runtime.places import ROOT
from services.runtime.settings import all_settings, variable

NAMED = re.compile(r"`(tests/[^`\s]+)::(\w+)`")
FAILURES = [f"F{number}" for number in range(1, 35)]
# Traps of the models, and what the policy leaves open; T1 to T4 are shown by tests with other names.
TRAPS = [f"p{number}" for number in range(1, 14)]
TENSIONS = [f"t{number}" for number in range(5, 15)]
OF_THE_ENGINE = ["p1", "p2", *(f"p{number}" for number in range(5, 12))]  # golden scenarios too, for the broker


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


@cache
def list_tests(path: str) -> frozenset[str]:
    """The tests of a file; none where there is no such file."""
    if not (ROOT / path).is_file():
        return frozenset()
    body = ast.parse((ROOT / path).read_text(encoding="utf-8")).body
    functions = {node.name for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    return frozenset(name for name in functions if name.startswith("test_"))


@cache
def numbered_tests() -> frozenset[str]:
    """The numbers of traps and tensions in the names of tests, such as p5."""
    found: set[str] = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        names = list_tests(path.relative_to(ROOT).as_posix())
        found.update(match[1] for name in names if (match := re.match(r"test_([pt]\d+)_", name)))
    return frozenset(found)


def missing(text: str) -> list[str]:
    """What is written as a test and is none: every name that begins with the tests' folder or prefix."""
    spans = re.findall(r"`([^`\n]*(?:tests/|\btest_)[^`\n]*)`", text)
    named = {f"{path}::{name}" for path, name in NAMED.findall(text) if name in list_tests(path)}
    return [span for span in spans if span not in named and not ("::" not in span and (ROOT / span).is_file())]


def rows(text: str) -> list[list[str]]:
    """The cells of each row of the tables, without their heads."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    heads = {at - 1 for at, line in enumerate(lines) if re.fullmatch(r"[|\s-]+", line)}
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for at, line in enumerate(lines)
        if at not in heads and not re.fullmatch(r"[|\s-]+", line)
    ]


def test_a_test_that_is_not_there_is_seen() -> None:
    here = "tests/contract/test_named_tests.py"
    wrong = [f"{here}::test_of_nothing", f"{here}::missing", "tests/contract/test_none.py::test_a", "test_alone"]

    assert missing(f"`{here}::test_a_test_that_is_not_there_is_seen`, and the file `{here}`") == []
    assert missing(", ".join(f"`{name}`" for name in wrong)) == wrong


@pytest.mark.parametrize("name", ["security.md", "failures.md"])
def test_each_test_that_is_named_is_there(name: str) -> None:
    assert NAMED.search(page(name))
    assert missing(page(name)) == []


def test_each_failure_names_its_tests_or_says_what_is_not_there_yet() -> None:
    table = rows(page("failures.md"))

    assert [cells[0] for cells in table] == FAILURES
    assert [cells[0] for cells in table if not (NAMED.search(cells[3]) or cells[3].startswith("not yet: "))] == []


@pytest.mark.parametrize("number", [*TRAPS, *TENSIONS])
def test_each_trap_and_each_tension_has_a_test_that_is_named_after_it(number: str) -> None:
    assert number in numbered_tests()


def test_only_traps_and_tensions_that_there_are_give_tests_their_names() -> None:
    assert numbered_tests() <= {*TRAPS, *TENSIONS, *(f"t{number}" for number in range(1, 5))}


@pytest.mark.parametrize("number", OF_THE_ENGINE)
def test_each_trap_of_the_engine_is_a_golden_scenario(number: str) -> None:
    scenarios = [path for path in (ROOT / "tests/process/golden").iterdir() if path.name.startswith(f"{number}_")]

    assert scenarios
    assert all((path / name).is_file() for path in scenarios for name in ("scenario.json", "golden.json"))


def test_each_threat_names_its_answer_and_its_tests() -> None:
    threats = page("security.md").partition("\n## Threats and answers\n")[2].partition("\n## ")[0]
    table = rows(threats)

    assert table
    assert [cells for cells in table if len(cells) != 3 or not cells[1] or not NAMED.search(cells[2])] == []


def test_files_and_settings_that_are_named_are_there() -> None:
    text = page("security.md")
    files = re.findall(r"`((?:services|deploy|docs)/[^`\s]+)`", text)

    assert [name for name in files if not (ROOT / name).exists()] == []
    assert set(re.findall(r"\bFOOTAGE_DESK_\w+", text)) <= {variable(path) for path in all_settings()}


def test_the_threats_are_reached_from_the_readme_and_the_security_policy() -> None:
    for name in ("README.md", "SECURITY.md"):
        assert "](docs/security.md" in (ROOT / name).read_text(encoding="utf-8"), name
