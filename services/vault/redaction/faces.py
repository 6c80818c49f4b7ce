"""From what the face detector's network answers to boxes: its cells, and of those that overlap the best alone.

CenterFace answers in cells of four by four pixels: how likely the middle of a face is there, the logarithm of its size,
and where in the cell the middle is. No library for arrays is needed here.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

CELL = 4  # pixels of the network's picture
SAME_FACE = 0.3  # overlap from which two boxes are of one face
MOST_FACES = 100  # of one picture


@dataclass(frozen=True)
class Candidate:
    """A cell of the answer: its place, and what the network says of it."""

    score: float
    column: int
    row: int
    width: float  # logarithms, in cells
    height: float
    right: float  # of the cell's corner, in cells
    down: float


@dataclass(frozen=True)
class Face:
    """A box, as shares of the picture's sides, and how sure the detector is, 0 to 1."""

    left: float
    top: float
    right: float
    bottom: float
    score: float

    @property
    def area(self) -> float:
        return max(0.0, self.right - self.left) * max(0.0, self.bottom - self.top)

    def overlap(self, other: "Face") -> float:
        """Return what both cover as a share of what either covers."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        shared = max(0.0, width) * max(0.0, height)
        whole = self.area + other.area - shared
        return shared / whole if whole > 0 else 0.0


def decode(candidates: Iterable[Candidate], width: int, height: int) -> list[Face]:
    """Return the faces of a picture that the network saw at this size, the surest first."""
    faces = [face for face in (_face(one, width, height) for one in candidates) if face is not None]
    kept: list[Face] = []
    for face in sorted(faces, key=lambda one: -one.score):
        if len(kept) == MOST_FACES:
            break
        if all(face.overlap(one) < SAME_FACE for one in kept):
            kept.append(face)
    return kept


def _face(one: Candidate, width: int, height: int) -> Face | None:
    numbers = (one.score, one.width, one.height, one.right, one.down)
    if not all(map(math.isfinite, numbers)) or max(one.width, one.height) > 12:
        return None
    across, down = math.exp(one.width) * CELL, math.exp(one.height) * CELL
    x, y = (one.column + one.right + 0.5) * CELL, (one.row + one.down + 0.5) * CELL
    left, right = (min(max(edge / width, 0.0), 1.0) for edge in (x - across / 2, x + across / 2))
    top, bottom = (min(max(edge / height, 0.0), 1.0) for edge in (y - down / 2, y + down / 2))
    face = Face(left, top, right, bottom, min(max(one.score, 0.0), 1.0))
    return face if face.area > 0 else None
