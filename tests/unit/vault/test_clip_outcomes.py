"""The verdict on retrieved footage, held against the truth of the generator that made it."""

import random
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import av
import pytest
from footage_maker import Camera, numbers_in, truncate
from redated import RECORDINGS
from vault_bench import NOON, Bench, Given, assert_honest, at, given, span, stream, wanted

from services.recorders.protocol import RecorderDown, Segment
from services.runtime.places import ROOT
from services.runtime.spans import Span
from services.vault.byte_stream import in_own_thread
from services.vault.clip.client import Clip, ClipFailed, Limits, UnsupportedFootage
from services.vault.coverage import FootageMissing, FootageUnreadable, WrongFootage
from services.vault.packets import part_of

DATA = ROOT / "tests" / "data" / "mediamtx"


@pytest.mark.requirement("R32", "R36")
@pytest.mark.parametrize("marked", [True, False])
async def test_whole_footage_is_complete_and_every_packet_untouched(bench: Bench, marked: bool) -> None:
    written = Camera(bench.root, "cam1", marked=marked).record(NOON, 12)
    asked = span(1.35, 10.55)
    sealed = await bench.seal(asked)
    truth = wanted(written, asked)
    assert sealed.outcome == "complete"
    assert bench.hashes(sealed) == [picture.sha256 for picture in truth]
    assert sealed.coverage.first_frame == truth[0].at == at(1)
    assert sealed.coverage.last_frame == truth[-1].at == at(10.5)
    assert (sealed.coverage.lead_in_ms, sealed.coverage.tail_ms) == (350, 50)
    assert sealed.coverage.gaps == ()
    assert sealed.coverage.packets == len(truth)
    assert_honest(bench, sealed, written)


async def test_pictures_show_what_the_camera_saw(bench: Bench, camera: Camera) -> None:
    written = camera.record(NOON, 8)
    sealed = await bench.seal(span(2, 7))
    with av.open(bench.reader(sealed.location)) as container:
        assert numbers_in(container.decode(video=0)) == [picture.number for picture in wanted(written, span(2, 7))]


@pytest.mark.parametrize(
    "kind", [{"reorder": 2}, {"codec": "libx265"}, {"codec": "libx265", "reorder": 2}, {"sound": True}]
)
async def test_other_codings_are_copied_untouched(bench: Bench, kind: dict[str, Any]) -> None:
    written = Camera(bench.root, "cam1", **kind).record(NOON, 8)
    sealed = await bench.seal(span(1.5, 6.5))
    assert sealed.outcome == "complete"
    truth = [one for segment in written for one in segment.hashes]
    got = bench.hashes(sealed)
    place = truth.index(got[0])
    assert truth[place : place + len(got)] == got
    assert sealed.coverage.tail_ms <= 400
    assert_honest(bench, sealed, written)


async def test_sound_is_copied_untouched_and_stays_with_the_picture(bench: Bench) -> None:
    written = Camera(bench.root, "cam1", sound=True).record(NOON, 8)
    sealed = await bench.seal(span(0, 8))
    assert bench.hashes(sealed, "audio") == [one for segment in written for one in segment.sounds]
    assert sealed.coverage.codecs == ("h264", "aac")
    with av.open(bench.reader(sealed.location)) as container:
        starts = {stream.type: float(stream.start_time * stream.time_base) for stream in container.streams}
    assert starts["audio"] == pytest.approx(starts["video"], abs=0.03)


async def test_start_within_the_last_picture_of_a_segment_takes_its_group(bench: Bench, camera: Camera) -> None:
    written = camera.record(NOON, 8)
    sealed = await bench.seal(span(3.95, 6))
    assert sealed.outcome == "complete"
    assert bench.hashes(sealed) == [picture.sha256 for picture in wanted(written, span(3.95, 6))]
    alone = await bench.seal(span(3.95, 6), [given(written[0])], key="masters/item/2")
    assert bench.hashes(alone) == [picture.sha256 for picture in wanted(written[:1], span(3.95, 6))]


async def test_no_edit_list_hides_the_lead_in(bench: Bench, camera: Camera) -> None:
    camera.record(NOON, 8)
    sealed = await bench.seal(span(2.5, 7))
    assert b"elst" not in bench.reader(sealed.location).read(4096)


@pytest.mark.requirement("R32")
async def test_gap_inside_is_partial_and_stays_a_gap_on_the_time_line(bench: Bench, camera: Camera) -> None:
    written = camera.record(NOON, 8) + camera.record(at(15), 8)
    sealed = await bench.seal(span(2, 20))
    assert sealed.outcome == "partial"
    assert sealed.coverage.gaps == (span(8, 15),)
    assert sealed.coverage.covered == (span(2, 8), span(15, 20))
    assert sealed.coverage.share == pytest.approx(11 / 18, abs=1e-3)
    assert sealed.coverage.lost == ()
    assert_honest(bench, sealed, written)
    with av.open(bench.reader(sealed.location)) as container:
        shown = [float(frame.time) for frame in container.decode(video=0)]
    assert shown[-1] - shown[0] == pytest.approx(17.9, abs=0.01)


async def test_start_inside_a_gap_is_partial_and_begins_with_what_is_there(bench: Bench, camera: Camera) -> None:
    written = camera.record(NOON, 4) + camera.record(at(10), 8)
    sealed = await bench.seal(span(6, 14))
    assert sealed.outcome == "partial"
    assert sealed.coverage.gaps == (span(6, 10),)
    assert sealed.coverage.lead_in_ms == 0
    assert_honest(bench, sealed, written)


async def test_real_recording_with_its_gap_is_partial(bench: Bench) -> None:
    bench.root = RECORDINGS
    start = NOON.replace(month=11, day=24, hour=22, minute=46, second=30)
    sealed = await bench.seal(Span(start, start + timedelta(minutes=4)))
    assert sealed.outcome == "partial"
    (gap,) = sealed.coverage.gaps
    assert gap.start.isoformat(timespec="seconds") == "2026-11-24T22:48:45+00:00"
    assert gap.end.isoformat(timespec="milliseconds") == "2026-11-24T22:49:07.322+00:00"
    assert sealed.coverage.dropped_packets == 0


@pytest.mark.parametrize("asked", [span(20, 30), span(4.5, 9.5)])
async def test_nothing_recorded_is_missing_and_nothing_is_stored(bench: Bench, camera: Camera, asked: Span) -> None:
    camera.record(NOON, 4)
    camera.record(at(10), 4)
    with pytest.raises(FootageMissing, match="gave no footage of channel cam1"):
        await bench.seal(asked)
    assert bench.objects() == []


async def test_promised_footage_that_does_not_come_is_named_as_lost(bench: Bench, camera: Camera) -> None:
    written = camera.record(NOON, 12)
    segments = [given(written[0]), given(written[2])]
    sealed = await bench.seal(span(0, 12), segments, promised=[span(0, 12)])
    assert sealed.outcome == "partial"
    assert sealed.coverage.lost == sealed.coverage.gaps == (span(4, 8),)


@pytest.mark.parametrize("share", [0.02, 0.2, 0.45, 0.7, 0.97, 0.999])
@pytest.mark.parametrize("which", [0, 1, 2])
async def test_truncated_segment_is_never_complete(bench: Bench, camera: Camera, which: int, share: float) -> None:
    written = camera.record(NOON, 12)
    truncate(written[which].path, share)
    sealed = await bench.seal(span(0.5, 12))
    assert sealed.outcome == "partial"
    assert any(written[which].path.name in problem for problem in sealed.coverage.problems)
    assert_honest(bench, sealed, written)


async def test_segment_cut_off_between_fragments_is_partial(bench: Bench, camera: Camera) -> None:
    written = camera.record(NOON, 8)
    body = written[1].path.read_bytes()
    cut = body[: body.rindex(b"moof") - 4]
    for size in (None, len(body)):
        segments = [given(written[0]), given(written[1], body=cut, size=size)]
        sealed = await bench.seal(span(0, 8), segments, key=f"masters/item/{size}", promised=[span(0, 8)])
        assert sealed.outcome == "partial"
        assert_honest(bench, sealed, written)


async def test_truncation_behind_the_asked_end_does_no_harm(bench: Bench, camera: Camera) -> None:
    written = camera.record(NOON, 8)
    truncate(written[1].path, 0.7)
    sealed = await bench.seal(span(1, 5))
    assert sealed.outcome == "complete"
    assert_honest(bench, sealed, written)


async def test_only_a_truncated_head_is_unreadable(bench: Bench, camera: Camera) -> None:
    written = camera.record(NOON, 4)
    truncate(written[0].path, 0.01)
    with pytest.raises(FootageUnreadable, match="can be played"):
        await bench.seal(span(1, 3))
    assert bench.objects() == []


async def test_real_answer_with_a_truncated_body_is_partial(bench: Bench) -> None:
    body = (DATA / "get-answer-with-truncated-segment.mp4").read_bytes()
    asked = span(0, 150)
    segment = Given("answer", "cam1", asked, body, container="mp4")
    sealed = await bench.seal(asked, [segment], promised=[asked])
    assert sealed.outcome == "partial"
    assert "1154039 of them are missing" in sealed.coverage.problems[0]
    assert sealed.coverage.gaps[-1].end == asked.end
    assert sealed.coverage.share < 0.5


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "empty body"),
        (b"<!DOCTYPE html><html><body>Please sign in</body></html>" * 60, "HTML page"),
        (b'{"error":"no recording segments found"}', "no MP4"),
        (b"\0" * 5000, "no MP4"),
    ],
)
async def test_what_is_no_footage_is_unreadable_alone_and_partial_among_footage(
    bench: Bench, camera: Camera, body: bytes, words: str
) -> None:
    written = camera.record(NOON, 12)
    bad = given(written[1], body=body)
    with pytest.raises(FootageUnreadable, match=words):
        await bench.seal(span(4, 8), [bad])
    assert bench.objects() == []
    sealed = await bench.seal(span(0, 12), [given(written[0]), bad, given(written[2])])
    assert sealed.outcome == "partial"
    assert sealed.coverage.gaps == (span(4, 8),)
    assert words in sealed.coverage.problems[0]
    assert_honest(bench, sealed, written)


async def test_pictures_that_do_not_decode_are_not_counted_as_covered(bench: Bench, camera: Camera) -> None:
    written = camera.record(NOON, 12)
    body = bytearray(written[1].path.read_bytes())
    place = body.find(b"mdat")
    while place >= 0:
        size = int.from_bytes(body[place - 4 : place], "big")
        body[place + 4 : place - 4 + size] = bytes(b ^ 0x5A for b in body[place + 4 : place - 4 + size])
        place = body.find(b"mdat", place + size)
    bad = given(written[1], body=bytes(body))
    with pytest.raises(FootageUnreadable, match="do not decode"):
        await bench.seal(span(4, 8), [bad])
    sealed = await bench.seal(span(0, 12), [given(written[0]), bad, given(written[2])])
    assert sealed.outcome == "partial"
    assert sealed.coverage.gaps == (span(4, 8),)
    assert "garbled" in sealed.coverage.problems[0]


async def test_one_garbled_picture_is_lost_with_those_that_hang_on_it(bench: Bench, camera: Camera) -> None:
    written = camera.record(NOON, 8)
    body = written[0].path.read_bytes()
    with av.open(str(written[0].path)) as container:
        victim = bytes([packet for packet in container.demux(video=0) if packet.size][13])
    bad = given(written[0], body=body.replace(victim, b"\xff" * len(victim)))
    sealed = await bench.seal(span(0, 8), [bad, given(written[1])])
    assert sealed.outcome == "partial"
    assert sealed.coverage.gaps == (span(1.3, 2),)


async def test_recorder_that_is_down_passes_through(bench: Bench, camera: Camera) -> None:
    written = camera.record(NOON, 8)

    async def breaks_off() -> AsyncIterator[bytes]:
        yield written[1].path.read_bytes()[:5000]
        raise RecorderDown("the recorder went away")

    broken = Segment("second", "cam1", span(4, 8), None, "fmp4", breaks_off)
    with pytest.raises(RecorderDown, match="went away"):
        await bench.seal(span(0, 8), [given(written[0]), broken])
    assert bench.objects() == []


@pytest.mark.requirement("R34", refuses=True)
async def test_segment_of_another_channel_is_refused(bench: Bench, camera: Camera) -> None:
    written = camera.record(NOON, 8)
    with pytest.raises(WrongFootage, match="channel cam2"):
        await bench.seal(span(0, 8), [given(written[0]), given(written[1], "cam2")])
    assert bench.objects() == []


@pytest.mark.requirement("R34", refuses=True)
async def test_footage_with_another_fingerprint_is_refused(bench: Bench, camera: Camera) -> None:
    camera.record(NOON, 8)
    known = (await bench.seal(span(0, 8), key="masters/item/known")).coverage.fingerprint
    other = Camera(bench.root, "cam2", size=(128, 96)).record(NOON, 8)
    with pytest.raises(WrongFootage, match="fingerprint"):
        await bench.seal(span(0, 8), [given(one) for one in other], expected_fingerprint=known)
    again = await bench.seal(span(0, 8), expected_fingerprint=known)
    assert again.coverage.fingerprint == known
    assert bench.objects() == ["masters/item/1", "masters/item/known"]


@pytest.mark.parametrize("return_to_own", [True, False])
async def test_foreign_segment_among_a_run_of_the_same_kind_is_refused(
    bench: Bench, camera: Camera, return_to_own: bool
) -> None:
    own = camera.record(NOON, 12)
    foreign = Camera(bench.root, "cam2", tint=40).record(NOON, 12)
    segments = [given(own[0]), given(foreign[1]), *([given(own[2])] if return_to_own else [])]
    with pytest.raises(WrongFootage, match="mixes in another stream"):
        await bench.seal(span(0, 12), segments)
    assert bench.objects() == []


async def test_restart_of_the_stream_is_no_foreign_footage(bench: Bench, camera: Camera) -> None:
    written = camera.record(NOON, 8) + camera.record(at(8.3), 8)
    sealed = await bench.seal(span(0, 16))
    assert sealed.outcome == "partial"
    assert sealed.coverage.gaps == (span(8, 8.3),)
    assert_honest(bench, sealed, written)


async def test_change_of_the_picture_size_begins_a_part(bench: Bench, camera: Camera) -> None:
    small = camera.record(NOON, 8)
    large = Camera(bench.root, "cam1", size=(320, 192)).record(at(8), 8)
    sealed = await bench.seal(span(1, 15))
    assert sealed.outcome == "complete"
    first, second = sealed.coverage.parts
    assert second.offset == first.length
    assert first.fingerprint != second.fingerprint
    assert sealed.coverage.fingerprint == first.fingerprint
    assert bench.hashes(sealed) == [picture.sha256 for picture in wanted([*small, *large], span(1, 15))]
    reader = bench.reader(sealed.location)
    for part, size in ((first, (160, 96)), (second, (320, 192))):
        with av.open(part_of(reader, part)) as container:
            frames = list(container.decode(video=0))
        assert {(frame.width, frame.height) for frame in frames} == {size}
        assert len(frames) == 70


async def test_repeated_footage_is_dropped_and_counted(bench: Bench) -> None:
    camera = Camera(bench.root, "cam1", marked=False)
    written = camera.record(NOON, 8, overlap=1)
    sealed = await bench.seal(span(0, 8))
    assert sealed.outcome == "complete"
    assert sealed.coverage.dropped_packets == 10
    once = list(dict.fromkeys(one for segment in written for one in segment.hashes))
    assert bench.hashes(sealed) == once
    with av.open(bench.reader(sealed.location)) as container:
        assert numbers_in(container.decode(video=0)) == list(range(80))


async def test_overlap_that_repeats_nothing_goes_on_at_the_next_key_frame(bench: Bench) -> None:
    camera = Camera(bench.root, "cam1", marked=False)
    written = camera.record(NOON, 4) + camera.record(at(3.5), 4)
    sealed = await bench.seal(span(0, 7.5))
    assert sealed.coverage.dropped_packets == 10
    first, second = written[0].hashes, written[1].hashes
    assert bench.hashes(sealed) == first + second[10:]


async def test_names_that_drift_neither_tear_nor_double_footage(bench: Bench, camera: Camera) -> None:
    written = camera.record(NOON, 12)
    drifting = [
        Given(
            one.path.name, "cam1", Span(one.start - timedelta(milliseconds=42 * index), one.end), one.path.read_bytes()
        )
        for index, one in enumerate(written)
    ]
    sealed = await bench.seal(span(0, 11.5), drifting)
    assert sealed.outcome == "complete"
    assert sealed.coverage.dropped_packets == 0
    assert sealed.coverage.drift_ms == 84
    assert bench.hashes(sealed) == [picture.sha256 for picture in wanted(written, span(0, 11.5))]


async def test_camera_whose_clock_runs_fast_loses_nothing_and_hides_no_gap(bench: Bench) -> None:
    written = Camera(bench.root, "cam1", marked=False).record(NOON, 40)
    # By the recorder's wall clock each 4 s of pictures took 3.9 s; one segment is missing.
    fast = [
        Given(one.path.name, "cam1", span(3.9 * index, 3.9 * index + 3.9), one.path.read_bytes())
        for index, one in enumerate(written)
        if index != 7
    ]
    sealed = await bench.seal(span(0, 39), fast)
    assert sealed.outcome == "partial"
    assert sealed.coverage.dropped_packets == 0
    (gap,) = sealed.coverage.gaps
    assert gap.duration.total_seconds() == pytest.approx(3.9, abs=0.11)
    assert sealed.coverage.drift_ms == 700
    kept = [one for index, segment in enumerate(written) if index != 7 for one in segment.hashes]
    got = bench.hashes(sealed)
    assert got == kept[: len(got)]


async def test_plain_mp4_is_copied_and_one_beyond_the_window_is_refused(bench: Bench, camera: Camera) -> None:
    written = camera.record(NOON, 4)
    plain = Given("plain", "cam1", span(0, 4), _plain(written[0].path), container="mp4")
    sealed = await bench.seal(span(0, 4), [plain])
    assert sealed.outcome == "complete"
    assert bench.hashes(sealed) == written[0].hashes
    with pytest.raises(UnsupportedFootage, match="fragmented MP4 or shorter segments"):
        await bench.seal(span(0, 4), [plain], key="masters/item/2", limits=Limits(window=1000))


async def test_other_containers_and_codecs_are_refused_with_a_sentence(bench: Bench, tmp_path: Path) -> None:
    other = Given("other", "cam1", span(0, 4), b"RIFF", container="avi")
    with pytest.raises(UnsupportedFootage, match="is avi; only mp4, fmp4, mov, mkv, ts, ps, dav are copied"):
        await bench.seal(span(0, 4), [other])
    path = tmp_path / "old.mp4"
    with av.open(str(path), "w", format="mp4") as container:
        encoder = container.add_stream("mpeg4", rate=10)
        encoder.width, encoder.height, encoder.pix_fmt = 64, 48, "yuv420p"
        for number in range(5):
            frame = av.VideoFrame(64, 48, "yuv420p")
            frame.pts = number
            container.mux(encoder.encode(frame))
        container.mux(encoder.encode(None))
    with pytest.raises(UnsupportedFootage, match="holds mpeg4"):
        await bench.seal(span(0, 4), [Given("old", "cam1", span(0, 4), path.read_bytes())])
    assert bench.objects() == []


async def test_footage_may_not_lead_the_process_to_other_files(bench: Bench) -> None:
    listing = b"ffconcat version 1.0\nfile /etc/passwd\n"
    with pytest.raises(FootageUnreadable):
        await bench.seal(span(0, 4), [Given("list", "cam1", span(0, 4), listing)])


async def test_process_that_dies_is_tried_again_and_told(bench: Bench, camera: Camera) -> None:
    written = camera.record(NOON, 4)
    clip = Clip(stream([given(written[0])]), span(0, 4), "cam1", limits=Limits(memory=1 << 26))
    async with clip:
        assert len(await in_own_thread(clip.read)) == 0
        with pytest.raises(ClipFailed, match="ended with status"):
            await clip.conclude()


def _plain(path: Path) -> bytes:
    target = path.with_suffix(".plain")
    with av.open(str(path)) as source, av.open(str(target), "w", format="mp4") as container:
        out = container.add_stream_from_template(source.streams.video[0], opaque=True)
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = out
                container.mux(packet)
    return target.read_bytes()


@pytest.mark.slow
@pytest.mark.requirement("R32", refuses=True)
@pytest.mark.parametrize("seed", range(12))
async def test_whatever_is_wrong_with_recordings_nothing_wrong_is_called_complete(bench: Bench, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a scenario, no secret
    camera = Camera(
        bench.root,
        "cam1",
        marked=chance.random() < 0.5,
        group=chance.choice([5, 10, 20]),
        reorder=chance.choice([0, 0, 2]),
        sound=chance.random() < 0.3,
    )
    written = []
    begins = 0.0
    for _ in range(3):
        length = chance.randrange(4, 13, 4)
        written += camera.record(at(begins), length)
        begins += length + chance.choice([0, 0.3, 2, 7])
    for one in written:
        match chance.choice(["sound", "sound", "sound", "cut", "gone", "page"]):
            case "cut":
                truncate(one.path, chance.random())
            case "gone":
                one.path.unlink()
            case "page":
                one.path.write_bytes(b"<html>Please sign in</html>")
    start = chance.uniform(0, begins / 2)
    asked = span(start, chance.uniform(start + 1, begins))
    try:
        sealed = await bench.seal(asked)
    except (FootageMissing, FootageUnreadable):
        assert bench.objects() == []
        whole = [one for one in written if one.path.exists() and one.path.read_bytes().count(b"moof") == 4]
        assert not any(asked.start <= picture.at < asked.end for one in whole for picture in one.pictures)
        return
    assert_honest(bench, sealed, written)
