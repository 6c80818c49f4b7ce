"""Fragments that are passed on where they lie: the clip is the same to the byte as through the media library."""

import io
import json
import random
from collections.abc import Sequence
from typing import Any

import pytest
from films import film
from footage_formats import shoot

from services.runtime.boxes import boxes
from services.vault import clip_fragments, clip_source, clip_track
from services.vault.clip_pipes import Inlet
from services.vault.clip_process import cut
from services.vault.clip_sample import Sample
from services.vault.clip_tables import defaults, table
from services.vault.framing import Heading, Job, frame, pack

SECOND = 10**9
KINDS = [("h264", 0, False), ("h264", 2, False), ("h264", 2, True), ("hevc", 0, False), ("hevc", 2, True)]


def clip_of(
    bodies: Sequence[bytes], starts: Sequence[float], start: float, end: float, piece: int
) -> tuple[bytes, Any]:
    """The clip and what was told of it; the footage comes in pieces of that size."""
    pipe, out, told = io.BytesIO(), io.BytesIO(), io.BytesIO()
    pipe.write(pack(b"J", Job(int(start * SECOND), int(end * SECOND), SECOND // 5, 96 << 20)))
    for number, (body, begins) in enumerate(zip(bodies, starts, strict=True)):
        pipe.write(pack(b"S", Heading(str(number), int(begins * SECOND), "fmp4", len(body))))
        for place in range(0, len(body), piece):
            pipe.write(frame(b"D", body[place : place + piece]))
        pipe.write(frame(b"E"))
    pipe.seek(0)
    cut(Inlet(pipe), out, told)
    return out.getvalue(), [json.loads(line) for line in told.getvalue().splitlines()]


def assert_same(
    monkeypatch: pytest.MonkeyPatch,
    bodies: Sequence[bytes],
    starts: Sequence[float],
    asked: tuple[float, float],
    piece: int = 1 << 20,
) -> Any:
    """Both ways give the same bytes and the same report, which is given back."""
    clip, told = clip_of(bodies, starts, *asked, piece)
    with monkeypatch.context() as patch:
        patch.setattr(clip_source, "defaults", lambda _: None)
        otherwise, told_otherwise = clip_of(bodies, starts, *asked, piece)
    assert told == told_otherwise
    assert clip == otherwise
    return told[-1].get("report")


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> list[Sample]:
    """The pictures that were passed on where they lay."""
    found: list[Sample] = []

    def noted(*place: Any, **key: Any) -> Sample:
        found.append(Sample(*place, **key))
        return found[-1]

    monkeypatch.setattr(clip_fragments, "Sample", noted)
    return found


@pytest.mark.requirement("R32", "R36")
@pytest.mark.parametrize("piece", [777, 1 << 20])
@pytest.mark.parametrize("kind", KINDS)
def test_the_clip_is_the_same_to_the_byte(
    monkeypatch: pytest.MonkeyPatch, passed: list[Sample], kind: tuple[str, int, bool], piece: int
) -> None:
    video, reorder, open_group = kind
    body = film(shoot(video, reorder=reorder, open_group=open_group), "fmp4").body
    for asked in ((0, 12), (1.5, 10.2), (5, 6)):
        report = assert_same(monkeypatch, [body] * 3, [0, 4, 8], asked, piece)
        assert report["packets"] > 0
    assert passed


@pytest.mark.parametrize("starts", [(0, 4.15, 8.05), (0, 6, 12), (0, 3, 5), (0, 0, 4)])
def test_gaps_and_overlaps_are_the_same(monkeypatch: pytest.MonkeyPatch, starts: tuple[float, ...]) -> None:
    body, other = (film(shoot("h264", tint=tint), "fmp4").body for tint in (0, 3))
    assert_same(monkeypatch, [body, other, body], starts, (0.5, 20))


def test_ways_and_sizes_that_change_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, wide = film(shoot("h264"), "fmp4").body, film(shoot("h264", size=(320, 192)), "fmp4").body
    other = film(shoot("h264"), "faststart").body
    for order in ([plain, other, plain], [other, plain, wide], [wide, wide, other]):
        assert_same(monkeypatch, order, [0, 4, 8], (0, 12))


@pytest.mark.requirement("R34")
@pytest.mark.parametrize("seed", range(24))
def test_damage_is_told_the_same(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a place, no secret
    monkeypatch.setattr(clip_track, "RECENT", (25, 4)[seed % 2])  # with 4, more pictures are carried together
    video, reorder, open_group = KINDS[seed % len(KINDS)]
    body = film(shoot(video, reorder=reorder, open_group=open_group), "fmp4").body
    harmed = bytearray(body)
    places = [box for box in boxes(body) if box.kind == chance.choice(["moof", "mdat"])] or list(boxes(body))
    for _ in range(chance.choice([1, 1, 4])):
        box = chance.choice(places)
        harmed[chance.randrange(box.start, box.end)] ^= 1 << chance.randrange(8)
    if chance.random() < 0.4:
        del harmed[chance.randrange(len(harmed)) :]
    assert_same(monkeypatch, [body, bytes(harmed), body], [0, 4, 8], (0.7, 12), chance.choice([999, 1 << 20]))


# Each of the first was told otherwise once: times that MP4 cannot say, an index that is not whole, a fragment that
# points back into the one before.
@pytest.mark.requirement("R34")
@pytest.mark.parametrize("seed", [1040, 24254, 26478, 26609, 27341, 28068, 28555, 40352, 40580, *range(7000, 7020)])
def test_what_was_found_by_chance_is_told_the_same(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a place, no secret
    video, reorder, open_group = chance.choice(KINDS)
    body = film(shoot(video, reorder=reorder, open_group=open_group), "fmp4").body
    harmed, kind = bytearray(body), chance.choice(["moof", "moof", "mdat", "moov", "any"])
    places = [box for box in boxes(body) if kind in (box.kind, "any")]
    for _ in range(chance.choice([0, 1, 1, 2, 5])):
        box = chance.choice(places)
        at = chance.randrange(box.start, box.end)
        harmed[at] = chance.choice([harmed[at] ^ (1 << chance.randrange(8)), 0, 255, chance.randrange(256)])
    if chance.random() < 0.25:
        del harmed[chance.randrange(len(harmed)) :]
    if chance.random() < 0.1:
        at = chance.randrange(len(harmed))
        harmed[at:at] = bytes(chance.randrange(1, 9))
    start = chance.uniform(0, 5)
    asked = start, start + chance.uniform(1, 9)
    assert_same(monkeypatch, [body, bytes(harmed), body], [0, 4, 8], asked, 30_000)


@pytest.mark.parametrize("time", [0, 7, 20_000, 1 << 33, (1 << 63) - 5, (1 << 64) - 5])
@pytest.mark.parametrize("which", [0, 1, 2])
def test_times_that_leap_are_the_same(monkeypatch: pytest.MonkeyPatch, time: int, which: int) -> None:
    body = bytearray(film(shoot("h264", reorder=2, open_group=True), "fmp4").body)
    moof = [box for box in boxes(bytes(body)) if box.kind == "moof"][which]
    place = body.index(b"tfdt", moof.start) + 8
    body[place : place + 8] = time.to_bytes(8, "big")
    sound = film(shoot("h264"), "fmp4").body
    assert_same(monkeypatch, [sound, bytes(body), sound], [0, 4, 8], (0, 14))


def test_a_large_fragment_is_left_to_the_library(monkeypatch: pytest.MonkeyPatch, passed: list[Sample]) -> None:
    monkeypatch.setattr(clip_fragments, "LARGEST", 1000)
    body = film(shoot("h264"), "fmp4").body
    assert assert_same(monkeypatch, [body] * 2, [0, 4], (0, 8))["packets"] == 80
    assert passed == []


def test_a_table_that_is_laid_out_otherwise_is_left_to_the_library() -> None:
    body = film(shoot("h264"), "fmp4").body
    held = {box.kind: body[box.start : box.end] for box in boxes(body)}
    known = defaults(held["moov"])
    assert known is not None
    rows = table(held["moof"], known)
    assert rows is not None
    assert [row.key for row in rows] == [True] + [False] * 9
    for length in range(len(held["moof"])):
        assert table(held["moof"][:length], known) is None
    for there, instead in ((b"stsz", b"free"), (b"stts" + bytes(7), b"stts" + bytes(6) + b"\1")):
        assert defaults(held["moov"].replace(there, instead)) is None
    place = held["moov"].index(b"avc1") - 4  # the description of the pictures claims more, or less, than there is
    assert defaults(held["moov"][:place] + b"\1" + held["moov"][place + 1 :]) is None
    assert defaults(held["moov"].replace(b"avc1", b"mp4v")) is None
    assert defaults(held["moov"].replace(b"vmhd", b"edts")) is not None  # not where it counts
    assert table(held["moof"].replace(b"mfhd", b"free"), known) is None
