"""Measure how long pictures are shown: frames in, covered spans out; all in nanoseconds."""

from collections import deque
from statistics import median

SECOND = 1_000_000_000
RECENT = 25  # frames that define the usual duration
SEAM = SECOND // 20  # a hole no longer than this is the roughness of time stamps


class Extent:
    """Covered time of one segment's pictures, measured frame by frame.

    A frame counts for as long as it says, unless that is far longer than its neighbours: recorders stretch the last
    frame before a gap over the gap.
    """

    def __init__(self) -> None:
        self.spans: list[list[int]] = []
        self._recent: deque[int] = deque(maxlen=RECENT)
        self._alike = 0  # how many of the last durations were the same

    @property
    def end(self) -> int | None:
        return self.spans[-1][1] if self.spans else None

    def usual(self, duration: int) -> int:
        """Return how long a frame of that stated duration counts for."""
        if duration > 0:
            self._alike = self._alike + 1 if self._recent and self._recent[-1] == duration else 1
            if self._alike > RECENT:
                return duration  # all of them, and so the middle one too
            self._recent.append(duration)
        if not self._recent:
            return SECOND // 25
        middle = int(median(self._recent))
        return duration if 0 < duration <= max(SECOND, 4 * middle) else min(middle, SECOND)

    def add(self, start: int, length: int) -> None:
        """Add a frame shown from ``start``, in rising order; a hole beyond the seam starts a new span."""
        if self.spans and start - self.spans[-1][1] <= SEAM:
            self.spans[-1][1] = max(self.spans[-1][1], start + length)
        else:
            self.spans.append([start, start + length])


def merged(spans: list[list[int]]) -> list[list[int]]:
    """Sort spans, and merge neighbours within the seam."""
    result: list[list[int]] = []
    for start, end in sorted(spans):
        if result and start - result[-1][1] <= SEAM:
            result[-1][1] = max(result[-1][1], end)
        else:
            result.append([start, end])
    return result
