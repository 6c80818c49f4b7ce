"""Samples of a history of any length: a few thousand values of each kind, chosen evenly from all."""

import random
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from services.designers.simulation.draws import Spread

MOST = 2000
SEED = 2026


class Sample:
    """At most ``MOST`` values, each of all that were offered with the same chance; the same each time."""

    def __init__(self) -> None:
        self._chance = random.Random(SEED)  # noqa: S311 - no secret
        self.values: list[float] = []
        self.offered = 0

    def add(self, value: float) -> None:
        self.offer(lambda: value)

    def offer(self, compute: Callable[[], float]) -> None:
        """Add a value that is computed only if it is one of those chosen."""
        self.offered += 1
        if len(self.values) < MOST:
            self.values.append(compute())
            return
        place = self._chance.randrange(self.offered)
        if place < MOST:
            self.values[place] = compute()

    def spread(self, otherwise: Spread) -> Spread:
        """Return how the values spread; ``otherwise`` where there is none."""
        return Spread.of(self.values) if self.values else otherwise


@dataclass
class StageSamples:
    """What a history says of one stage, in s of working time."""

    response: Sample = field(default_factory=Sample)
    work: Sample = field(default_factory=Sample)
    outcomes: Counter[str] = field(default_factory=Counter)


@dataclass
class Samples:
    """What a history says of everything else."""

    applications: int = 0
    hours: Counter[int] = field(default_factory=Counter)
    hours_off: Counter[int] = field(default_factory=Counter)
    departments: Counter[str] = field(default_factory=Counter)
    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    items: Counter[int] = field(default_factory=Counter)
    cameras: Counter[tuple[str, float | None]] = field(default_factory=Counter)
    footage: Counter[str] = field(default_factory=Counter)
    age: Sample = field(default_factory=Sample)
    length: Sample = field(default_factory=Sample)
    returns: int = 0
    corrected: int = 0
    correction: Sample = field(default_factory=Sample)
    withdrawal: Sample = field(default_factory=Sample)
    loans: int = 0
    lost: int = 0
    extended: int = 0
    returned: Sample = field(default_factory=Sample)
    jobs: dict[str, Sample] = field(default_factory=lambda: defaultdict(Sample))
