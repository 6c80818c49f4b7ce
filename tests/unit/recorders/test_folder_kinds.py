"""Files that are named and made as the usual recorders make them: read by their bytes, or named as not read."""

import os
import random
import struct
from datetime import timedelta
from pathlib import Path

import pytest
from films import film
from footage_formats import boxed, packed, shoot
from footage_maker import Camera
from recorders.judged import judged
from vault_bench import NOON, Bench, span

from services.recorders.folder.layout import LONGEST, measured
from services.recorders.folder.mp4_extents import read_extent
from services.recorders.folder.recorder import FolderRecorder
from services.recorders.folder.stream_extents import LONGEST_HOURS
from services.runtime.boxes import boxes
from services.vault.coverage import FootageMissing, FootageUnreadable

ASKED = span(0, 4)
NAME = "20260301_120000"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench.in_folder(tmp_path)


def recorder(bench: Bench, layout: str = "plain") -> FolderRecorder:
    return FolderRecorder.from_configuration({"root": str(bench.root), "layout": layout})


def put(bench: Bench, name: str, body: bytes) -> Path:
    path = bench.root / "gate" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    return path


def m2ts(body: bytes) -> bytes:
    """A transport stream as cameras write it: four bytes of time before each packet."""
    return b"".join(bytes(4) + body[place : place + 188] for place in range(0, len(body), 188))


def avi(body: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", len(body)) + b"AVI LIST" + body


@pytest.mark.requirement("R34")
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("mpeg", "ps"),
        ("VOB", "ps"),
        ("webm", "matroska"),
        ("3gp", "fmp4"),
        ("m2ts", "ts"),
        ("mp4", "hikvision"),
        ("mp4", "ts"),
        ("ts", "fmp4"),
        ("dat", "ps"),
        ("avi", "matroska"),
    ],
)
async def test_what_is_read_is_read_whatever_it_is_called(bench: Bench, name: str, kind: str) -> None:
    shot = shoot("h264")
    body = packed(shot, brand=True) if kind == "hikvision" else film(shot, kind).body
    put(bench, f"{NAME}.{name}", body)
    sealed = await judged(bench, recorder(bench), ASKED, "gate")
    assert (sealed.outcome, sealed.coverage.packets) == ("complete", 40)


BODIES = {
    "dav": b"DHAV" + random.Random(1).randbytes(5000),  # noqa: S311 - no secret
    "avi": avi(bytes(5000)),
    "m2ts": m2ts(boxed(shoot("h264"), "ts")),
    "mts": m2ts(boxed(shoot("h264"), "ts")),
    "264": b"".join(one.body for one in shoot("h264").pictures),
    "flv": b"FLV\1" + bytes(5000),
    "asf": b"\x30\x26\xb2\x75" + bytes(5000),
    "nvr": random.Random(2).randbytes(5000),  # noqa: S311 - no secret
}


@pytest.mark.requirement("R34", "R35")
@pytest.mark.parametrize("minute", [0, 30])
@pytest.mark.parametrize("kind", BODIES)
async def test_footage_that_is_not_read_is_unreadable_by_its_name_and_never_missing(
    bench: Bench, kind: str, minute: int
) -> None:
    put(bench, f"{NAME}.{kind}", BODIES[kind])
    asked = span(minute * 60, minute * 60 + 4)
    with pytest.raises(FootageUnreadable, match=rf"{NAME}\.{kind}") as refusal:
        await judged(bench, recorder(bench), asked, "gate")
    assert "nothing recorded" not in str(refusal.value)
    assert bench.objects() == []
    assert await recorder(bench).list_unread("gate", asked) == [f"{NAME}.{kind}"]


@pytest.mark.requirement("R34")
async def test_files_beside_footage_do_not_count(bench: Bench) -> None:
    put(bench, f"{NAME}.mp4", film(shoot("h264"), "fmp4").body)
    beside = {"jpg": b"\xff\xd8\xff\xe0" + bytes(900), "json": b'{"a": 1}', "idx": b"\1\2\3" * 900, "lock": b""}
    for suffix, body in beside.items():
        put(bench, f"{NAME}.{suffix}", body)
    put(bench, "20260301_120500.jpg", beside["jpg"])
    source = recorder(bench)
    assert [one.name async for one in source.fetch("gate", span(0, 400))] == [f"{NAME}.mp4"]
    assert (await judged(bench, source, ASKED, "gate")).outcome == "complete"
    with pytest.raises(FootageMissing):
        await judged(bench, source, span(300, 310), "gate", key="masters/item/2")


@pytest.mark.parametrize("written", [None, timedelta(seconds=90)])
def test_file_whose_length_is_not_known_reaches_to_the_next_or_to_its_last_writing(
    bench: Bench, written: timedelta | None
) -> None:
    path = put(bench, f"{NAME}.dav", BODIES["dav"])
    closed = (NOON - timedelta(days=1) if written is None else NOON + written).timestamp()
    os.utime(path, (closed, closed))
    lasts = LONGEST if written is None else written
    for following, end in ((None, lasts), (NOON + timedelta(seconds=70), timedelta(seconds=70))):
        file = measured(path, NOON, following)
        assert file is not None
        assert file.span.end == NOON + end


@pytest.mark.requirement("R34")
@pytest.mark.parametrize("time", [(1 << 63) - 5, (1 << 64) - 1, 1 << 45])
@pytest.mark.parametrize("layout", ["mediamtx", "plain"])
async def test_one_file_whose_times_are_garbled_is_its_own_finding(bench: Bench, layout: str, time: int) -> None:
    written = Camera(bench.root, "gate", marked=False).record(NOON, 12)
    victim = written[1].path
    body = bytearray(victim.read_bytes())
    moof = [box for box in boxes(bytes(body)) if box.kind == "moof"][1]
    place = body.index(b"tfdt", moof.start) + 8
    body[place : place + 8] = time.to_bytes(8, "big")
    victim.write_bytes(body)
    source = recorder(bench, layout)
    assert (await source.probe()).oldest_frame == {"gate": NOON}
    assert (await source.coverage("gate", span(0, 12)))[-1].end == span(0, 12).end
    sealed = await judged(bench, source, span(0, 12), "gate")
    assert sealed.outcome == "partial"
    assert sealed.coverage.share > 0.6


@pytest.mark.parametrize("year", ["0001", "9999"])
async def test_name_of_no_possible_time_says_nothing(bench: Bench, year: str) -> None:
    put(bench, f"{NAME}.mp4", film(shoot("h264"), "fmp4").body)
    put(bench, f"{year}0101_000000.mp4", b"")
    source = FolderRecorder.from_configuration({"root": str(bench.root), "layout": "plain", "zone": "Asia/Shanghai"})
    assert (await source.probe()).reachable
    assert await source.coverage("gate", ASKED) == []


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.parametrize("way", ["fmp4", "faststart", "mp4"])
def test_no_change_of_an_index_makes_the_measuring_fail(bench: Bench, seed: int, way: str) -> None:
    chance = random.Random(seed)  # noqa: S311 - a place, no secret
    body = bytearray(film(shoot("h264", "aac"), way).body)
    places = [at for box in boxes(bytes(body)) if box.kind in ("moov", "moof") for at in range(box.start, box.end)]
    for _ in range(chance.choice([1, 2, 5, 20])):
        at, width = chance.choice(places), chance.choice([1, 4, 8])
        body[at : at + width] = chance.choice([bytes(width), b"\xff" * width, chance.randbytes(width)])
    if chance.random() < 0.2:
        del body[chance.randrange(len(body)) :]
    path = put(bench, f"{NAME}.mp4", bytes(body))
    extent = read_extent(path)
    assert all(0 <= begin <= end < LONGEST_HOURS * 3600 for begin, end in extent.pieces)
    file = measured(path, NOON, None)
    assert NOON <= file.span.start <= file.span.end <= NOON + timedelta(hours=LONGEST_HOURS)
