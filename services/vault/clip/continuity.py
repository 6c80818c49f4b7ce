"""How a clip's pictures follow one another: how many lack between those that are there, and how far apart they are.

A hole longer than the rhythm allows is no covered time, and shows as a gap. What is counted here are the short losses,
which add up: by the numbers that pictures carry where they go on and leave out no kind of picture, else by the time
between them.
"""

from collections import Counter
from dataclasses import dataclass

from services.vault.clip.bitstream import first_slice
from services.vault.clip.covered_time import FLOOR, SECOND, Rhythm
from services.vault.clip.picture_numbers import PictureCounter, numbering_of
from services.vault.clip.tracks import Tracks

STEP = SECOND // 10_000  # of the distances that are counted
FASTEST = SECOND // 240  # more pictures a second than that no camera makes
FEW = 3  # key frames that need not have anything between them
SHORT, LATE = 0.75, 1.5  # of the median: a picture that came late makes the next distance short
SECOND_PICTURE = 2  # of a file
FORGIVEN = 12  # pictures within which one that came late is made up for


@dataclass
class ContinuityReport:
    """``lost`` is what lacks beside the gaps; ``median_ns`` is 0 where there are too few pictures to tell."""

    pictures: int = 0
    lost: int = 0
    holes: int = 0
    longest_ns: int = 0
    median_ns: int = 0
    keys_only: bool = False  # key frames are all there is, and how many pictures lay between them is not known


class Continuity:
    """Counts the pictures of a clip from ``start_ns`` on, as they are written."""

    def __init__(self, start_ns: int) -> None:
        self.rhythm = Rhythm()
        self.uncovered: list[list[int]] = []  # what was believed at first and is a hole
        self._start = start_ns
        self._report = ContinuityReport()
        self._distances: Counter[int] = Counter()
        self._key: tuple[object, ...] | None = None
        self._before: int | None = None
        self._early: list[tuple[int, int]] = []
        self._stream = _Stream(None)
        self._of_segment = 0

    def begin_segment(self) -> None:
        """The next picture is the first of another file."""
        self._of_segment = 0

    def begin(self, tracks: Tracks) -> None:
        """The pictures from here on are of these streams."""
        if tracks.key != self._key:
            self._end_stream()
            self.rhythm, self._key = Rhythm(), tracks.key
            self._stream = _Stream(tracks)

    def jump(self) -> None:
        """The next picture does not follow the one before."""
        self._stream.numbers.jump()

    def declared(self, tracks: Tracks, interval_ns: int) -> None:
        """How long a picture of these streams lasts by their parameter sets; 0 where they do not say."""
        if tracks.key == self._key:
            self._stream.declared = interval_ns

    def believed(self, start: int, length: int) -> None:
        """A picture counts for as long, before the rhythm is settled."""
        if length > FLOOR and not self.rhythm.settled:
            self._early.append((start, length))

    def add(self, at: int, picture: bytes, tracks: Tracks, *, key: bool) -> None:
        """The next picture that is written, at its decoding time."""
        before, self._before = self._before, at
        self._of_segment += 1
        if self.rhythm.settled:
            self._judge_first()
        stream, report, rhythm = self._stream, self._report, self.rhythm
        distance = 0 if before is None else max(0, at - before)
        late = distance > (rhythm.limit if rhythm.settled else max(SECOND, 4 * rhythm.middle))
        if late:
            stream.numbers.jump()
        known = stream.numbers.known
        lacking = stream.numbers.add(first_slice(tracks.codec, picture, tracks.length_width))
        goes_on, counted = stream.numbers.known > known, stream.numbers.counted
        # FFmpeg shows a file's first picture longer, by what its sound begins late.
        opening = self._of_segment == SECOND_PICTURE and not goes_on
        excess = lacking if at < self._start or before is None else max(0, lacking - distance // FASTEST)
        stream.numbers.lost -= excess
        report.pictures += at >= self._start
        if at < self._start:
            stream.numbers.disregard()
        if at < self._start or before is None:
            return
        stream.pictures += 1
        stream.keys += key
        report.longest_ns = max(report.longest_ns, distance)
        self._distances[distance // STEP] += 1
        if not late:
            stream.spent[goes_on] += distance
            stream.counts[goes_on] += 1
        if late:
            report.holes += 1
        elif lacking > excess:
            stream.numbered += 1
        elif not rhythm.settled:
            stream.first.append((distance, counted, goes_on, opening))
        elif not opening:
            self._by_time(distance, counted, goes_on=goes_on)

    def _by_time(self, distance: int, counted: int, *, goes_on: bool) -> None:
        """Count what lacks by the rhythm, where the numbers do not say it, beyond those already ``counted``.

        ``goes_on``: they say that nothing does; a late picture before is then the first at a slower rate.
        """
        stream, report, ratio = self._stream, self._report, distance / max(1, self.rhythm.middle)
        if ratio > LATE:
            ratio -= counted
        if ratio > LATE and goes_on:
            if stream.late and not stream.since:
                report.lost -= stream.late
                report.holes -= 1
            stream.late = 0
        elif ratio > LATE and self.rhythm.regular:
            stream.late, stream.since, stream.early = round(ratio) - 1, 0, 0.0
            report.lost += stream.late
            report.holes += 1
        elif stream.late:
            stream.since += 1
            stream.early += 1 - ratio if ratio < SHORT else 0.0
            if stream.early >= 0.5:
                stream.early -= 1
                stream.late -= 1
                report.lost -= 1
                report.holes -= not stream.late
            if stream.since >= FORGIVEN:
                stream.late = 0

    def finish(self) -> ContinuityReport:
        """What was found, once all pictures were written."""
        self._end_stream()
        half = sum(self._distances.values()) / 2
        for distance, count in sorted(self._distances.items()):
            half -= count
            if half <= 0:
                self._report.median_ns = distance * STEP
                break
        return self._report

    def _judge_first(self) -> None:
        """Judge the pictures from before the rhythm was settled by what is known of it now."""
        for start, length in self._early:
            if length > self.rhythm.limit:
                self.uncovered.append([start + self.rhythm.middle, start + length])
        self._early.clear()
        for distance, counted, goes_on, opening in self._stream.first:
            if distance > self.rhythm.limit:
                self._report.holes += 1
            elif not opening:
                self._by_time(distance, counted, goes_on=goes_on)
        self._stream.first.clear()

    def _end_stream(self) -> None:
        self._judge_first()
        stream, report = self._stream, self._report
        numbers = stream.numbers
        slower = self.rhythm.middle / stream.declared if stream.declared else 0.0
        numbers.finish(slower)
        report.lost += numbers.lost
        report.holes += max(stream.numbered, numbers.places)
        if 2 * numbers.lost > numbers.known:
            # Thinned out: where no number says it, as many lack in the same time as elsewhere.
            rate = (stream.counts[True] + numbers.lost) / max(1, stream.spent[True])
            report.lost += max(0, round(stream.spent[False] * rate) - stream.counts[False])
        if stream.pictures >= FEW and stream.keys == stream.pictures and numbers.leans:
            report.lost += stream.pictures * max(0, round(slower) - 1)
            report.keys_only |= not slower


class _Stream:
    """What is counted of pictures under the same parameter sets."""

    def __init__(self, tracks: Tracks | None) -> None:
        self.numbers = PictureCounter(numbering_of(tracks.codec, tracks.sets) if tracks else None)
        self.declared = 0
        self.pictures = self.keys = 0
        self.late = self.since = 0  # pictures that lack by time since the last late one, and how long ago that was
        self.early = 0.0  # by how much the pictures since came early, in pictures
        # Pictures that came in time and the distances before them, by whether their numbers go on.
        self.counts, self.spent = {False: 0, True: 0}, {False: 0, True: 0}
        self.numbered = 0  # places at which the next picture's number says that some lack
        # Distances before the rhythm was settled, how many of those that lack are counted, and what else is known.
        self.first: list[tuple[int, int, bool, bool]] = []
