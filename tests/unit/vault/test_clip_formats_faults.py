"""What is wrong with Matroska, MPEG-TS and MPEG-PS is named, and what lacks lies in a gap: as with MP4."""

import io
import json
import random
from typing import Any

import av
import pytest
from films import Film, assert_honest, film, pictures
from footage_formats import FPS, TICKS, lengths_to_units, shoot
from vault_bench import Bench, span

from services.vault.clip.process import cut
from services.vault.clip.protocol import Heading, Job, frame, pack, read_frames
from services.vault.coverage import FootageUnreadable, WrongFootage

KINDS: dict[str, dict[str, Any]] = {"matroska": {}, "live": {"live": True}, "ts": {}, "ps": {}, "faststart": {}}


def made(kind: str, audio: str | None = None, **changes: Any) -> Film:
    return film(shoot("h264", audio), {"live": "matroska"}.get(kind, kind), **KINDS[kind], **changes)


@pytest.mark.requirement("R32", refuses=True)
@pytest.mark.parametrize("share", [0.02, 0.6, 0.9995])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_segment_that_was_cut_off_is_never_complete(bench: Bench, kind: str, share: float) -> None:
    whole = made(kind)
    body = whole.body[: int(len(whole.body) * share)]
    sealed = None
    try:
        sealed = await bench.seal(span(0, 4), [whole.given(body=body)])
    except FootageUnreadable:
        assert share < 0.1
    else:
        assert sealed.outcome == "partial"
        assert sealed.coverage.problems
        assert_honest(bench, sealed, whole)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_body_shorter_than_promised_is_never_complete(bench: Bench, kind: str) -> None:
    whole = made(kind)
    # At the end of a cell, a packet or a cluster the bytes themselves may not tell.
    mark = {"mkv": b"\x1f\x43\xb6\x75", "ps": b"\0\0\1\xba"}.get(whole.container)
    cut = len(whole.body) // 2 // 188 * 188 if mark is None else whole.body.rindex(mark)
    sealed = await bench.seal(span(0, 4), [whole.given(body=whole.body[:cut], size=len(whole.body))])
    assert sealed.outcome == "partial"
    assert sealed.coverage.problems


@pytest.mark.parametrize("kind", ["matroska", "ts", "ps"])
@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "empty body"),
        (b"<!DOCTYPE html><html><body>Please sign in</body></html>" * 60, "HTML page"),
        (b'{"error":"no recording segments found"}', "that is no (Matroska|MPEG-TS|MPEG-PS)"),
    ],
)
async def test_what_is_no_footage_is_told(bench: Bench, kind: str, body: bytes, words: str) -> None:
    with pytest.raises(FootageUnreadable, match=words):
        await bench.seal(span(0, 4), [made(kind).given(body=body)])
    assert bench.objects() == []


@pytest.mark.requirement("R32")
@pytest.mark.parametrize(
    ("kind", "length"),
    [("matroska", 40_000), ("live", 40_000), ("ts", 200), ("ts", 3000), ("ts", 40_000), ("ps", 6000), ("ps", 40_000)],
)
@pytest.mark.parametrize("share", [0.3, 0.55])
async def test_garbage_in_the_middle_is_named_and_what_it_hit_lies_in_a_gap(
    bench: Bench, kind: str, length: int, share: float
) -> None:
    whole = made(kind, "aac")
    place = int(len(whole.body) * share)
    body = whole.body[:place] + b"\xa5" * length + whole.body[place + length :]
    sealed = await bench.seal(span(0, 4), [whole.given(body=body)])
    assert_honest(bench, sealed, whole)
    assert sealed.outcome == "partial"
    assert sealed.coverage.problems
    assert sealed.coverage.share >= 0.5, "what comes behind it is sound"


@pytest.mark.parametrize("share", [0.26, 0.505, 0.6])
async def test_a_lost_packet_of_a_transport_stream_costs_a_picture_and_what_hangs_on_it(
    bench: Bench, share: float
) -> None:
    whole = made("ts")
    place = int(len(whole.body) * share) // 188 * 188
    sealed = await bench.seal(span(0, 4), [whole.given(body=whole.body[:place] + whole.body[place + 188 :])])
    assert sealed.outcome == "partial"
    [gap] = sealed.coverage.gaps
    assert gap.duration.total_seconds() <= 1.2
    assert_honest(bench, sealed, whole)


@pytest.mark.requirement("R34", refuses=True)
@pytest.mark.parametrize("kind", ["matroska", "ts", "ps", "faststart"])
async def test_another_camera_in_the_middle_begins_a_part_and_is_refused_where_the_camera_is_known(
    bench: Bench, kind: str
) -> None:
    own, other = (film(shoot("h264", size=size), kind) for size in ((160, 96), (128, 64)))
    segments = [own.given(0), other.given(4), own.given(8)]
    sealed = await bench.seal(span(0, 12), segments)
    assert len(sealed.coverage.parts) == 3
    assert pictures(bench, sealed) == [*own.pictures, *other.pictures, *own.pictures]
    with pytest.raises(WrongFootage, match="not from the camera"):
        await bench.seal(
            span(0, 12), segments, key="masters/item/2", expected_fingerprint=sealed.coverage.parts[0].fingerprint
        )


@pytest.mark.requirement("R34")
@pytest.mark.parametrize("video", ["h264", "hevc"])
@pytest.mark.parametrize("kind", ["ts", "ps"])
async def test_parameters_that_change_within_a_segment_begin_a_part(bench: Bench, kind: str, video: str) -> None:
    small, large = shoot(video), shoot(video, size=(320, 192))
    first, second = film(small, kind), film(large, kind, start=4 if kind == "ts" else 4 * FPS * TICKS)
    body = first.body.removesuffix(b"\0\0\1\xb9") + second.body
    sealed = await bench.seal(span(0, 8), [first.given(seconds=8, body=body)])
    assert pictures(bench, sealed) == [*first.pictures, *second.pictures]
    one, two = sealed.coverage.parts
    alone = [
        await bench.seal(span(0, 4), [made.given()], key=f"masters/item/{made is second}") for made in (first, second)
    ]
    assert [one.fingerprint, two.fingerprint] == [sealed.coverage.fingerprint for sealed in alone]


def _cut(body: bytes, container: str) -> tuple[list[list[bytes]], dict[str, Any]]:
    """The clip of one segment, without its process: its pictures, and the report."""
    told, out = io.BytesIO(), io.BytesIO()
    pieces = [frame(b"D", body[place : place + 65_536]) for place in range(0, len(body), 65_536)]
    sent = [pack(b"J", Job(0, 4 * 10**9, 2 * 10**8, 1 << 20)), pack(b"S", Heading("one", 0, container))]
    cut(read_frames(io.BytesIO(b"".join([*sent, *pieces, frame(b"E")]))), out, told)
    report: dict[str, Any] = json.loads(told.getvalue().splitlines()[-1])["report"]
    found = []
    for part in report["parts"]:
        clip = io.BytesIO(out.getvalue()[part["offset"] : part["offset"] + part["length"]])
        with av.open(clip, "r", format="mov") as container_read:
            found += [lengths_to_units(bytes(packet)) for packet in container_read.demux(video=0) if packet.size]
    return found, report


@pytest.mark.slow
@pytest.mark.requirement("R32")
@pytest.mark.parametrize("video", ["h264", "hevc"])
@pytest.mark.parametrize("kind", ["matroska", "live", "ts", "ps"])
def test_whatever_is_lost_or_put_in_no_picture_that_lacks_counts_as_covered(kind: str, video: str) -> None:
    whole = film(shoot(video, "aac"), {"live": "matroska"}.get(kind, kind), **KINDS[kind])
    for seed in range(25):
        chance = random.Random(seed)  # noqa: S311 - a scenario, no secret
        body = bytearray(whole.body)
        for _ in range(chance.choice([1, 1, 2])):
            place, length = chance.randrange(2000, len(body)), chance.choice([1, 7, 188, 1000, 5000, 30_000])
            match chance.choice(["lost", "lost", "put in", "cut off"]):
                case "lost":
                    del body[place : place + length]
                case "put in":
                    body[place:place] = chance.randbytes(length)
                case _:
                    del body[max(place, 4000) :]
        found, report = _cut(bytes(body), whole.container)
        [source] = report["sources"]
        lacking = [number for number, picture in enumerate(whole.pictures) if picture not in found]
        middles = [(number + 0.5) / FPS * 1e9 for number in lacking]
        assert not any(start <= at < end for at in middles for start, end in report["covered"]), f"seed {seed}"
        assert source["problem"] or not lacking, f"seed {seed}"
