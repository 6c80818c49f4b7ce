"""Measure what the quarantine holds of an item, and make it a master."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from services.runtime.spans import Span, gaps
from services.vault.coverage import LEAST_SHARE
from services.vault.sealing import TOLERANCE_MS, Sealed
from services.vault.store.protocol import Target
from services.vault.store.replicas import Progress, replicate
from services.vault.verdict import share_of

# Rounding never makes a partial item complete, nor one with a picture missing.
NEARLY_ALL, NEARLY_NOTHING = 0.999999, 0.000001
# Two measurements of one clock differ a little: what was searched by the first is not held against the second.
CLOCK_TOLERANCE = timedelta(seconds=2)


@dataclass(frozen=True)
class Holding:
    """A sealed object, the span that it is held against, and the share of it that it covers."""

    sealed: Sealed
    searched: Span
    share: float
    outcome: str  # complete, partial


def measure(sealed: Sealed, granted: Span, window: Span, least_share: float = LEAST_SHARE) -> Holding:
    """Measure an object against ``window``: the granted span, widened by the recorder's clock offset.

    What was sealed may reach further than what is granted.
    """
    coverage = sealed.coverage
    searched = _searched(coverage.asked, granted, window)
    holes = gaps(searched, coverage.covered, tolerance=timedelta(milliseconds=TOLERANCE_MS))
    beyond = coverage.asked.start < searched.start or searched.end < coverage.asked.end
    enough = coverage.pictures is None or replace(coverage.pictures, least_share=least_share).enough
    judged = sealed.outcome == "complete" or beyond or coverage.pictures is not None
    if judged and enough and not holes and not coverage.problems:
        return Holding(sealed, searched, 1.0, "complete")
    share = share_of(searched, coverage.covered, coverage.pictures)
    return Holding(sealed, searched, min(max(share, NEARLY_NOTHING), NEARLY_ALL), "partial")


def _searched(sealed: Span, granted: Span, window: Span) -> Span:
    """The window, without the little by which it differs from the one that was sealed; never less than is granted.

    Where nothing was widened when it was sealed, the clock was not known: then there is no measurement to differ from.
    """
    widened = sealed.start < granted.start or granted.end < sealed.end
    if not widened or window.start < sealed.start - CLOCK_TOLERANCE or sealed.end + CLOCK_TOLERANCE < window.end:
        return window
    start = min(granted.start, max(window.start, sealed.start))
    return Span(start, max(granted.end, min(window.end, sealed.end)))


def best(
    preserved: Iterable[Mapping[str, Any]], granted: Span, window: Span, least_share: float = LEAST_SHARE
) -> Holding | None:
    """The quarantine object that covers most of the window, or None when none shows any of the granted span."""
    holdings = []
    for row in preserved:
        sealed = Sealed.from_json(dict(row))
        if any(span.intersect(granted) for span in sealed.coverage.covered):
            holdings.append(measure(sealed, granted, window, least_share))
    return max(holdings, key=lambda holding: holding.share, default=None)


async def adopt(sealed: Sealed, target: Target, *, progress: Progress = lambda read_back, size: None) -> Sealed:
    """Copy a quarantine object's ciphertext to a master's key, checking its hash. Raises ObjectDamaged."""
    copied = await replicate(target.store, sealed.location, sealed.sha256_cipher, target, progress=progress)
    return replace(sealed, bucket=target.bucket, key=target.key, version_id=copied.version_id)
