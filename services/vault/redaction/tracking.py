"""From the faces of single pictures to boxes with times: a face is followed by overlap from one picture to the next.

Boxes are proposals: they begin right behind the picture before the one in which the face was first seen, and end right
before the next one, so that the pictures between, which nobody looked at, are covered as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from services.vault.redaction.faces import Face
from services.vault.redaction.recipe import MOST_KEYFRAMES, MOST_REGIONS, SMALLEST

FOLLOWS = 0.25  # overlap from which a face is the one of the picture before
MISSED = 5  # pictures that were looked at: a face that was in none of them is another one when it comes back
FORGOTTEN_MS = 5000  # and so is one that was not seen for so long
ALONE = 0.5  # how sure the detector has to be of a face that it saw in a single picture
AROUND = 0.2  # of a face's side, by which its box is larger on each side: hair, chin and ears
WITHIN = 0.08  # of a face's side, by which a straight line between two positions may miss it


@dataclass(eq=False)
class _Track:
    since: int  # the picture before the first
    seen: list[tuple[int, Face]]
    until: int = 0  # the picture behind the last; 0 while it may go on
    missed: int = 0

    @property
    def last_at(self) -> int:
        return self.seen[-1][0]


@dataclass
class Tracker:
    """Follows faces; ``full`` once there are more boxes or positions than a recipe takes."""

    full_at: int | None = None
    _open: list[_Track] = field(default_factory=list)
    _ended: list[_Track] = field(default_factory=list)
    _before: int = -1

    def see(self, at: int, faces: Sequence[Face]) -> None:
        """Take the faces of the next picture, ``at`` milliseconds after the first of the footage."""
        if self.full_at is not None:
            return
        self._forget(at)
        for track in self._open:
            track.until = track.until or at
            track.missed += 1
        pairs = sorted(
            (
                (-track.seen[-1][1].overlap(face), number, place)
                for number, track in enumerate(self._open)
                for place, face in enumerate(faces)
                if track.seen[-1][1].overlap(face) >= FOLLOWS
            ),
        )
        followed: dict[int, int] = {}
        for _, number, place in pairs:
            if number not in followed and place not in followed.values():
                followed[number] = place
        for number, place in followed.items():
            self._open[number].seen.append((at, faces[place]))
            self._open[number].until = self._open[number].missed = 0
        taken = set(followed.values())
        self._open += [_Track(self._before, [(at, face)]) for place, face in enumerate(faces) if place not in taken]
        self._before = at
        if self._is_full():
            self.full_at = at

    def _forget(self, at: int) -> None:
        gone = [one for one in self._open if one.missed >= MISSED or at - one.last_at > FORGOTTEN_MS]
        self._ended += filter(_is_likely, gone)
        self._open = [one for one in self._open if one not in gone]

    def proposals(self, end_ms: int, width: int, height: int) -> list[dict[str, Any]]:
        """Return the boxes in pixels of a picture of this size, the earliest first, as regions with a score."""
        likely = [*self._ended, *filter(_is_likely, self._open)]
        tracks = sorted(likely, key=lambda one: (one.seen[0][0], -_score(one)))
        found = [_region(track, end_ms, width, height) for track in tracks]
        room, kept = MOST_KEYFRAMES, []
        for region in found[:MOST_REGIONS]:
            room -= len(region["keyframes"])
            if room < 0:
                break
            kept.append(region)
        if len(kept) < len(found):
            left_out = found[len(kept)]["start"]
            self.full_at = left_out if self.full_at is None else min(self.full_at, left_out)
        return kept

    def _is_full(self) -> bool:
        return len(self._open) + len(self._ended) > MOST_REGIONS


def _is_likely(track: _Track) -> bool:
    return len(track.seen) > 1 or _score(track) >= ALONE


def _score(track: _Track) -> float:
    return max(face.score for _, face in track.seen)


def _region(track: _Track, end_ms: int, width: int, height: int) -> dict[str, Any]:
    start = max(0, track.since + 1)
    end = max(track.last_at, (track.until - 1) if track.until else end_ms)
    places = _straightened(track.seen)
    return {
        "start": start,
        "end": end,
        "score": round(_score(track), 3),
        "keyframes": [{"at": at, **_box(face, width, height)} for at, face in places],
    }


def _straightened(seen: list[tuple[int, Face]]) -> list[tuple[int, Face]]:
    """Leave out the positions that a straight line between others comes close to (Ramer, Douglas and Peucker)."""
    kept, waiting = {0, len(seen) - 1}, [(0, len(seen) - 1)]
    while waiting:
        first, last = waiting.pop()
        worst, place = WITHIN, 0
        for number in range(first + 1, last):
            missed = _missed(seen[first], seen[last], seen[number])
            if missed > worst:
                worst, place = missed, number
        if place:
            kept.add(place)
            waiting += [(first, place), (place, last)]
    return [seen[number] for number in sorted(kept)]


def _missed(first: tuple[int, Face], last: tuple[int, Face], seen: tuple[int, Face]) -> float:
    """Return by how much of its own side the line misses a face at its worst edge."""
    share = (seen[0] - first[0]) / max(1, last[0] - first[0])
    face, missed = seen[1], 0.0
    for low, high in (("left", "right"), ("top", "bottom")):
        side = max(1e-6, getattr(face, high) - getattr(face, low))
        for edge in (low, high):
            a, b = getattr(first[1], edge), getattr(last[1], edge)
            missed = max(missed, abs(a + (b - a) * share - getattr(face, edge)) / side)
    return missed


def _box(face: Face, width: int, height: int) -> dict[str, int]:
    x, wide = _stretch(face.left, face.right, width)
    y, high = _stretch(face.top, face.bottom, height)
    return {"x": x, "y": y, "width": wide, "height": high}


def _stretch(low: float, high: float, side: int) -> tuple[int, int]:
    """Return where a box begins and how long it is: larger than the face, inside the picture, not too small."""
    margin = (high - low) * AROUND
    start = max(0, int((low - margin) * side))
    end = min(side, -int(-(high + margin) * side // 1))
    length = min(side, max(SMALLEST, end - start))
    return min(start, side - length), length
