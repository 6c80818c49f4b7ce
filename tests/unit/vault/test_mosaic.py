"""A mosaic: what is under it is averages of cells, few of them, whatever the size of picture and box (R58)."""

import random
from collections.abc import Sequence
from itertools import pairwise

import av
import pytest

from services.vault.redaction.drawing import CELLS_OF_BOX, LEAST_CELL, Plan, Rectangle

SIZES = ((176, 144), (192, 128), (640, 480), (704, 576), (1280, 720), (1920, 1080))
ROUNDING = 3  # levels: each of the two steps of the average is rounded


def picture(size: tuple[int, int], seed: int) -> list[bytearray]:
    """Rows of noise, of which two neighbours are alike by chance alone."""
    rng = random.Random(seed)  # noqa: S311 - pixels, no secret
    return [bytearray(rng.randbytes(size[0])) for _ in range(size[1])]


def frame_of(rows: Sequence[bytes]) -> av.VideoFrame:
    frame = av.VideoFrame(len(rows[0]), len(rows), "yuv420p")
    stride = frame.planes[0].line_size
    frame.planes[0].update(b"".join(bytes(row).ljust(stride, b"\0") for row in rows))
    for plane in frame.planes[1:]:
        plane.update(bytes([128]) * plane.buffer_size)
    return frame


def levels(frame: av.VideoFrame, box: Rectangle) -> list[bytes]:
    plane = memoryview(frame.planes[0])
    stride = frame.planes[0].line_size
    return [bytes(plane[y * stride + box.left : y * stride + box.right]) for y in range(box.top, box.bottom)]


def hidden(rows: Sequence[bytes], box: Rectangle) -> list[bytes]:
    """Return what a mosaic leaves of the pixels of a box."""
    keyframe = {"at": 0, "x": box.left, "y": box.top, "width": box.right - box.left, "height": box.bottom - box.top}
    plan = Plan(
        {
            "mode": "blur-these",
            "style": "pixelate",
            "sound": False,
            "picture": {"width": len(rows[0]), "height": len(rows)},
            "regions": [{"start": 0, "end": 0, "keyframes": [keyframe]}],
        }
    )
    frame = frame_of(rows)
    [drawn] = plan.rectangles(0, frame.width, frame.height)
    assert drawn == box
    return levels(plan.draw(frame, [drawn]), box)


def runs(values: Sequence[object]) -> int:
    """Return how many stretches of the same value follow one another."""
    return 1 + sum(a != b for a, b in pairwise(values))


def faces(size: tuple[int, int]) -> list[Rectangle]:
    """Boxes around faces: up to half as high again as wide, small to half of the picture, at uneven places."""
    rng, found = random.Random(size[0]), []  # noqa: S311 - places, no secret
    for short in (16, 24, 34, 46, 64, 98, 130, 200, 320, 500):
        tall = min(short * 3 // 2 // 2 * 2, size[1])
        if short * 2 <= size[0] and short <= size[1]:
            left, top = rng.randrange(0, size[0] - short + 1, 2), rng.randrange(0, size[1] - tall + 1, 2)
            found.append(Rectangle(left, top, left + short, top + tall))
    return found


@pytest.mark.requirement("R58")
@pytest.mark.parametrize("size", SIZES)
def test_over_a_face_lie_five_cells_by_seven_at_most(size: tuple[int, int]) -> None:
    rows = picture(size, 1)
    for box in faces(size):
        left = hidden(rows, box)
        across = runs([tuple(column) for column in zip(*left, strict=True)])
        down = runs(left)
        long = -(-CELLS_OF_BOX * max(box.bottom - box.top, box.right - box.left) // box.short_side)
        assert across <= CELLS_OF_BOX + 1, (box, across)
        assert down <= long + 1 <= 7, (box, down)
        assert len({level for row in left for level in row}) <= across * down
        # and no cell is shorter than sixteen pixels
        assert across <= -(-(box.right - box.left) // LEAST_CELL) + 1
        assert down <= -(-(box.bottom - box.top) // LEAST_CELL) + 1


@pytest.mark.requirement("R58")
@pytest.mark.parametrize("size", [(192, 128), (640, 480)])
def test_pictures_with_the_same_averages_are_the_same_under_a_mosaic(size: tuple[int, int]) -> None:
    """So nothing of a cell but its average is left: its pixels are shuffled, and the mosaic does not show it."""
    rows, cell, rng = picture(size, 2), 16, random.Random(3)  # noqa: S311 - pixels, no secret
    box = Rectangle(32, 32, 96, 80)
    shuffled = [bytearray(row) for row in rows]
    for top in range(0, size[1], cell):
        for left in range(0, size[0], cell):
            places = [(x, y) for y in range(top, top + cell) for x in range(left, left + cell)]
            values = [rows[y][x] for x, y in places]
            rng.shuffle(values)
            for (x, y), value in zip(places, values, strict=True):
                shuffled[y][x] = value
    assert sum(a != b for a, b in zip(rows[40], shuffled[40], strict=True)) > size[0] // 2

    for mine, other in zip(hidden(rows, box), hidden(shuffled, box), strict=True):
        assert max(abs(a - b) for a, b in zip(mine, other, strict=True)) <= ROUNDING
    for top in range(box.top, box.bottom, cell):
        for left in range(box.left, box.right, cell):
            mean = sum(rows[y][x] for y in range(top, top + cell) for x in range(left, left + cell)) / cell**2
            shown = hidden(rows, box)[top - box.top][left - box.left]
            assert abs(shown - mean) <= ROUNDING
