"""What the quarantine holds of an item, measured against the granted span, and how it becomes a master."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from services.runtime.spans import Span, covered_share, gaps
from services.vault.coverage import Coverage
from services.vault.replicas import Progress, replicate
from services.vault.sealing import TOLERANCE_MS, Sealed
from services.vault.store import Store

# A partial item is never told as complete by rounding, and one with a picture never as missing.
NEARLY_ALL, NEARLY_NOTHING = 0.999999, 0.000001


@dataclass(frozen=True)
class Holding:
    """A sealed object and the share of the granted span that it covers."""

    sealed: Sealed
    share: float
    outcome: str  # complete, partial


def measure(coverage: Coverage, granted: Span, outcome: str) -> tuple[float, str]:
    """The covered share of the granted span and its outcome; what was sealed may reach further than what is granted."""
    holes = gaps(granted, coverage.covered, tolerance=timedelta(milliseconds=TOLERANCE_MS))
    beyond = coverage.asked.start < granted.start or granted.end < coverage.asked.end
    if not holes and (outcome == "complete" or (beyond and not coverage.problems)):
        return 1.0, "complete"
    share = round(covered_share(granted, coverage.covered), 6)
    return min(max(share, NEARLY_NOTHING), NEARLY_ALL), "partial"


def best(preserved: Iterable[Mapping[str, Any]], granted: Span) -> Holding | None:
    """The quarantine object that covers most of the granted span, or None when none shows any of it."""
    holdings = []
    for told in preserved:
        sealed = Sealed.from_json(dict(told))
        if any(span.intersect(granted) for span in sealed.coverage.covered):
            holdings.append(Holding(sealed, *measure(sealed.coverage, granted, sealed.outcome)))
    return max(holdings, key=lambda holding: holding.share, default=None)


async def adopt(
    store: Store,
    sealed: Sealed,
    *,
    bucket: str,
    key: str,
    metadata: Mapping[str, str],
    progress: Progress = lambda read_back, size: None,
) -> Sealed:
    """Copy a quarantine object's ciphertext under a master's key, hash checked, nothing cut. Raises ObjectDamaged."""
    copied = await replicate(
        store,
        sealed.bucket,
        sealed.key,
        sealed.version_id,
        sealed.sha256_cipher,
        target=store,
        target_bucket=bucket,
        target_key=key,
        metadata=metadata,
        progress=progress,
    )
    return replace(sealed, bucket=bucket, key=key, version_id=copied.version_id)
