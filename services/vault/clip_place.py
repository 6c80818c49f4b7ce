"""Where a segment lies on the wall clock, and how it joins the one before it."""

from dataclasses import dataclass
from typing import Literal

from services.runtime.boxes import StreamMark
from services.vault.clip_source import Foreign
from services.vault.clip_track import SECOND

Relation = Literal["follows", "gap", "overlap"]


@dataclass
class Placement:
    """Places segments one after another.

    A segment begins at the time the recorder names it by. Two exceptions keep recorders' rough names from tearing or
    doubling footage: MediaMTX numbers the segments of a run and states their exact distance, and a segment that begins
    within the join of the end before it follows it.
    """

    join_ns: int
    end: int | None = None  # of the pictures read so far, in decoding time
    drift_ns: int = 0  # the largest shift against the recorder's names

    def __post_init__(self) -> None:
        self._before: tuple[StreamMark, int] | None = None
        self._seen: set[str] = set()

    def place(self, name: str, nominal: int, mark: StreamMark | None, first: int) -> tuple[int, Relation]:
        """Wall-clock time of the segment's media time 0, and the relation to what came before.

        ``first`` is the media time of its first picture in decoding order. Raises Foreign.
        """
        zero = nominal
        consecutive = False
        if mark is not None:
            self._check(name, mark, nominal + first)
            if self._before is not None:
                before, placed = self._before
                consecutive = before.stream == mark.stream and mark.number == before.number + 1
                if consecutive:
                    zero = placed + mark.decode_ns - before.decode_ns
        if self.end is None:
            relation: Relation = "gap"
        else:
            distance = zero + first - self.end
            if abs(distance) <= self.join_ns:
                relation = "follows"
                zero -= 0 if consecutive else distance
            else:
                relation = "gap" if distance > 0 else "overlap"
        self.drift_ns = max(self.drift_ns, abs(zero - nominal))
        if mark is not None:
            self._seen.add(mark.stream)
            self._before = (mark, zero)
        else:
            self._before = None
        return zero, relation

    def _check(self, name: str, mark: StreamMark, begins: int) -> None:
        if self._before is None or self._before[0].stream == mark.stream:
            return
        if mark.stream in self._seen:
            raise Foreign(f"Segment {name} goes back to a stream that another one had replaced.")
        # A recorder that starts anew counts from 0; a later number right behind another stream is no new start.
        if mark.number and self.end is not None and abs(begins - self.end) <= SECOND:
            raise Foreign(f"Segment {name} is number {mark.number} of another stream than the segment before it.")
