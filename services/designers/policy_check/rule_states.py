"""The states in which the monitor of each rule can be where a walk stands, each monitor by itself.

Whether a rule is broken depends on the facts along a path and on nothing that another rule has seen. So the states of a
walk are those of the models alone, and each monitor goes through their graph apart; together they would multiply.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.designers.policy_check.facts import Fact
from services.designers.policy_check.rules import Rules

Places = int
"""A set of pairs of a monitor and its state, one bit for each."""
Broke = tuple[int, Fact]
"""The number of a monitor, and the fact that broke its rule."""


@dataclass(slots=True, eq=False)
class Effect:
    """What the facts of one edge do: by the number of a monitor, the facts as it sees them, each with the fact."""

    by_monitor: Mapping[int, Sequence[tuple[Fact, Fact]]]
    of_one: dict[tuple[int, int], tuple[int, Fact | None]] = field(default_factory=dict)
    of_many: dict[Places, tuple[Places, tuple[Broke, ...]]] = field(default_factory=dict)


class RuleStates:
    """Numbers the states of monitors, and says what comes of them by the facts of an edge."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._monitors = rules.monitors
        self._bits: dict[tuple[int, int], int] = {}
        self._pairs: list[tuple[int, int]] = []
        self._of_monitor: list[Places] = [0] * len(self._monitors)
        self._effects: dict[tuple[int, ...], Effect] = {}

    def places(self, states: Sequence[int]) -> Places:
        """Return the set of the states of all monitors."""
        found = 0
        for pair in enumerate(states):
            found |= self._bit(pair)
        return found

    def effect(self, facts: Sequence[Fact]) -> Effect:
        """Return what these facts do; those that no rule tells apart have one effect."""
        seen = [(self._rules.relevant(fact), fact) for fact in facts]
        seen = [(concerned, fact) for concerned, fact in seen if concerned]
        # the rules keep one list for all facts that they do not tell apart
        key = tuple(id(concerned) for concerned, _ in seen)
        known = self._effects.get(key)
        if known is None:
            by_monitor: dict[int, list[tuple[Fact, Fact]]] = {}
            for concerned, fact in seen:
                for number, as_seen in concerned:
                    by_monitor.setdefault(number, []).append((as_seen, fact))
            known = self._effects[key] = Effect(by_monitor)
        return known

    def after(self, before: Places, effect: Effect) -> tuple[Places, tuple[Broke, ...]]:
        """Return the states after the facts of an edge, and the rules that break there."""
        if not effect.by_monitor:
            return before, ()
        concerned = 0
        for number in effect.by_monitor:
            concerned |= self._of_monitor[number]
        chosen = before & concerned
        known = effect.of_many.get(chosen)
        if known is None:
            known = effect.of_many[chosen] = self._after(chosen, effect)
        return before & ~concerned | known[0], known[1]

    def step(self, number: int, state: int, effect: Effect) -> tuple[int, Fact | None]:
        """Return the state of one monitor after an edge, and the first fact that broke its rule."""
        seen = effect.by_monitor.get(number)
        if seen is None:
            return state, None
        known = effect.of_one.get((number, state))
        if known is None:
            after, breaking = state, None
            for as_seen, fact in seen:
                after, is_broken = self._monitors[number].step(after, as_seen)
                breaking = breaking or (fact if is_broken else None)
            known = effect.of_one[number, state] = (after, breaking)
        return known

    def _after(self, places: Places, effect: Effect) -> tuple[Places, tuple[Broke, ...]]:
        found, broken = 0, []
        while places:
            bit = places & -places
            places ^= bit
            number, state = self._pairs[bit.bit_length() - 1]
            after, fact = self.step(number, state, effect)
            found |= self._bit((number, after))
            if fact is not None:
                broken.append((number, fact))
        return found, tuple(broken)

    def _bit(self, pair: tuple[int, int]) -> Places:
        known = self._bits.get(pair)
        if known is None:
            known = self._bits[pair] = 1 << len(self._pairs)
            self._pairs.append(pair)
            self._of_monitor[pair[0]] |= known
        return known
