"""Which points a seed chooses, as they are passed: all shares of a division together choose each point once.

Seeds 1 to ``shares`` are one division, the next as many another one, with the same points in other company.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import amount

# Of what happens often, the first visits stand for the rest: FEW of them where another plan strikes the same points.
VISITS = 4
FEW = 2
# Readings and logins leave an event and nothing that could be half done, leases and counts not even that; the tables
# are many and all the same.
SELDOM = re.compile(
    r"login\.|sessions|viewings|outbox|migration|key-file synced|leases\.|register metrics|recorder-monitor"
)
# What the days bring that a run lets pass: which of it falls between two kills, differs from run to run.
DAILY = re.compile(
    r"recorder-monitor|store-health|reverify-footage|reconcile|statistics|list-disposals|open-due-work-orders"
)
# What comes in some runs alone: a report of progress where sealing or a package takes its time, and an inspection that
# is begun by its leader and not by the system, which does so when a process starts.
SOME = re.compile(r"progress\.update|record_progress|begin_inspection")
# How often these come, nobody knows beforehand.
CHANCE = re.compile(r"JOB TIMED_OUT|AccountIdentity\.actor|claim_due")


@dataclass(frozen=True)
class Share:
    """The points of one seed, whatever other points there are: one of so many shares of the first ``visits``."""

    seed: int
    shares: int
    visits: int = VISITS

    def __contains__(self, point: str) -> bool:
        if not counts(point, self.visits):
            return False
        division, share = divmod(self.seed - 1, self.shares)
        return int.from_bytes(hashlib.sha256(f"{division} {point}".encode()).digest()) % self.shares == share

    def __str__(self) -> str:
        return f"seed-{self.seed}-of-{self.shares}"

    def write(self, folder: Path) -> None:
        (folder / "seed.txt").write_text(f"{self.seed} {self.shares} {self.visits}\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "Share | None":
        """Return the share that was written there, if any."""
        path = folder / "seed.txt"
        return cls(*map(int, path.read_text(encoding="utf-8").split())) if path.exists() else None


def counts(point: str, visits: int = VISITS) -> bool:
    """Return whether a point belongs to any share of so many visits."""
    label, _, visit = point.rpartition("#")
    return not CHANCE.search(label) and int(visit) <= (FEW if SELDOM.search(label) else visits)


def shares(*, sample: int, full: int, divisions: int = 1, visits: int = VISITS) -> list[Share]:
    """Return all of so many shares of each division, or those of the seeds that are named.

    A sample is one of more and smaller ones.
    """
    sampled = not (amount.all_of_it() or amount.named_seeds())
    seeds = amount.seeds(sample=[1], full=range(1, full * divisions + 1))
    return [Share(seed, sample if sampled else full, visits) for seed in seeds]


def is_whole(ran: Iterable[Share]) -> bool:
    """Return whether these are all shares of the first division."""
    ran = set(ran)
    return bool(ran) and {replace(one, seed=seed) for one in ran for seed in range(1, one.shares + 1)} <= ran


def unstruck(visits: Iterable[str], struck: Iterable[Iterable[str]]) -> set[str]:
    """Return the labels that a run has passed and that no other run of ``struck`` was killed at.

    Empty where there are two in a hundred or fewer. Not what each day, or some run alone, brings.
    """
    passed = {label for label in _labels(visits) if not (DAILY.search(label) or SOME.search(label))}
    missed = passed - _labels(point for points in struck for point in points)
    return missed if len(missed) > len(passed) // 50 else set()


def _labels(points: Iterable[str]) -> set[str]:
    return {point.rpartition("#")[0] for point in points if counts(point)}
