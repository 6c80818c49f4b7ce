"""Measure what the quarantine, or the archive, holds of an item, and make it a master."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, TypeVar

from services.domain.cameras import clocks
from services.domain.cameras.clocks import MEASURED_APART
from services.domain.retrieval.archive import KeptMaster
from services.runtime.spans import Span, gaps
from services.vault.coverage import LEAST_SHARE, OutcomeWord, span_from_json
from services.vault.sealing import TOLERANCE_MS, Sealed
from services.vault.store.protocol import Store, StoreMissing, Target
from services.vault.store.replicas import Progress, replicate, verify
from services.vault.verdict import share_of

# Rounding never makes a partial item complete, nor one with a picture missing.
NEARLY_ALL, NEARLY_NOTHING = 0.999999, 0.000001


@dataclass(frozen=True)
class Holding:
    """A sealed object, the span that it is held against, and the share of it that it covers."""

    sealed: Sealed
    searched: Span
    share: float
    outcome: OutcomeWord


H = TypeVar("H", bound=Holding)


@dataclass(frozen=True)
class ArchivedHolding(Holding):
    """An object that is the master of another case."""

    of: KeptMaster


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
    if not widened or window.start < sealed.start - MEASURED_APART or sealed.end + MEASURED_APART < window.end:
        return window
    start = min(granted.start, max(window.start, sealed.start))
    return Span(start, max(granted.end, min(window.end, sealed.end)))


def best(
    preserved: Iterable[Mapping[str, Any]], granted: Span, window: Span, least_share: float = LEAST_SHARE
) -> Holding | None:
    """The quarantine object that covers most of the window, or None when none shows any of the granted span.

    Each is held against the window that the recorder's clock of its time gave, too: a clock that was set right since
    has not changed what was recorded before.
    """
    holdings = []
    for row in preserved:
        sealed = Sealed.from_json(dict(row))
        if any(span.intersect(granted) for span in sealed.coverage.covered):
            wider = _with_clock_of(sealed, row, granted, window)
            holdings.append(measure(sealed, granted, wider, least_share))
    return max(holdings, key=lambda holding: holding.share, default=None)


def _with_clock_of(sealed: Sealed, row: Mapping[str, Any], granted: Span, window: Span) -> Span:
    """Return the window, widened by as much as the search was when the object was preserved."""
    if "preservedOf" not in row:
        return window
    wanted, searched = span_from_json(row["preservedOf"]), sealed.coverage.asked
    start, end = granted.start + (searched.start - wanted.start), granted.end + (searched.end - wanted.end)
    return Span(min(window.start, start), max(window.end, end))


def as_released(holding: H | None, released: Span | None) -> H | None:
    """Return the holding as a copy may hold it: what lies beyond what the release was signed over is lacking."""
    if holding is None or released is None:
        return holding
    cut = within(holding, released)
    return holding if cut is None else cut


def within(holding: H, released: Span) -> H | None:
    """Return the holding without what lies beyond what the release was signed over; None where that is next to nothing.

    What that cuts off of the search is lacking, as no copy may hold it: the clock was set since, or measured anew.
    """
    searched, coverage = holding.searched, holding.sealed.coverage
    if not gaps(searched, [released], tolerance=MEASURED_APART):
        return None
    left = [part for span in coverage.covered if (part := span.intersect(released)) is not None]
    share = min(holding.share, share_of(searched, left, coverage.pictures))
    return replace(holding, share=max(share, NEARLY_NOTHING), outcome="partial")


def best_archived(
    archived: Iterable[KeptMaster], granted: Span, least_share: float = LEAST_SHARE
) -> ArchivedHolding | None:
    """The archived master that covers most, of those that hold no more than is wanted.

    Each is held against the granted span by both readings of the clock that was measured when it was retrieved.
    """
    holdings = []
    for one in archived:
        if one.fits(granted):
            window = clocks.search_span(granted, one.clock)
            held = measure(Sealed.from_json(one.sealed), granted, window, least_share)
            holdings.append(ArchivedHolding(_held_against(held), held.searched, held.share, held.outcome, one))
    return max(holdings, key=lambda holding: holding.share, default=None)


def _held_against(holding: Holding) -> Sealed:
    """What was sealed, with its coverage of what is searched now, of which it may hold a part."""
    sealed, searched = holding.sealed, holding.searched
    asked = sealed.coverage.asked
    if asked.start <= searched.start and searched.end <= asked.end:
        return sealed
    whole = Span(min(asked.start, searched.start), max(asked.end, searched.end))
    holes = gaps(whole, sealed.coverage.covered, tolerance=timedelta(milliseconds=TOLERANCE_MS))
    coverage = replace(
        sealed.coverage,
        asked=whole,
        gaps=tuple(holes),
        share=share_of(whole, sealed.coverage.covered, sealed.coverage.pictures),
        lead_in_ms=max(0, sealed.coverage.lead_in_ms - (asked.start - whole.start) // timedelta(milliseconds=1)),
        tail_ms=max(0, sealed.coverage.tail_ms - (whole.end - asked.end) // timedelta(milliseconds=1)),
    )
    return replace(sealed, outcome=holding.outcome, coverage=coverage)


async def adopt(sealed: Sealed, target: Target, *, progress: Progress = lambda read_back, size: None) -> Sealed:
    """Copy a quarantine object's ciphertext to a master's key, checking its hash. Raises ObjectDamaged."""
    copied = await replicate(target.store, sealed.location, sealed.sha256_cipher, target, progress=progress)
    return replace(sealed, bucket=target.bucket, key=target.key, version_id=copied.version_id)


async def faults_of(store: Store, sealed: Sealed) -> list[str]:
    """Read an object again and say what is wrong with it: missing or bytes; nothing where it is what was sealed."""
    kept = sealed.location
    try:
        intact = await verify(store, kept.bucket, kept.key, kept.version_id, sealed.sha256_cipher)
    except StoreMissing:
        return ["missing"]
    return [] if intact else ["bytes"]
