"""The camera of the benchmarks: one segment that is repeated."""

import math
from datetime import UTC, datetime, timedelta

from services.runtime.spans import Span

START = datetime(2026, 1, 1, tzinfo=UTC)
SECONDS = 10
CHANNEL = "camera"


def segments_of(size: int, segment: int) -> int:
    """Return the number of segments of ``segment`` bytes that make at least ``size`` bytes."""
    return max(1, math.ceil(size / segment))


def span_of(number: int, count: int = 1) -> Span:
    """Return the span of ``count`` segments from the ``number``-th on."""
    start = START + timedelta(seconds=number * SECONDS)
    return Span(start, start + timedelta(seconds=count * SECONDS))
