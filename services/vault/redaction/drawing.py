"""Draw a recipe into pictures: pixels are replaced before anything is encoded, so that the source is not in the file.

Everything is done on the planes of YUV 4:2:0; without a library for arrays a row of a box is one assignment.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from av.video.frame import VideoFrame

BLACK = {"yuv420p": 16, "yuvj420p": 0}
GREY = 128  # of both colour planes
FORMATS = tuple(BLACK)
CELLS_OF_BOX = 4  # of a mosaic along the short side of a box
CELLS_OF_PICTURE = 8  # and of the picture, where all of it but a box is hidden
LEAST_CELL = 16  # pixels


@dataclass(frozen=True)
class Rectangle:
    """Pixels from ``left`` and ``top`` up to ``right`` and ``bottom``, which it does not hold."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def short_side(self) -> int:
        return min(self.right - self.left, self.bottom - self.top)

    @property
    def is_empty(self) -> bool:
        return self.right <= self.left or self.bottom <= self.top


@dataclass(frozen=True)
class _Keyframe:
    at: int
    edges: tuple[int, int, int, int]  # left, top, right, bottom


@dataclass(frozen=True)
class _Region:
    start: int
    end: int
    keyframes: tuple[_Keyframe, ...]
    moments: tuple[int, ...]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "_Region":
        keyframes = tuple(
            _Keyframe(one["at"], (one["x"], one["y"], one["x"] + one["width"], one["y"] + one["height"]))
            for one in data["keyframes"]
        )
        return cls(data["start"], data["end"], keyframes, tuple(one.at for one in keyframes))

    def edges_at(self, at: int) -> tuple[Fraction, ...] | None:
        """Return the edges at this moment; None outside its time."""
        if not self.start <= at <= self.end:
            return None
        place = bisect_right(self.moments, at)
        before = self.keyframes[max(0, place - 1)]
        after = self.keyframes[min(place, len(self.keyframes) - 1)]
        share = Fraction(at - before.at, after.at - before.at) if before.at < at < after.at else Fraction(0)
        return tuple(Fraction(a) + (b - a) * share for a, b in zip(before.edges, after.edges, strict=True))


class Plan:
    """A recipe, ready to draw. ``from_json`` reads what ``recipe.Recipe.to_json`` writes."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.keeps = data["mode"] == "keep-one"
        self.mosaic = data["style"] == "pixelate"
        self.sound = bool(data["sound"])
        self._picture = int(data["picture"]["width"]), int(data["picture"]["height"])
        self._regions = [_Region.from_json(one) for one in data["regions"]]

    def rectangles(self, at: int, width: int, height: int, *, interlaced: bool = False) -> list[Rectangle]:
        """Return the boxes at a moment in pixels of a picture of this size.

        On even pixels, because two share their colour, or four lines of two fields: what is hidden grows to them, and
        what is kept shrinks.
        """
        grid = 4 if interlaced else 2  # both ways, for the picture may have been turned
        across, down = Fraction(width, self._picture[0]), Fraction(height, self._picture[1])
        found = []
        for region in self._regions:
            edges = region.edges_at(at)
            if edges is None:
                continue
            left, top, right, bottom = (
                edge * scale for edge, scale in zip(edges, (across, down, across, down), strict=True)
            )
            low, high = (_up, _down) if self.keeps else (_down, _up)
            rectangle = Rectangle(
                max(0, low(left, grid)),
                max(0, low(top, grid)),
                min(width, high(right, grid)),
                min(height, high(bottom, grid)),
            )
            if not rectangle.is_empty:
                found.append(rectangle)
        return found

    def draw(self, frame: VideoFrame, rectangles: Sequence[Rectangle]) -> VideoFrame:
        """Return the picture with its boxes; it may be the same object, changed.

        ``frame`` is of one of ``FORMATS``, with even sides.
        """
        if self.keeps:
            return self._keep(frame, rectangles)
        if not rectangles:
            return frame
        frame.make_writable()
        hidden: dict[int, VideoFrame] = {}
        for rectangle in rectangles:
            if not self.mosaic:
                _fill(frame, rectangle)
                continue
            cell = _cell(rectangle.short_side, CELLS_OF_BOX)
            if cell not in hidden:
                hidden[cell] = _mosaic(frame, cell)
            _copy(hidden[cell], frame, rectangle)
        return frame

    def _keep(self, frame: VideoFrame, rectangles: Sequence[Rectangle]) -> VideoFrame:
        if self.mosaic:
            hidden = _mosaic(frame, _cell(min(frame.width, frame.height), CELLS_OF_PICTURE))
            hidden.make_writable()
        else:
            hidden = VideoFrame(frame.width, frame.height, frame.format.name)
            _fill(hidden, Rectangle(0, 0, frame.width, frame.height))
        for rectangle in rectangles:
            _copy(frame, hidden, rectangle)
        return hidden


def _down(edge: Fraction, grid: int) -> int:
    return int(edge // grid) * grid


def _up(edge: Fraction, grid: int) -> int:
    return int(-(-edge // grid)) * grid


def _cell(side: int, count: int) -> int:
    """Return how long a cell is at least: a multiple of eight, so that boxes that grow share their mosaics."""
    return max(LEAST_CELL, -(-side // count // 8) * 8)


def _mosaic(frame: VideoFrame, cell: int) -> VideoFrame:
    """Return the picture as averages of cells that are as long as that at least; its own pixels are not in it."""
    # an even number of cells: the colour planes have half as many pixels
    across, down = (max(2, side // cell // 2 * 2) for side in (frame.width, frame.height))
    small = frame.reformat(2 * across, 2 * down, interpolation="AREA")
    smaller = small.reformat(across, down, interpolation="AREA")
    return smaller.reformat(frame.width, frame.height, interpolation="POINT")


def _rows(frame: VideoFrame, rectangle: Rectangle) -> Iterator[tuple[int, int, int, int]]:
    """Yield for each row of each plane: the plane, the row, and where the rectangle's pixels begin and end in it."""
    for number in range(3):
        shift = 1 if number else 0
        left, right = rectangle.left >> shift, rectangle.right >> shift
        for row in range(rectangle.top >> shift, rectangle.bottom >> shift):
            yield number, row, left, right


def _fill(frame: VideoFrame, rectangle: Rectangle) -> None:
    levels = (BLACK[frame.format.name], GREY, GREY)
    views = [memoryview(plane) for plane in frame.planes]
    strides = [plane.line_size for plane in frame.planes]
    width = rectangle.right - rectangle.left
    fills = [bytes([level]) * width for level in levels]
    for number, row, left, right in _rows(frame, rectangle):
        start = row * strides[number]
        views[number][start + left : start + right] = fills[number][: right - left]


def _copy(source: VideoFrame, target: VideoFrame, rectangle: Rectangle) -> None:
    given = [memoryview(plane) for plane in source.planes]
    taken = [memoryview(plane) for plane in target.planes]
    from_strides = [plane.line_size for plane in source.planes]
    to_strides = [plane.line_size for plane in target.planes]
    for number, row, left, right in _rows(target, rectangle):
        start, place = row * from_strides[number], row * to_strides[number]
        taken[number][place + left : place + right] = given[number][start + left : start + right]
