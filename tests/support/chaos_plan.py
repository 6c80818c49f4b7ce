"""Which points a seed chooses: each seed another handful, together all of them."""

import hashlib
import re
from collections import Counter
from pathlib import Path

KILLS = 8
# Of what happens often, the first visits stand for the rest.
VISITS = 8
FEW = 2
# Readings and sign-ins leave an event and nothing that could be half done; the tables are many and all the same.
SELDOM = re.compile(r"sign_ins|custody_views|read_review|viewings|outbox|migration|key-file synced")
# How often these come, nobody knows beforehand.
CHANCE = re.compile(r"JOB TIMED_OUT")


def points_of(visits: Path) -> list[str]:
    """Every point of a run that nobody has disturbed, in an order that looks like chance and is always the same."""
    counts = Counter(line.rpartition("#")[0] for line in visits.read_text(encoding="utf-8").splitlines())
    points = [
        f"{label}#{visit}"
        for label, count in counts.items()
        if not CHANCE.search(label)
        for visit in range(1, min(count, FEW if SELDOM.search(label) else VISITS) + 1)
    ]
    return sorted(points, key=lambda point: hashlib.sha256(point.encode()).digest())


def choose(points: list[str], seed: int, kills: int = KILLS) -> list[str]:
    """The seed's slice; as many seeds as it takes go once around all points."""
    start = seed * kills
    return [points[number % len(points)] for number in range(start, start + min(kills, len(points)))]
