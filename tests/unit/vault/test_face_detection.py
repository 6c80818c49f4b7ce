"""Proposals of boxes: what the network answers, faces followed from picture to picture, and a whole run on a face."""

import io
import math
from collections.abc import AsyncIterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from services.vault.redaction import detection, detector, faces, recipe
from services.vault.redaction.client import RedactionFailed, RedactionRefused
from services.vault.redaction.detection import Detection
from services.vault.redaction.faces import Candidate, Face
from services.vault.redaction.tracking import AROUND, FORGOTTEN_MS, MISSED, Tracker

# Eileen Collins, photographed by NASA; in the public domain.
PORTRAIT = Path(__file__).parents[2] / "data" / "faces" / "astronaut.jpg"
PORTRAIT_FACE = (42, 29, 88, 88)  # where her face is in it
BASE = Fraction(1, 90_000)
FRAGMENTED = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "use_editlist": "0"}


def face(x: float, y: float = 0.4, *, side: float = 0.1, score: float = 0.9) -> Face:
    return Face(x, y, x + side, y + side, score)


def cell(column: int, row: int, score: float, *, side: float = 40.0, right: float = 0.0) -> Candidate:
    size = math.log(side / faces.CELL)
    return Candidate(score, column, row, size, size, right, 0.0)


def test_a_cell_of_the_answer_becomes_a_box_and_of_those_that_overlap_the_surest() -> None:
    beside, best, other = cell(19, 20, 0.8, right=1.0), cell(20, 20, 0.9), cell(60, 20, 0.5)
    [first, second] = faces.decode([beside, best, other], 320, 160)
    assert (first.score, second.score) == (0.9, 0.5)
    # the middle of the cell is at 82 of 320 and of 160 pixels, and the box 40 pixels wide
    assert first.left * 320 == pytest.approx(62)
    assert first.right * 320 == pytest.approx(102)
    assert first.top * 160 == pytest.approx(62)


@pytest.mark.parametrize("wrong", [math.nan, math.inf, 500.0])
def test_an_answer_that_is_no_number_is_no_face(wrong: float) -> None:
    assert faces.decode([Candidate(0.9, 1, 1, wrong, 1.0, 0.0, 0.0)], 320, 160) == []


def test_a_face_at_the_edge_stays_inside_the_picture() -> None:
    [found] = faces.decode([cell(0, 0, 0.9, side=80)], 320, 160)
    assert (found.left, found.top) == (0.0, 0.0)


def covers(region: dict[str, Any], at: int, seen: Face, side: int) -> bool:
    """Whether the box covers the face at this moment, between its positions too."""
    places = region["keyframes"]
    before = max((one for one in places if one["at"] <= at), key=lambda one: one["at"], default=places[0])
    after = min((one for one in places if one["at"] >= at), key=lambda one: one["at"], default=places[-1])
    span = after["at"] - before["at"]
    share = (at - before["at"]) / span if span > 0 else 0.0

    def edge(name: str, size: str = "") -> float:
        one, two = (place[name] + (place[size] if size else 0) for place in (before, after))
        return float(one + (two - one) * share)

    return (
        region["start"] <= at <= region["end"]
        and edge("x") <= seen.left * side
        and edge("y") <= seen.top * side
        and edge("x", "width") >= seen.right * side
        and edge("y", "height") >= seen.bottom * side
    )


@pytest.mark.requirement("R58")
def test_a_face_that_moves_is_one_box_that_covers_it_in_every_picture() -> None:
    tracker, seen = Tracker(), []
    for number in range(40):  # there and back on a curve, looked at every 120 ms
        at = 1000 + number * 120
        one = face(0.3 + 0.2 * math.sin(number / 8), 0.4 + 0.1 * math.cos(number / 6))
        seen.append((at, one))
        tracker.see(at, [one])
    tracker.see(6000, [])

    [region] = tracker.proposals(10_000, 1000, 1000)

    assert all(covers(region, at, one, 1000) for at, one in seen)
    assert region["end"] == 5999  # up to the picture in which it was seen no more
    assert len(region["keyframes"]) < 25
    given = {"mode": "blur-these", "picture": {"width": 1000, "height": 1000}, "detection": "d"}
    recipe.read({**given, "regions": [{**{k: v for k, v in region.items() if k != "score"}, "proposed": 0}]})


def test_pictures_between_two_that_were_looked_at_are_covered_at_both_ends() -> None:
    tracker = Tracker()
    for at, found in ((0, []), (120, []), (240, [face(0.5)]), (360, [face(0.5)]), (480, []), (600, [])):
        tracker.see(at, found)
    [region] = tracker.proposals(2000, 640, 360)
    assert (region["start"], region["end"]) == (121, 479)


def test_two_faces_that_pass_are_two_boxes_and_one_that_comes_back_late_is_another() -> None:
    tracker = Tracker()
    for number in range(10):
        tracker.see(number * 100, [face(0.1 + number * 0.01, 0.1), face(0.8 - number * 0.01, 0.7)])
    for number in range(10, 10 + MISSED):
        tracker.see(number * 100, [])
    tracker.see(2000, [face(0.2, 0.1)])
    tracker.see(2100, [face(0.2, 0.1)])
    regions = tracker.proposals(9000, 640, 360)
    assert [len(regions), regions[-1]["end"]] == [3, 9000]  # still there at the end


def test_one_glimpse_counts_where_the_detector_is_sure() -> None:
    tracker = Tracker()
    for at in (0, 100, 200):
        tracker.see(at, [face(0.1, score=0.4), face(0.6, score=0.8)] if at == 100 else [])
    [region] = tracker.proposals(1000, 640, 360)
    assert region["score"] == 0.8
    assert (region["start"], region["end"]) == (1, 199)


def test_a_box_is_larger_than_the_face_and_inside_the_picture() -> None:
    tracker = Tracker()
    for at in (0, 100):
        tracker.see(at, [face(0.0, 0.95, side=0.05), face(0.5, side=0.001)])
    corner, least = sorted(tracker.proposals(200, 400, 400), key=lambda one: one["keyframes"][0]["x"])
    [at_corner], [small] = corner["keyframes"][:1], least["keyframes"][:1]
    assert (at_corner["x"], at_corner["y"] + at_corner["height"]) == (0, 400)
    assert at_corner["width"] >= 400 * 0.05 * (1 + AROUND)
    assert (small["width"], small["height"]) == (recipe.SMALLEST, recipe.SMALLEST)


def test_more_faces_than_a_recipe_takes_are_said_to_be_left_out() -> None:
    tracker = Tracker()
    for number in range(recipe.MOST_REGIONS // 10 + 2):
        at = number * 2 * FORGOTTEN_MS
        tracker.see(at, [face(0.09 * place, side=0.05) for place in range(10)])
    regions = tracker.proposals(10**7, 640, 360)
    assert len(regions) <= recipe.MOST_REGIONS
    assert tracker.full_at is not None
    assert regions[-1]["start"] <= tracker.full_at


async def pieces_of(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 5000):
        yield data[start : start + 5000]


def film(count: int = 10) -> bytes:
    """The portrait moves to the right over grey, 40 ms a picture: 8 pixels with each."""
    with av.open(str(PORTRAIT)) as given:
        portrait = next(given.decode(video=0)).reformat(format="yuv420p")
    target = io.BytesIO()
    with av.open(target, "w", format="mp4", options=FRAGMENTED) as container:
        encoder = container.add_stream("libx264", rate=25)
        encoder.width, encoder.height, encoder.pix_fmt = 320, 192, "yuv420p"
        encoder.options = {"preset": "ultrafast", "crf": "14", "bf": "0"}
        encoder.codec_context.time_base = encoder.time_base = BASE
        for number in range(count):
            frame = av.VideoFrame(320, 192, "yuv420p")
            frame.pts, frame.time_base = number * 3600, BASE
            for plane, source, shift in zip(frame.planes, portrait.planes, (0, 1, 1), strict=True):
                rows = bytearray(bytes([128]) * plane.buffer_size)
                given_rows, side = bytes(source), 128 >> shift
                for row in range(side):
                    place = (row + (32 >> shift)) * plane.line_size + ((16 + 8 * number) >> shift)
                    rows[place : place + side] = given_rows[row * source.line_size :][:side]
                plane.update(bytes(rows))
            container.mux(encoder.encode(frame))
        container.mux(encoder.encode(None))
    return target.getvalue()


@pytest.mark.tool("face-detector")
@pytest.mark.requirement("R58")
async def test_a_face_is_found_in_a_confined_process_and_followed() -> None:
    search = Detection()

    await search.search(pieces_of(film()), 0)

    found = search.proposals(400)
    assert (search.pictures, search.looked_at) == (10, 4)
    assert found["picture"] == {"width": 320, "height": 192}
    assert found["untilMs"] is None
    [region] = found["boxes"]
    assert (region["start"], region["end"]) == (0, 400)
    assert region["score"] > 0.6
    left, top, right, bottom = PORTRAIT_FACE
    for number in range(10):
        x = 16 + 8 * number
        seen = Face((x + left) / 320, (32 + top) / 320, (x + right) / 320, (32 + bottom) / 320, 1.0)
        assert covers(region, number * 40, seen, 320), number


@pytest.mark.tool("face-detector")
async def test_what_is_no_footage_is_refused_with_a_sentence() -> None:
    with pytest.raises(RedactionRefused, match="cannot be read"):
        await Detection().search(pieces_of(b"\0\0\0\x18ftypisom" + b"\0" * 5000), 0)


async def test_without_the_detector_nothing_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detector, "is_installed", lambda: False)
    with pytest.raises(detection.NoDetector, match="draw the boxes by hand"):
        await Detection().search(pieces_of(b""), 0)


@pytest.mark.parametrize(
    "line",
    [
        b"no json",
        b'{"at": 0, "size": [9, 9], "faces": [[0, 0, 2, 1, 1]]}',
        b'{"at": -5, "size": [9, 9], "faces": []}',
        b'{"at": 0, "size": [9, 99999999], "faces": []}',
        b'{"at": 0, "size": [9, 9], "faces": [[0, 0, NaN, 1, 1]]}',
        b'{"at": 0, "size": [9], "faces": []}',
    ],
)
def test_nothing_that_a_process_says_is_believed(line: bytes) -> None:
    with pytest.raises(RedactionFailed, match="sent a line"):
        Detection()._see(line)
