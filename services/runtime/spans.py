"""Half-open spans of time in UTC, and their arithmetic for coverage."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, order=True)
class Span:
    """From ``start`` up to, not including, ``end``; both aware, in UTC."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError("a span needs aware datetimes")
        if self.end < self.start:
            raise ValueError(f"a span ends after it starts: {self.start.isoformat()} to {self.end.isoformat()}")
        object.__setattr__(self, "start", self.start.astimezone(UTC))
        object.__setattr__(self, "end", self.end.astimezone(UTC))

    @property
    def duration(self) -> timedelta:
        return self.end - self.start

    def intersect(self, other: "Span") -> "Span | None":
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Span(start, end) if start < end else None

    def widen(self, by: timedelta) -> "Span":
        return Span(self.start - by, self.end + by)


def merge(spans: Iterable[Span], *, tolerance: timedelta = timedelta()) -> list[Span]:
    """Sort and merge spans; neighbours no more than ``tolerance`` apart become one."""
    merged: list[Span] = []
    for span in sorted(spans):
        if merged and span.start - merged[-1].end <= tolerance:
            merged[-1] = Span(merged[-1].start, max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return merged


def merge_within(whole: Span, spans: Iterable[Span], *, tolerance: timedelta = timedelta()) -> list[Span]:
    """Return the parts of ``whole`` that the merged spans cover; the rest is as of ``merge``."""
    parts = (span.intersect(whole) for span in merge(spans, tolerance=tolerance))
    return [part for part in parts if part is not None]


def gaps(asked: Span, covered: Iterable[Span], *, tolerance: timedelta = timedelta()) -> list[Span]:
    """Return the gaps in ``asked``, without those of ``tolerance`` or less."""
    missing: list[Span] = []
    cursor = asked.start
    for part in merge_within(asked, covered):
        if part.start - cursor > tolerance:
            missing.append(Span(cursor, part.start))
        cursor = max(cursor, part.end)
    if asked.end - cursor > tolerance:
        missing.append(Span(cursor, asked.end))
    return missing


def covered_share(asked: Span, covered: Iterable[Span]) -> float:
    """Return covered over asked time, 0 to 1; 1 for an empty span."""
    if not asked.duration:
        return 1.0
    return sum((part.duration for part in merge_within(asked, covered)), timedelta()) / asked.duration
