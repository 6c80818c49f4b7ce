"""Chance that is the same for the same seed and the same thing, whatever else was drawn before.

So two models that are run with one seed get the same cases, the same decisions and the same times where they ask the
same, and what differs is the models'.
"""

import hashlib
import json
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Generic, TypeVar

Choice = TypeVar("Choice")
_RANGE = 2**64


class Draws:
    """Shares between 0 and 1 by what they are for."""

    def __init__(self, seed: int) -> None:
        self._start = hashlib.blake2b(str(seed).encode(), digest_size=16)

    def share(self, *key: str | int) -> float:
        """Return the share of this key: evenly spread over [0, 1), and always the same."""
        hashed = self._start.copy()
        hashed.update("\0".join(map(str, key)).encode())
        return int.from_bytes(hashed.digest()[:8], "big") / _RANGE


@dataclass(frozen=True)
class Spread:
    """How a number spreads: its values at even shares, from the least to the largest, and straight lines between."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, samples: Iterable[float], points: int = 41) -> "Spread":
        """Return the spread of samples, by as many points; of none it is always 0."""
        ordered = sorted(samples)
        if not ordered:
            return cls((0.0,))
        if len(ordered) <= points:
            return cls(tuple(ordered))
        whole = cls(tuple(ordered))
        return cls(tuple(whole.at(point / (points - 1)) for point in range(points)))

    def at(self, share: float) -> float:
        """Return the value that ``share`` of all values lie below."""
        place = share * (len(self.values) - 1)
        lower = min(int(place), len(self.values) - 1)
        upper = min(lower + 1, len(self.values) - 1)
        return self.values[lower] + (self.values[upper] - self.values[lower]) * (place - lower)


class Weights(Generic[Choice]):
    """Choices, each with its weight."""

    def __init__(self, weights: Mapping[Choice, float] | Sequence[tuple[Choice, float]]) -> None:
        """At least one weight has to be above 0."""
        pairs = list(weights.items() if isinstance(weights, Mapping) else weights)
        kept = [(choice, weight) for choice, weight in pairs if weight > 0]
        self.choices = [choice for choice, _ in kept]
        self._sums = list(accumulate(weight for _, weight in kept))

    def at(self, share: float) -> Choice:
        """Return the choice that a share between 0 and 1 falls on."""
        place = bisect_right(self._sums, share * self._sums[-1])
        return self.choices[min(place, len(self.choices) - 1)]


def word(value: object) -> str:
    """Return a value of a variable as the word that weights name it by."""
    return value if isinstance(value, str) else json.dumps(value)
