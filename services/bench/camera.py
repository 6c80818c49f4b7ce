"""The camera that is measured with: one segment, which repeats from a moment on."""

import math
from datetime import UTC, datetime, timedelta

from services.runtime.spans import Span

START = datetime(2026, 1, 1, tzinfo=UTC)
SECONDS = 10
CHANNEL = "camera"


def segments_of(size: int, segment: int) -> int:
    """How many segments of ``segment`` bytes make at least ``size`` bytes."""
    return max(1, math.ceil(size / segment))


def span_of(number: int, count: int = 1) -> Span:
    """Where ``count`` segments from the ``number``-th on lie on the wall clock."""
    start = START + timedelta(seconds=number * SECONDS)
    return Span(start, start + timedelta(seconds=count * SECONDS))
