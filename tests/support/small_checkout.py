"""A made-up checkout for ``policy coverage``: a page of a few requirements, a model, tests and a product."""

from dataclasses import dataclass
from pathlib import Path

MODEL = """<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL">
<task id="Task_Ask"><documentation>Asks. Requirements: R4 R44</documentation></task></definitions>"""
MARK = "@pytest.mark.requirement"


@dataclass(frozen=True)
class Checkout:
    """A folder with what the command reads."""

    root: Path

    def __post_init__(self) -> None:
        self.page(R4="enforced | whole", R5="recorded | whole", R6="attested | not yet")
        self.write("bpmn/a.bpmn", MODEL)
        self.write("services/__init__.py", "")
        self.test("lists", "def test_refused(): ...\n", '"R4", refuses=True')
        self.test("records", "def test_kept(): ...\n", '"R5"')

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, encoding="utf-8")

    def page(self, **rows: str) -> None:
        """Write docs/policy.md with the verb and the state of each requirement."""
        lines = [f"| {number} | 一(一) | 必要 | need | do it | {said} |" for number, said in rows.items()]
        self.write("docs/policy.md", "\n".join(["# The policy", "| # | … | Verb | State |", "|---|", *lines]))

    def test(self, name: str, text: str, *marks: str) -> None:
        """Write a file of one test, with the arguments of its marks; ``text`` ends with the test."""
        before, _, test = text.rpartition("def test_")
        marked = "".join(f"{MARK}({arguments})\n" for arguments in marks)
        self.write(f"tests/test_{name}.py", f"import pytest\n{before}{marked}def test_{test}")
