"""Where a segment lies on the wall clock, and how it joins the one before it."""

from dataclasses import dataclass
from typing import Literal

from services.runtime.boxes import StreamMark
from services.vault.clip.covered_time import SEAM, SECOND
from services.vault.clip.source import Foreign

Relation = Literal["follows", "gap", "overlap", "refetch"]  # refetch: the same segment as before, from its beginning


RESYNC = 10 * SECOND  # a gap this long is not blurred by going back to the recorder's own times
DRIFT = 1000  # two clocks drift apart by no more than one part in so many


@dataclass
class Placement:
    """Places segments one after another.

    A segment begins at the time the recorder names it by. Two exceptions keep rough names from tearing or doubling
    footage: MediaMTX numbers the segments of a run and states their exact distance; and a segment that begins, by the
    names, within the join of the end before it (or the step of the recorder's times, where they are coarser) follows
    it. The shift holds until the next long gap, so that a camera whose clock runs fast neither loses pictures
    nor hides a gap; ``drift_ns`` says how far it went. Without a gap, names that are rough shift to and fro by no more
    than their roughness: where they would shift further, pictures are missing, and it is a gap.
    """

    join_ns: int
    end: int | None = None  # of the pictures read so far, in decoding time
    drift_ns: int = 0
    reorder: tuple[object, int] | None = None  # the streams read last, and how long after decoding they are shown
    broken_off: bool = False  # the segment before ended too early, so nothing follows it by nearness alone

    def __post_init__(self) -> None:
        self._before: tuple[StreamMark, int] | None = None
        self._seen: set[str] = set()
        self._shift = 0  # of the segment before, against its name
        self._placed: tuple[str, int] | None = None  # the segment before: its name and its time by it
        self._run = 0, 0  # of the segments without a gap: when the first begins by its name, and their latest shift

    def place(
        self, name: str, nominal: int, mark: StreamMark | None, first: int, step: int = 0
    ) -> tuple[int, Relation]:
        """Return the wall-clock time of the segment's media time 0, and its relation to the one before.

        ``first`` is the media time of its first picture in decoding order. Raises Foreign.
        """
        if mark is not None:
            self._check(name, mark, nominal + first)
        zero, distance, join = nominal, 0, max(self.join_ns, step)
        repeated = self._placed == (name, nominal)  # a segment that broke off is fetched again, from its beginning
        self._placed = (name, nominal)
        if repeated:
            zero = nominal + self._shift
        elif self.end is not None:
            placed = self._numbered(mark)
            distance = nominal + first - (self.end - self._shift) if placed is None else placed + first - self.end
            zero = self._zero(nominal, first, distance, self.end, join) if placed is None else placed
        self._shift = zero - nominal
        self.drift_ns = max(self.drift_ns, abs(self._shift))
        self._before = None if mark is None else (mark, zero)
        if mark is not None:
            self._seen.add(mark.stream)
        if repeated:
            return zero, "refetch"
        if self.end is None or distance > (0 if self.broken_off else join) or zero + first - self.end > SEAM:
            self._run = nominal, self._shift
            return zero, "gap"
        self._run = self._run[0], max(self._run[1], self._shift)
        return zero, "overlap" if distance < -join else "follows"

    def moved(self, by: int) -> None:
        """The segment that was placed last was moved by as much, to where the pictures that it repeats lie."""
        self._shift += by
        self.drift_ns = max(self.drift_ns, abs(self._shift))

    def _numbered(self, mark: StreamMark | None) -> int | None:
        """Where the recorder's own count puts the segment: only where it is the next of the same run."""
        if mark is None or self._before is None:
            return None
        before, placed = self._before
        if before.stream != mark.stream or mark.number != before.number + 1:
            return None
        return placed + mark.decode_ns - before.decode_ns

    def _zero(self, nominal: int, first: int, distance: int, end: int, join: int) -> int:
        if abs(distance) <= join and not (self.broken_off and distance > 0):
            begin, latest = self._run
            if distance <= 0 or latest - (end - first - nominal) <= join + (nominal - begin) // DRIFT:
                return end - first
        if distance > max(RESYNC, 2 * abs(self._shift)):
            return nominal
        return nominal + self._shift

    def _check(self, name: str, mark: StreamMark, begins: int) -> None:
        if self._before is None or self._before[0].stream == mark.stream:
            return
        if mark.stream in self._seen:
            raise Foreign(f"Segment {name} goes back to a stream that another one had replaced.")
        # A recorder that starts anew counts from 0; a later number right behind another stream is no new start.
        if mark.number and self.end is not None and abs(begins - self.end) <= SECOND:
            raise Foreign(f"Segment {name} is number {mark.number} of another stream than the segment before it.")
