"""What lint finds: errors and advice, each with its place and a sentence in both languages."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from services.runtime.translations import Text, in_context


class Level(StrEnum):
    """An error stops a deployment: the model will not run, or breaks a rule. Advice stops nothing."""

    ERROR = "error"
    ADVICE = "advice"


class ExitCode(IntEnum):
    """How ``footage-desk bpmn lint`` ends."""

    CLEAN = 0
    ERRORS = 1
    ADVICE = 2


_LEVELS = {Level.ERROR: in_context("lint", "error"), Level.ADVICE: in_context("lint", "advice")}


@dataclass(frozen=True)
class Finding:
    """One finding. ``file`` is a name in the folder, ``line`` counts from 1; ``element`` is an id, or a key."""

    level: Level
    rule: str
    file: str
    line: int | None
    element: str
    text: Text

    def as_json(self) -> dict[str, str | int | None]:
        """Return the finding as ``--json`` prints it."""
        return {
            "level": self.level.value,
            "rule": self.rule,
            "file": self.file,
            "line": self.line,
            "element": self.element or None,
            "zh": self.text.zh,
            "en": self.text.en,
        }

    def sentence(self, language: str) -> str:
        """Return the finding on one line."""
        line = "" if self.line is None else f":{self.line}"
        place = " ".join(part for part in (f"{self.file}{line}", self.element) if part)
        return f"{_LEVELS[self.level].translate(language)}: {place}: {self.text.translate(language)} [{self.rule}]"


def exit_code(findings: Iterable[Finding]) -> ExitCode:
    """Return how lint ends with these findings."""
    levels = {finding.level for finding in findings}
    if Level.ERROR in levels:
        return ExitCode.ERRORS
    return ExitCode.ADVICE if levels else ExitCode.CLEAN


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Sort findings, each once: errors first, then by place."""
    ranked = sorted(dict.fromkeys(findings), key=lambda f: (f.level != Level.ERROR, f.file, f.line or 0, f.rule))
    return ranked
