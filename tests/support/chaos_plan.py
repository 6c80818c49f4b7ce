"""Which points a seed chooses: each seed another handful, together all of them."""

import hashlib
import re
from collections import Counter
from pathlib import Path

# Of what happens often, the first visits stand for the rest.
VISITS = 8
FEW = 2
# Readings and logins leave an event and nothing that could be half done; the tables are many and all the same.
SELDOM = re.compile(r"login\.|sessions|viewings|outbox|migration|key-file synced")
# How often these come, nobody knows beforehand.
CHANCE = re.compile(r"JOB TIMED_OUT|AccountIdentity\.actor|claim_due")


def points_of(visits: Path) -> list[str]:
    """Every point of a run that nobody has disturbed."""
    counts = Counter(line.rpartition("#")[0] for line in visits.read_text(encoding="utf-8").splitlines())
    return sorted(
        f"{label}#{visit}"
        for label, count in counts.items()
        if not CHANCE.search(label)
        for visit in range(1, min(count, _visits(label)) + 1)
    )


def _visits(label: str) -> int:
    return FEW if SELDOM.search(label) else VISITS


def choose(points: list[str], seed: int, shares: int) -> list[str]:
    """The seed's share of the points, whatever other points there are; seeds 0 to ``shares - 1`` take all of them."""
    return [point for point in points if _share(point, shares) == seed % shares]


def chosen(point: str, seed: int, shares: int) -> bool:
    """Whether a point is the seed's, where nobody knows beforehand which points there will be."""
    label, _, visit = point.rpartition("#")
    return not CHANCE.search(label) and int(visit) <= _visits(label) and _share(point, shares) == seed % shares


def _share(point: str, shares: int) -> int:
    return int.from_bytes(hashlib.sha256(point.encode()).digest()) % shares
