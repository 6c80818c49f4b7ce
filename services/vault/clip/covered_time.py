"""Measure how long pictures are shown: frames in, covered spans out; all in nanoseconds."""

from collections import deque
from statistics import median

SECOND = 1_000_000_000
RECENT = 25  # frames that define the usual duration
FLOOR = SECOND // 5  # a regular stream's pictures are never late below
SEAM = SECOND // 20  # a hole no longer than this is the roughness of time stamps


class Rhythm:
    """How long a stream's pictures usually last, by those read last."""

    def __init__(self) -> None:
        self._recent: deque[int] = deque(maxlen=RECENT)
        self._alike = 0  # how many of the last durations were the same
        self._middle = 0
        self._judged: tuple[bool, int] | None = None  # ``regular`` and ``limit``, until another duration is read

    @property
    def middle(self) -> int:
        """The median, 0 where nothing is known."""
        return self._middle

    @property
    def settled(self) -> bool:
        """Whether enough is known to call a picture late."""
        return len(self._recent) == RECENT

    @property
    def regular(self) -> bool:
        """Whether most of the last pictures lasted about as long as their median."""
        return self._judge()[0]

    @property
    def limit(self) -> int:
        """How long a picture may last before the next one lacks: four times the median, and no less than ``FLOOR``.

        A stream that is irregular by nature, as of a camera that sends little when nothing moves, has a second.
        """
        return self._judge()[1]

    def _judge(self) -> tuple[bool, int]:
        if self._judged is None:
            near = sum(4 * abs(one - self._middle) <= self._middle for one in self._recent)
            regular = 2 * near >= len(self._recent)
            self._judged = regular, max(FLOOR if regular else SECOND, 4 * self._middle)
        return self._judged

    def usual(self, duration: int) -> int:
        """Return how long a picture of that stated duration counts for.

        As long as it says, unless that is far longer than its neighbours: recorders stretch the last one before a gap
        over the gap. The first ones are believed up to a second, until the rhythm is ``settled``.
        """
        if duration > 0:
            self._alike = self._alike + 1 if self._recent and self._recent[-1] == duration else 1
            if self._alike > RECENT:
                return duration  # all of them, and so the middle one too
            self._recent.append(duration)
            self._middle = int(median(self._recent))
            self._judged = None
        if not self._recent:
            return SECOND // 25
        limit = self.limit if self.settled else max(SECOND, 4 * self._middle)
        return duration if 0 < duration <= limit else min(self._middle, SECOND)


class Extent:
    """Covered time of one segment's pictures, measured one by one."""

    def __init__(self) -> None:
        self.spans: list[list[int]] = []

    @property
    def end(self) -> int | None:
        return self.spans[-1][1] if self.spans else None

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


def without(spans: list[list[int]], holes: list[list[int]]) -> list[list[int]]:
    """Take the holes out of the spans."""
    for hole, end in holes:
        spans = [
            piece
            for start, stop in spans
            for piece in ([start, min(stop, hole)], [max(start, end), stop])
            if piece[0] < piece[1]
        ]
    return spans
