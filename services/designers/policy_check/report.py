"""What a check found: a verdict for each rule, and what the walk saw and did not see."""

from dataclasses import asdict, dataclass, field
from enum import IntEnum
from typing import Any

Sentence = tuple[str, str]
"""In Chinese and in English."""

HOLDS, BROKEN, NEVER_TRIED, UNDECIDED = "holds", "broken", "never-tried", "not-decided"
NOT_WALKED: Sentence = ("没有走完", "the walk did not end")
FLOORS: dict[str, Sentence] = {
    "holds": (
        "数据库自己会守住：它按更严的值办理，但页面与模型会不一致",
        "The register holds the stricter value by itself, so the model would say otherwise than what is done.",
    ),
    "refuses": (
        "数据库会在后面拒绝这一步：案件会因故障停住，等人处理",
        "The register would refuse this late: the case would stop with an incident.",
    ),
    "follows": ("数据库会照模型办理，不会拦住", "The register follows the model here, and stops nothing."),
}


class ExitCode(IntEnum):
    CLEAN = 0
    BROKEN = 1
    UNDECIDED = 2
    UNREADABLE = 3


@dataclass(frozen=True)
class Step:
    """One step of a path, in words; ``elements`` are the ids that it entered."""

    number: int
    zh: str
    en: str
    process: str
    element: str
    elements: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Counterexample:
    """The shortest path that breaks a rule; ``expected`` is what should have come before, or come at all."""

    steps: tuple[Step, ...]
    expected: Sentence
    scenario: dict[str, Any] = field(repr=False, default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """One rule, or one built-in rule, with what was found; ``why`` says where it is broken or undecided.

    ``process`` is the id of the process that it is about; empty for the case of an application.
    """

    rule: str
    requirements: tuple[str, ...]
    zh: str
    en: str
    result: str
    why: Sentence = ("", "")
    floor: str | None = None
    counterexample: Counterexample | None = None
    process: str = ""


@dataclass(frozen=True)
class PartOfReport:
    """The walk of one process, empty for the case of an application; ``tried`` are rules, ``happened`` facts."""

    process: str
    states: int
    moves: int
    is_complete: bool
    happened: tuple[str, ...] = ()
    tried: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """The whole check. ``unseen`` are sentences about what no walk reached, and is not named as meant."""

    verdicts: tuple[Verdict, ...]
    unseen: tuple[Sentence, ...]
    notes: tuple[Sentence, ...]
    parts: tuple[PartOfReport, ...]

    @property
    def states(self) -> int:
        return sum(part.states for part in self.parts)

    @property
    def moves(self) -> int:
        return sum(part.moves for part in self.parts)

    @property
    def is_complete(self) -> bool:
        return all(part.is_complete for part in self.parts)

    @property
    def happened(self) -> tuple[str, ...]:
        """What happens in the case of an application."""
        return next((part.happened for part in self.parts if not part.process), ())

    @property
    def tried(self) -> tuple[str, ...]:
        """The rules about the case of an application that were tried."""
        return next((part.tried for part in self.parts if not part.process), ())

    @property
    def broken(self) -> list[Verdict]:
        return [verdict for verdict in self.verdicts if verdict.result == BROKEN]

    @property
    def undecided(self) -> list[Verdict]:
        return [verdict for verdict in self.verdicts if verdict.result in (NEVER_TRIED, UNDECIDED)]

    @property
    def exit_code(self) -> ExitCode:
        if self.broken:
            return ExitCode.BROKEN
        if self.undecided or self.unseen or not self.is_complete:
            return ExitCode.UNDECIDED
        return ExitCode.CLEAN

    def as_json(self) -> dict[str, Any]:
        """Return the report for ``--json``."""
        return {
            "result": self.exit_code.name.lower(),
            "states": self.states,
            "moves": self.moves,
            "complete": self.is_complete,
            "verdicts": [asdict(verdict) for verdict in self.verdicts],
            "unseen": [{"zh": zh, "en": en} for zh, en in self.unseen],
            "notes": [{"zh": zh, "en": en} for zh, en in self.notes],
            "happened": list(self.happened),
            "processes": [asdict(part) for part in self.parts if part.process],
        }
