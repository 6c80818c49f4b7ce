"""What a rule speaks of: facts of the register and the workers, never elements of a model.

A fact happens at one moment of a walk. A pattern is how a rule names facts:

    job TYPE starts | done | error CODE   [where …]
    stage CODE OUTCOME                    [where …]
    message NAME, timer ID, signal NAME, case begins, case ends   [where …]

``*`` stands for every name and ``a|b`` for either; ``where`` compares variables: ``x = 1 and y > 0``.
"""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.designers.policy_check.yaml_lines import value_of

KINDS = ("job", "stage", "message", "timer", "signal", "case")
_TEXT = re.compile(r"^(?P<kind>\w+)\s+(?P<words>.+?)(?:\s+where\s+(?P<where>.+))?$", re.DOTALL)
_CONDITION = re.compile(r"^(?P<name>\w+)\s*(?P<sign><=|>=|!=|=|<|>|contains|lacks)\s*(?P<value>.+)$")


class PatternError(ValueError):
    """A pattern that cannot be read; the text says what is wrong."""


@dataclass(frozen=True, slots=True)
class Fact:
    """``name`` is the job type, stage, message or timer; ``what`` how the job or the stage stands.

    ``values`` are the variables that belong to it: those a job sees or gives, or a decision brings.
    """

    kind: str
    name: str
    what: str = ""
    values: Mapping[str, Any] = field(default_factory=dict, compare=False)
    element_id: str = field(default="", compare=False)

    def __str__(self) -> str:
        return " ".join(part for part in (self.kind, self.name, self.what) if part)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def holds(left: Any, right: Any) -> bool:
        numbers = all(isinstance(side, int | float) and not isinstance(side, bool) for side in (left, right))
        return numbers and compare(left, right)

    return holds


_SIGNS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": lambda left, right: bool(left == right) and isinstance(left, bool) == isinstance(right, bool),
    "!=": lambda left, right: not (left == right and isinstance(left, bool) == isinstance(right, bool)),
    "<": _ordered(operator.lt),
    "<=": _ordered(operator.le),
    ">": _ordered(operator.gt),
    ">=": _ordered(operator.ge),
    "contains": lambda left, right: isinstance(left, list) and right in left,
    "lacks": lambda left, right: not (isinstance(left, list) and right in left),
}


@dataclass(frozen=True, slots=True)
class Condition:
    """A comparison of a variable with a value, or with another variable (``$name``)."""

    name: str
    sign: str
    value: Any

    @property
    def names(self) -> frozenset[str]:
        other = {self.value[1:]} if isinstance(self.value, str) and self.value.startswith("$") else set()
        return frozenset({self.name, *other})

    def holds(self, values: Mapping[str, Any]) -> bool:
        value = self.value
        if isinstance(value, str) and value.startswith("$"):
            value = values.get(value[1:])
        return _SIGNS[self.sign](values.get(self.name), value)


@dataclass(frozen=True, slots=True)
class Pattern:
    text: str
    kind: str
    names: frozenset[str]
    whats: frozenset[str]
    conditions: tuple[Condition, ...] = ()

    def fits(self, fact: Fact) -> bool:
        return (
            fact.kind == self.kind
            and (not self.names or fact.name in self.names)
            and (not self.whats or fact.what in self.whats)
            and all(condition.holds(fact.values) for condition in self.conditions)
        )

    def could_fit(self, kind: str, name: str, what: str | None = None) -> bool:
        """Return whether such a fact fits with some values; without ``what``, with any."""
        return (
            kind == self.kind
            and (not self.names or name in self.names)
            and (what is None or not self.whats or what in self.whats)
        )

    @property
    def variables(self) -> frozenset[str]:
        """The names of the variables that it compares."""
        return frozenset(name for condition in self.conditions for name in condition.names)


def parse(text: str) -> Pattern:
    """Read a pattern; raises PatternError."""
    match = _TEXT.match(text.strip())
    if match is None or match["kind"] not in KINDS:
        raise PatternError(f"{text!r} begins with none of {', '.join(KINDS)}, and a name after it")
    kind, words = match["kind"], match["words"].split()
    names, whats = _alternatives(words[0]), frozenset[str]()
    if kind == "job":
        whats = _job_whats(text, words[1:])
    elif kind == "stage":
        if len(words) != 2:
            raise PatternError(f"{text!r} needs a stage and an outcome, or * for every one")
        whats = _alternatives(words[1])
    elif kind == "case" and words not in (["begins"], ["ends"]):
        raise PatternError(f"{text!r}: a case begins or ends, and nothing else")
    elif len(words) > 1:
        raise PatternError(f"{text!r} has more than one name")
    return Pattern(text.strip(), kind, names, whats, _conditions(match["where"]))


def _job_whats(text: str, words: list[str]) -> frozenset[str]:
    match words:
        case ["starts" | "done"]:
            return frozenset(words)
        case ["error", code]:
            return frozenset(f"error {one}" for one in code.split("|"))
    raise PatternError(f"{text!r}: a job starts, is done, or ends with an error and its code")


def _alternatives(word: str) -> frozenset[str]:
    return frozenset() if word == "*" else frozenset(word.split("|"))


def _conditions(text: str | None) -> tuple[Condition, ...]:
    if text is None:
        return ()
    found = []
    for part in re.split(r"\s+and\s+", text.strip()):
        match = _CONDITION.match(part.strip())
        if match is None:
            raise PatternError(f"{part!r} is no comparison such as coverage < 1")
        found.append(Condition(match["name"], match["sign"], value_of(match["value"])))
    return tuple(found)
