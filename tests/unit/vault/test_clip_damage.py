"""Damaged fragmented MP4: a picture that lacks is never counted as there, whatever the library makes of the rest."""

import io
import json
import random
from collections.abc import Sequence
from typing import Any

import av
import pytest
from films import film
from footage_formats import FPS, lengths_to_units, shoot

from services.runtime.boxes import boxes
from services.vault.clip.process import cut
from services.vault.clip.protocol import Heading, Job, frame, pack, read_frames

SECOND = 10**9
KINDS = [("h264", 0, False), ("h264", 2, False), ("h264", 2, True), ("hevc", 0, False), ("hevc", 2, True)]


def clip_of(
    bodies: Sequence[bytes], starts: Sequence[float], start: float, end: float, piece: int = 1 << 20
) -> tuple[bytes, Any]:
    """The clip and its report, None where it was refused; the footage comes in pieces of that size."""
    pipe, out, told = io.BytesIO(), io.BytesIO(), io.BytesIO()
    pipe.write(pack(b"J", Job(int(start * SECOND), int(end * SECOND), SECOND // 5, 96 << 20)))
    for number, (body, begins) in enumerate(zip(bodies, starts, strict=True)):
        pipe.write(pack(b"S", Heading(str(number), int(begins * SECOND), "fmp4", len(body))))
        for place in range(0, len(body), piece):
            pipe.write(frame(b"D", body[place : place + piece]))
        pipe.write(frame(b"E"))
    pipe.seek(0)
    cut(read_frames(pipe), out, told)
    last = json.loads(told.getvalue().splitlines()[-1])
    return out.getvalue(), last.get("report")


def pictures_of(clip: bytes, report: Any) -> list[list[bytes]]:
    found = []
    for part in report["parts"]:
        body = io.BytesIO(clip[part["offset"] : part["offset"] + part["length"]])
        with av.open(body, "r", format="mov") as container:
            found += [lengths_to_units(bytes(packet)) for packet in container.demux(video=0) if packet.size]
    return found


def damaged(body: bytes, chance: random.Random, kind: str, count: int) -> bytearray:
    """The body with so many bytes changed in boxes of that kind."""
    harmed = bytearray(body)
    places = [box for box in boxes(body) if box.kind == kind]
    for _ in range(count):
        box = chance.choice(places)
        at = chance.randrange(box.start, box.end)
        harmed[at] = chance.choice([harmed[at] ^ (1 << chance.randrange(8)), 0, 255, chance.randrange(256)])
    return harmed


@pytest.mark.requirement("R32", "R36")
@pytest.mark.parametrize("kind", KINDS)
def test_the_clip_holds_the_pictures_that_came_in_whatever_pieces(kind: tuple[str, int, bool]) -> None:
    video, reorder, open_group = kind
    shot = shoot(video, reorder=reorder, open_group=open_group)
    body = film(shot, "fmp4").body
    clip, report = clip_of([body] * 3, [0, 4, 8], 0, 12)
    assert pictures_of(clip, report) == shot.units * 3
    assert [source["problem"] for source in report["sources"]] == [None] * 3
    assert clip_of([body] * 3, [0, 4, 8], 0, 12, piece=777) == (clip, report)


@pytest.mark.requirement("R32")
def test_segments_that_are_laid_out_differently_follow_one_another() -> None:
    shot, wide = shoot("h264"), shoot("h264", size=(320, 192))
    ways = {way: film(shot, way).body for way in ("fmp4", "faststart")} | {"wide": film(wide, "fmp4").body}
    for order in (["fmp4", "faststart", "fmp4"], ["fmp4", "faststart", "wide"], ["wide", "wide", "faststart"]):
        clip, report = clip_of([ways[way] for way in order], [0, 4, 8], 0, 12)
        expected = [picture for way in order for picture in (wide if way == "wide" else shot).units]
        assert pictures_of(clip, report) == expected
        assert report["covered"] == [[0, 12 * SECOND]]


@pytest.mark.requirement("R32", "R34")
@pytest.mark.parametrize("seed", range(60))
def test_an_index_that_was_hit_or_cut_off_hides_no_picture(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a place, no secret
    video, reorder, open_group = chance.choice(KINDS)
    shot = shoot(video, reorder=reorder, open_group=open_group)
    body = film(shot, "fmp4").body
    harmed = damaged(body, chance, chance.choice(["moof", "moof", "moov"]), chance.choice([0, 1, 1, 2, 5]))
    if chance.random() < 0.3:
        del harmed[chance.randrange(len(harmed)) :]
    if chance.random() < 0.2:
        at = chance.randrange(len(harmed))
        harmed[at:at] = bytes(chance.randrange(1, 9))
    clip, report = clip_of([bytes(harmed)], [0], 0, 4, chance.choice([999, 30_000, 1 << 20]))
    if report is None:  # a kind of pictures that nobody knows
        return
    [source] = report["sources"]
    if source["problem"]:  # it is partial at best
        return
    found = pictures_of(clip, report)
    lacking = [number for number, picture in enumerate(shot.units) if picture not in found]
    covered = sum(end - start for start, end in report["covered"])
    assert covered <= 4 * SECOND * (1 - len(lacking) / len(shot.units)) + SECOND / FPS


@pytest.mark.requirement("R32")
@pytest.mark.parametrize("seed", range(30))
def test_a_picture_that_does_not_fit_its_lengths_is_told(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a place, no secret
    shot = shoot("h264")
    body = bytearray(film(shot, "fmp4").body)
    mdat = chance.choice([box for box in boxes(bytes(body)) if box.kind == "mdat"])
    body[mdat.body] ^= 1 << chance.randrange(8)  # the first byte of the length before the first unit
    clip, report = clip_of([bytes(body)], [0], 0, 4)
    [source] = report["sources"]
    assert source["problem"]
    assert sum(end - start for start, end in report["covered"]) <= 3 * SECOND
    assert pictures_of(clip, report)


@pytest.mark.requirement("R34")
@pytest.mark.parametrize("time", [0, 7, 20_000, 1 << 33, (1 << 63) - 5, (1 << 64) - 5])
@pytest.mark.parametrize("which", [0, 1, 2])
def test_times_that_leap_cover_no_more_than_there_is(time: int, which: int) -> None:
    shot = shoot("h264", reorder=2, open_group=True)
    body = bytearray(film(shot, "fmp4").body)
    moof = [box for box in boxes(bytes(body)) if box.kind == "moof"][which]
    place = body.index(b"tfdt", moof.start) + 8
    body[place : place + 8] = time.to_bytes(8, "big")
    sound = film(shoot("h264"), "fmp4").body
    clip, report = clip_of([sound, bytes(body), sound], [0, 4, 8], 0, 14)
    assert len(pictures_of(clip, report)) == report["packets"]
    lacking = [picture for picture in shot.units if picture not in pictures_of(clip, report)]
    covered = sum(end - start for start, end in report["covered"])
    assert covered <= (12 - len(lacking) / FPS) * SECOND + SECOND // FPS
