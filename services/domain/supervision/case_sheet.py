"""The sheet of one case: each question of the checklists with the system's answer, as the member reads it (R63)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.database.tables.inspections import InspectedCase
from services.database.unit_of_work import UnitOfWork
from services.domain.supervision import case_evidence, checklists, checks
from services.runtime.canonical_json import hash_of


@dataclass(frozen=True)
class Line:
    """One question; ``system`` is what the system answers, None where it cannot tell or is not asked."""

    stage: str
    question: checklists.Question
    system: str | None
    seen: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Return the line as it is signed."""
        return {"question": self.question.code, "system": self.system, "seen": dict(self.seen)}


@dataclass(frozen=True)
class Sheet:
    """All lines of a case in the order of the file, and their digest."""

    lines: Sequence[Line]
    sha256: str


def build(uow: UnitOfWork, row: InspectedCase) -> Sheet:
    """Compute the system's answers for a case, by a fixed number of statements."""
    evidence = case_evidence.load(uow, row.application_id)
    lines = []
    for stage, question in checklists.load().questions().values():
        found = checks.Found(None) if question.system is None else checks.run(question.system, evidence)
        lines.append(Line(stage, question, found.answer, found.seen))
    digest = hash_of({"case": row.id, "number": row.number, "lines": [line.as_json() for line in lines]})
    return Sheet(lines, digest)
