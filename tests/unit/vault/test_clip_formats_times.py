"""Times in Matroska, MPEG-TS and MPEG-PS: they begin anywhere, run over, jump, and are not all told."""

import struct
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import av
import pytest
from films import Film, assert_heard, film, heard, pictures
from footage_formats import FPS, TICKS, boxed, packed, shoot
from vault_bench import Bench, Given, at, span

from services.runtime.boxes import boxes, descend
from services.runtime.spans import Span
from services.vault.age import X25519Identity, generate_identity
from services.vault.clip.client import Limits, UnsupportedFootage
from services.vault.packets import part_of
from services.vault.sealing import MasterSource, issue
from services.vault.store.protocol import Target

WRAP = 1 << 33  # ticks of 90 kHz after which MPEG counts from 0 again


@pytest.mark.parametrize("video", ["h264", "hevc"])
@pytest.mark.parametrize(
    ("kind", "changes"),
    [("mkv", {}), ("matroska", {"start": 7000, "live": True}), ("ts", {}), ("ps", {})],
)
async def test_pictures_that_are_shown_in_another_order_are_copied_in_theirs(
    bench: Bench, kind: str, changes: dict[str, Any], video: str
) -> None:
    made = film(shoot(video, reorder=2), kind, **changes)
    sealed = await bench.seal(span(0, 4), [made.given()])
    assert pictures(bench, sealed) == made.pictures
    assert sealed.coverage.gaps == ()
    with av.open(bench.reader(sealed.location), "r", format="mov") as container:
        shown = [float(frame.time) for frame in container.decode(video=0)]
    assert [round(one - shown[0], 2) for one in shown] == [round(number / FPS, 2) for number in range(40)]


@pytest.mark.parametrize("video", ["h264", "hevc"])
@pytest.mark.parametrize("kind", ["fmp4", "mkv", "ts", "ps"])
async def test_an_open_group_is_cut_at_its_key_frame_and_ends_where_it_ends(
    bench: Bench, kind: str, video: str
) -> None:
    shot = shoot(video, reorder=3, open_group=True)
    made = film(shot, kind)
    key = next(index for index, one in enumerate(shot.pictures) if one.key and one.pts >= 2 * FPS)
    # Decoding begins at 0 in this MP4, two pictures before the first one is shown.
    late = 2 / FPS if kind == "fmp4" else 0
    start = shot.pictures[key].pts / FPS + late
    sealed = await bench.seal(span(start, 4 + late), [made.given()])
    assert pictures(bench, sealed) == made.pictures[key:]
    assert sealed.outcome == "complete"
    assert abs(sealed.coverage.first_frame - at(start)) < timedelta(milliseconds=1)
    assert sealed.coverage.covered[-1].end <= at(4.001 + late)


@pytest.mark.parametrize("video", ["h264", "hevc"])
@pytest.mark.parametrize("kind", ["matroska", "ps"])
async def test_segments_that_begin_with_open_groups_follow_without_a_gap(bench: Bench, kind: str, video: str) -> None:
    shot = shoot(video, reorder=3, open_group=True)
    keys = [index for index, one in enumerate(shot.pictures) if one.key][1:]
    cuts = [0, *keys, len(shot.pictures)]
    runs = [shot.pictures[start:end] for start, end in pairwise(cuts)]
    segments = [film(replace(shot, pictures=run), kind).given(run[0].pts / FPS) for run in runs]
    sealed = await bench.seal(span(0, 4), segments)
    assert pictures(bench, sealed) == shot.units
    assert (sealed.outcome, sealed.coverage.gaps) == ("complete", ())
    # Where nothing leads to it, what an open group shows before its key frame is not vouched for.
    alone = await bench.seal(span(0, 4), segments[1:2], key="masters/item/2")
    first, last = min(one.pts for one in runs[1]), max(one.pts for one in runs[1])
    assert first < runs[1][0].pts
    assert [(one.start, one.end) for one in alone.coverage.covered] == [
        (at(runs[1][0].pts / FPS), at((last + 1) / FPS))
    ]


@pytest.mark.requirement("R36")
@pytest.mark.parametrize("kind", ["matroska", "ts", "ps"])
async def test_segments_that_begin_at_any_time_follow_one_another(bench: Bench, kind: str) -> None:
    shot = shoot("h264", "aac")
    scale = {"matroska": 1000, "ts": 1, "ps": 90_000}[kind]
    made = [film(shot, kind, start=scale * begins) for begins in (0, 11, 7000)]
    sealed = await bench.seal(span(0.5, 11.5), [one.given(4 * number) for number, one in enumerate(made)])
    assert sealed.outcome == "complete"
    assert sealed.coverage.dropped_packets == 0
    assert pictures(bench, sealed) == [picture for one in made for picture in one.pictures][:115]
    assert abs(sealed.coverage.first_frame - at(0)) < timedelta(milliseconds=2)
    assert len(sealed.coverage.parts) == 1


@pytest.mark.parametrize("begins", [WRAP - 2 * 90_000, WRAP - 1])
async def test_time_stamps_that_run_over_go_on(bench: Bench, begins: int) -> None:
    made = film(shoot("h264", "aac"), "ps", start=begins)
    sealed = await bench.seal(span(1, 4), [made.given()])
    assert sealed.outcome == "complete"
    assert pictures(bench, sealed) == made.pictures[10:]


@pytest.mark.requirement("R34")
@pytest.mark.parametrize(
    ("step", "begins", "gaps"),
    [
        (1, (0, 4.8, 8.2), 0),  # as a recorder that rounds its starts down names recordings without a gap
        (0, (0, 4.8, 8.2), 2),
        (1, (0, 6, 10), 1),
        (1, (0, 4.8, 9.6), 1),  # no roundness of names explains this: pictures are missing
        (0, (0, 4.19, 8.38), 1),
    ],
)
async def test_recordings_whose_times_are_coarse_follow_one_another(
    bench: Bench, step: float, begins: tuple[float, ...], gaps: int
) -> None:
    made = [
        film(shoot(tint=tint), "ps").given(begin, step=timedelta(seconds=step)) for tint, begin in enumerate(begins)
    ]
    sealed = await bench.seal(span(1, 11), made)
    assert len(sealed.coverage.gaps) == gaps
    assert (sealed.outcome == "complete") == (not gaps)


def _ts_then(seconds: float) -> Film:
    shot = shoot("h264")
    first = film(shot, "ts", start=100)
    second = film(shot, "ts", start=100 + seconds)
    return Film(first.body + second.body, "ts", first.pictures)


async def test_a_jump_forward_is_a_gap(bench: Bench) -> None:
    sealed = await bench.seal(span(0, 14), [_ts_then(10).given(0, 14)])
    assert sealed.outcome == "partial"
    [gap] = sealed.coverage.gaps
    # The counter of packets begins anew there, which may as well be a loss: the last pictures are not vouched for.
    assert at(3.7) <= gap.start <= at(4.001)
    assert abs(gap.end - at(10)) < timedelta(milliseconds=2)


async def test_time_that_goes_back_is_told_and_not_from_there_on(bench: Bench) -> None:
    made = _ts_then(-50)
    sealed = await bench.seal(span(0, 8), [made.given(0, 8)])
    assert sealed.outcome == "partial"
    assert "time stamps go back" in sealed.coverage.problems[0]
    assert pictures(bench, sealed)[:39] == made.pictures[:39]
    assert sealed.coverage.gaps[-1].end == at(8)


@pytest.mark.requirement("R32", "R36")
@pytest.mark.parametrize("kind", ["ts", "fmp4"])
async def test_hundreds_of_segments_make_one_clip(bench: Bench, kind: str) -> None:
    shot = shoot("h264", seconds=1, size=(32, 32))
    made = film(shot, kind)
    sealed = await bench.seal(span(0, 300), [made.given(number, 1) for number in range(300)])
    assert sealed.outcome == "complete"
    assert len(sealed.coverage.sources) == 300
    assert sealed.coverage.packets == 3000
    assert pictures(bench, sealed) == made.pictures * 300
    assert len(sealed.coverage.parts) == 1
    assert len(sealed.fragments) == 300


@pytest.mark.requirement("R36")
@pytest.mark.parametrize("kind", ["ts", "ps", "matroska", "fmp4"])
async def test_hours_across_midnight_in_shanghai_are_one_time_line(bench: Bench, kind: str) -> None:
    begins = datetime(2026, 3, 1, 22, tzinfo=ZoneInfo("Asia/Shanghai"))
    made = film(shoot("h264"), kind)
    starts = [begins + timedelta(hours=number / 2) for number in range(9)]
    segments = [
        Given(f"{number}", "cam1", Span(start, start + timedelta(seconds=4)), made.body, container=made.container)
        for number, start in enumerate(starts)
    ]
    sealed = await bench.seal(Span(starts[0], starts[-1] + timedelta(seconds=4)), segments)
    assert sealed.outcome == "partial"
    assert len(sealed.coverage.gaps) == 8
    assert pictures(bench, sealed) == made.pictures * 9
    assert abs(sealed.coverage.last_frame - starts[-1] - timedelta(seconds=3.9)) < timedelta(milliseconds=2)
    with av.open(bench.reader(sealed.location), "r", format="mov") as container:
        shown = [packet.pts * packet.time_base for packet in container.demux(video=0) if packet.size]
    assert float(shown[-1] - shown[0]) == pytest.approx(4 * 3600 + 3.9, abs=0.002)


async def test_a_plain_mp4_whose_index_comes_first_needs_no_window(bench: Bench) -> None:
    shot = shoot("h264", "aac")
    first, last = film(shot, "faststart"), film(shot, "mp4")
    sealed = await bench.seal(span(0, 4), [first.given()], limits=Limits(window=1000))
    assert pictures(bench, sealed) == first.pictures
    assert_heard(bench, sealed, shot)
    with pytest.raises(UnsupportedFootage, match="index comes last"):
        await bench.seal(span(0, 4), [last.given()], key="masters/item/2", limits=Limits(window=1000))


@pytest.mark.requirement("R36")
@pytest.mark.parametrize(("video", "audio"), [("h264", "pcm_alaw"), ("mjpeg", "pcm_mulaw"), ("mjpeg", None)])
async def test_a_copy_is_cut_from_a_master_of_any_kind(bench: Bench, video: str, audio: str | None) -> None:
    shot = shoot(video, audio)
    made = film(shot, "matroska")
    master = await bench.seal(span(0, 4), [made.given()])
    identity, recipient = generate_identity()
    copy = await issue(
        MasterSource(bench.store, master, "cam1", X25519Identity(bench.identity)),
        span(1, 3),
        Target(bench.store, "copies", "copies/copy/1", {}),
        recipients=[recipient],
    )
    assert copy.outcome == "complete"
    assert [part.container for part in copy.coverage.parts] == ["mov" if audio else "mp4"]
    reader = bench.reader(copy.location, identity)
    with av.open(part_of(reader, copy.coverage.parts[0]), "r", format="mov") as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
        if video == "mjpeg":
            assert packets == [picture for [picture] in made.pictures[10:30]]
        container.seek(0)
        sounds = b"".join(bytes(packet) for packet in container.demux(audio=0)) if audio else b""
    assert sounds in b"".join(one.body for one in shot.sounds)
    assert len(sounds) >= 15_000 or audio is None


async def test_a_fragment_of_motion_jpeg_lasts_a_second(bench: Bench) -> None:
    sealed = await bench.seal(span(0, 4), [film(shoot("mjpeg"), "matroska").given()])
    assert [one.time_ms for one in sealed.fragments] == [0, 1000, 2000, 3000]


async def test_sound_that_is_announced_and_never_comes_is_left_out(bench: Bench) -> None:
    shot = shoot("h264", "aac")
    mute = type(shot)(shot.video, shot.audio, shot.size, shot.pictures, (), shot.movie, shot.sound)
    sealed = await bench.seal(span(0, 4), [Given("mute", "cam1", span(0, 4), packed(mute), container="ps")])
    assert pictures(bench, sealed) == shot.units
    assert sealed.coverage.codecs == ("h264",)


async def test_the_header_before_hikvisions_packs_is_passed_over(bench: Bench) -> None:
    shot = shoot("h264", "pcm_alaw")
    made = Film(packed(shot, start=5 * FPS * TICKS, brand=True, dts=False), "ps", shot.units)
    sealed = await bench.seal(span(0, 4), [made.given()])
    assert sealed.outcome == "complete"
    assert pictures(bench, sealed) == made.pictures
    assert heard(bench, sealed)


async def test_opus_in_a_transport_stream_loses_only_its_length(bench: Bench) -> None:
    shot = shoot("hevc", "opus")
    sealed = await bench.seal(span(0, 4), [Given("opus", "cam1", span(0, 4), boxed(shot, "ts"), container="ts")])
    assert_heard(bench, sealed, shot)


def with_edits(body: bytes, kind: bytes, edits: list[tuple[float, float | None]]) -> bytes:
    """An edit list in the track of that kind: length and beginning in the media (None: empty), in seconds.

    For files that have no chunk offsets, as fragmented ones.
    """
    moov = next(box for box in boxes(body) if box.kind == "moov")
    scale = struct.unpack_from(">I", body, next(descend(body, moov, "mvhd")).body + 12)[0]
    for track in descend(body, moov, "trak"):
        handler, media = (next(descend(body, track, "mdia", name)) for name in ("hdlr", "mdhd"))
        if body[handler.body + 8 : handler.body + 12] != kind:
            continue
        ticks = struct.unpack_from(">I", body, media.body + 12)[0]
        rows = b"".join(
            struct.pack(">IiI", round(length * scale), -1 if begin is None else round(begin * ticks), 0x10000)
            for length, begin in edits
        )
        listed = struct.pack(">I4sII", 16 + len(rows), b"elst", 0, len(edits)) + rows
        edited = struct.pack(">I4s", 8 + len(listed), b"edts") + listed
        place = next(descend(body, track, "mdia")).start
        made = bytearray(body[:place] + edited + body[place:])
        for box in (moov, track):
            made[box.start : box.start + 4] = struct.pack(">I", box.end - box.start + len(edited))
        return bytes(made)
    raise AssertionError("there is no such track")


@pytest.mark.parametrize(
    ("kind", "edits", "offset"),
    [
        (b"soun", [(0.5, None), (3, 0)], 0.5),
        (b"soun", [(0.5, None), (1, 0.1), (1, 1.5)], 0.4),
        (b"vide", [(0.5, None), (3, 0)], -0.5),
        (b"vide", [(0.5, None), (3, 0.2)], -0.3),
        (b"vide", [(3, 0.2)], 0.2),
    ],
)
@pytest.mark.parametrize("way", ["fmp4", "mov"])
async def test_an_edit_list_moves_a_track_as_a_whole_and_keeps_picture_and_sound_together(
    bench: Bench, way: str, kind: bytes, edits: list[tuple[float, float | None]], offset: float
) -> None:
    made = film(shoot("h264", "aac"), way)
    sealed = await bench.seal(span(0, 4), [made.given(body=with_edits(made.body, kind, edits))])
    assert sealed.coverage.packets > 40
    with av.open(part_of(bench.reader(sealed.location), sealed.coverage.parts[0]), "r", format="mov") as container:
        sounds = [packet for packet in container.demux(audio=0) if packet.size]
    first = [one.body for one in shoot("h264", "aac").sounds].index(bytes(sounds[0]))
    at = float(sounds[0].pts * sounds[0].time_base)
    assert at == pytest.approx(first * 1024 / 16_000 + offset, abs=0.002)
    assert 0 <= at <= max(offset, 0.065)
