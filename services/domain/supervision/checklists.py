"""The five checklists of an inspection, ``checklists.json`` beside the models: questions are data (R63).

A question may name a check of the system (``checks.CHECKS``), never an expression. "Yes" says that it is in order;
``severityIfNo`` is that of the finding which a "no" becomes.
"""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from services.domain.stages.catalogue import STAGES
from services.domain.stages.schema import BilingualLabel, Code, Shape
from services.domain.supervision.checks import CHECKS
from services.runtime import json_lines
from services.runtime.errors import Fatal
from services.runtime.json_lines import KeyPath, Problem

NAME = "checklists.json"
ORDER = ("application", "approval", "retrieval", "use", "return")
Severity = Literal["minor", "moderate", "severe"]
SEVERE = "severe"
EVIDENCE = (
    *("form", "items", "decisions", "reviews", "retrieval-record", "labels", "hand-over", "agreement", "viewings"),
    *("custody-log", "violations", "return", "return-inspection", "grants", "archive"),
)
PATTERNS = {
    "zh": "has no Chinese",
    "en": "has to be English",
    "requirements": "names requirements, such as R49",
    "": "is made of small letters, digits and hyphens",
}


class Question(BilingualLabel):
    """One question; ``evidence`` says what the member looks at."""

    code: Code
    system: str | None = None
    evidence: Annotated[tuple[str, ...], Field(min_length=1)]
    severity_if_no: Severity
    requirements: Annotated[tuple[Annotated[str, Field(pattern="^R[1-9][0-9]?$")], ...], Field(min_length=1)]


class Checklist(BilingualLabel):
    """The questions about one stage of the policy."""

    questions: Annotated[tuple[Question, ...], Field(min_length=1, max_length=20)]


class ChecklistFile(Shape):
    """The whole file: one checklist for each of the five stages."""

    application: Checklist
    approval: Checklist
    retrieval: Checklist
    use: Checklist
    return_: Annotated[Checklist, Field(alias="return")]

    def lists(self) -> Iterator[tuple[str, Checklist]]:
        """Yield the stages in the order of the policy, with their checklists."""
        yield "application", self.application
        yield "approval", self.approval
        yield "retrieval", self.retrieval
        yield "use", self.use
        yield "return", self.return_

    def questions(self) -> dict[str, tuple[str, Question]]:
        """Map each question's code to its stage and itself, in their order."""
        return {question.code: (stage, question) for stage, one in self.lists() for question in one.questions}


def check(path: Path) -> tuple[ChecklistFile | None, list[Problem]]:
    """Parse the file; return its content, None if malformed, and its problems."""
    return json_lines.read(path, ChecklistFile, patterns=PATTERNS, contradictions=_contradictions)


def load() -> ChecklistFile:
    """Return the checklists of the folder of models in use; Fatal with every line to correct."""
    return _load(STAGES.folder / NAME)


@lru_cache(maxsize=4)
def _load(path: Path) -> ChecklistFile:
    content, problems = check(path)
    if content is None or problems:
        raise Fatal(
            f"could not read the checklists | {path} | {'; '.join(map(str, problems))} | "
            "correct the file; docs/designers.md describes each key"
        )
    return content


def as_json() -> dict[str, Any]:
    """Return the checklists as a report keeps them."""
    return load().model_dump(mode="json", by_alias=True)


def _contradictions(file: ChecklistFile) -> Iterator[tuple[KeyPath, str]]:
    """Yield the problems that the types do not show."""
    seen: set[str] = set()
    for stage, checklist in file.lists():
        for index, question in enumerate(checklist.questions):
            path = (stage, "questions", index)
            if question.code in seen:
                yield (*path, "code"), f"{question.code} is asked already"
            seen.add(question.code)
            if question.system is not None and question.system not in CHECKS:
                known = ", ".join(sorted(CHECKS))
                yield (*path, "system"), f"{question.system} is no check of the system: there are {known}"
            for number, kind in enumerate(question.evidence):
                if kind not in EVIDENCE:
                    yield (*path, "evidence", number), f"{kind} is no evidence: there are {', '.join(EVIDENCE)}"
