"""Follow one rule along a walk, as a small automaton over facts.

A monitor's state is small and hashable, because it belongs to the state of the walk. ``step`` returns the next state
and whether the rule is broken by this fact.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from services.designers.policy_check.facts import Fact, Pattern

Patterns = Sequence[Pattern]


class Monitor(Protocol):
    @property
    def initial(self) -> int: ...

    def step(self, state: int, fact: Fact) -> tuple[int, bool]: ...

    def groups_of_patterns(self) -> list[Patterns]:
        """List the patterns of which a step asks alone whether one of them fits."""
        ...


def fits(patterns: Patterns, fact: Fact) -> bool:
    return any(pattern.fits(fact) for pattern in patterns)


@dataclass(frozen=True)
class Precedence:
    """never … before … [when …]: bits for each ``before``, then for each group of ``when``."""

    never: Patterns
    before: Patterns
    groups: Sequence[Patterns]
    afresh: Patterns
    all_of: bool
    initial: int = 0

    def step(self, state: int, fact: Fact) -> tuple[int, bool]:
        if fits(self.never, fact) and self._is_needed(state) and not self._is_there(state):
            return state, True
        if fits(self.afresh, fact):
            state = 0
        for bit, pattern in enumerate(self.before):
            state |= int(pattern.fits(fact)) << bit
        for bit, group in enumerate(self.groups, len(self.before)):
            state |= int(fits(group, fact)) << bit
        # once there is what has to come before, nothing but what makes it worthless matters
        return (self.satisfied if self._is_there(state) else state), False

    def groups_of_patterns(self) -> list[Patterns]:
        return [self.never, self.afresh, *([pattern] for pattern in self.before), *self.groups]

    @property
    def satisfied(self) -> int:
        return (1 << len(self.before)) - 1

    def _is_needed(self, state: int) -> bool:
        asked = (1 << len(self.groups)) - 1
        return state >> len(self.before) & asked == asked

    def _is_there(self, state: int) -> bool:
        asked = (1 << len(self.before)) - 1
        return state & asked == asked if self.all_of else bool(state & asked)


@dataclass(frozen=True)
class EachOf:
    """never … before each of … before …: one fact with the name of each entry of a list has to have come before.

    The list is a variable of the fact that may not be. An empty one, or none, breaks the rule too: that all of nothing
    has come says nothing.
    """

    never: Patterns
    variable: str
    before: Patterns
    afresh: Patterns
    initial: int = 0
    _bits: dict[str, int] = field(default_factory=dict, compare=False, repr=False)
    """The bit of each name, in the order in which they came."""

    def step(self, state: int, fact: Fact) -> tuple[int, bool]:
        if fits(self.never, fact) and not self._has_each(state, fact.values.get(self.variable)):
            return state, True
        if fits(self.afresh, fact):
            state = 0
        if fits(self.before, fact):
            state |= 1 << self._bits.setdefault(fact.name, len(self._bits))
        return state, False

    def groups_of_patterns(self) -> list[Patterns]:
        return [self.never, self.before, self.afresh]

    def _has_each(self, state: int, names: object) -> bool:
        if not isinstance(names, list) or not names:
            return False
        return all(name in self._bits and state >> self._bits[name] & 1 for name in names)


@dataclass(frozen=True)
class Absence:
    """never … after … [until …]; without ``after``, never at all."""

    never: Patterns
    after: Patterns
    until: Patterns
    initial: int = 0

    def step(self, state: int, fact: Fact) -> tuple[int, bool]:
        if fits(self.never, fact) and (state or not self.after):
            return state, True
        if fits(self.until, fact):
            state = 0
        return int(bool(state) or fits(self.after, fact)), False

    def groups_of_patterns(self) -> list[Patterns]:
        return [self.never, self.after, self.until]


@dataclass(frozen=True)
class Response:
    """after … comes … by …"""

    after: Patterns
    comes: Patterns
    by: Patterns
    until: Patterns
    initial: int = 0

    def step(self, state: int, fact: Fact) -> tuple[int, bool]:
        if fits(self.comes, fact) or fits(self.until, fact):
            state = 0
        if state and fits(self.by, fact):
            return state, True
        return int(bool(state) or fits(self.after, fact)), False

    def groups_of_patterns(self) -> list[Patterns]:
        return [self.after, self.comes, self.by, self.until]


@dataclass(frozen=True)
class Balance:
    """opens / closes / clears … by …: what was opened as often as it was closed."""

    opens: Patterns
    closes: Patterns
    clears: Patterns
    by: Patterns
    initial: int = 0
    most: int = 4

    def step(self, state: int, fact: Fact) -> tuple[int, bool]:
        if fits(self.clears, fact):
            state = 0
        if state and fits(self.by, fact):
            return state, True
        if fits(self.opens, fact):
            state = min(state + 1, self.most)
        elif fits(self.closes, fact):
            state = max(state - 1, 0)
        return state, False

    def groups_of_patterns(self) -> list[Patterns]:
        return [self.opens, self.closes, self.clears, self.by]


@dataclass(frozen=True)
class Pending:
    """Whether something is awaited: since ``after``, until ``until`` or until it ``comes``."""

    after: Patterns
    until: Patterns
    comes: Patterns = ()
    initial: int = 0

    def step(self, state: int, fact: Fact) -> tuple[int, bool]:
        if fits(self.until, fact) or fits(self.comes, fact):
            state = 0
        return int(bool(state) or fits(self.after, fact)), False

    def groups_of_patterns(self) -> list[Patterns]:
        return [self.after, self.until, self.comes]
