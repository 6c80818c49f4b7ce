"""Every coding in every container: each picture and each sound is copied as it is, and stands at its moment."""

import av
import pytest
from films import assert_heard, film, pictures
from footage_formats import shoot, spliced
from vault_bench import Bench, span

from services.vault.clip.client import UnsupportedFootage
from services.vault.packets import part_of

ANY = ("aac", "opus", None)
G711 = ("pcm_alaw", "pcm_mulaw")
CASES = [
    *(("fmp4", video, audio) for video in ("h264", "hevc", "mjpeg") for audio in ANY),
    *(("mov", video, audio) for video in ("h264", "hevc", "mjpeg") for audio in G711),
    *(("mkv", video, audio) for video in ("h264", "mjpeg") for audio in ANY),
    *(("matroska", video, audio) for video in ("h264", "hevc", "mjpeg") for audio in (*G711, None)),
    *(("ts", video, audio) for video in ("h264", "hevc") for audio in ANY),
    *(("ps", video, audio) for video in ("h264", "hevc") for audio in ("aac", *G711, None)),
    *(("dav", video, audio) for video, audio in (("h264", "aac"), ("h264", "pcm_mulaw"), ("hevc", "pcm_alaw"))),
    ("mp4", "mjpeg", "aac"),
    ("faststart", "h264", "aac"),
    ("faststart", "hevc", None),
]


@pytest.mark.requirement("R32", "R36")
@pytest.mark.parametrize(("kind", "video", "audio"), CASES)
async def test_every_packet_is_copied_as_it_is(bench: Bench, kind: str, video: str, audio: str | None) -> None:
    shot = shoot(video, audio)
    made = film(shot, kind)
    sealed = await bench.seal(span(0, 4), [made.given()])
    assert sealed.outcome == "complete"
    assert sealed.coverage.gaps == ()
    assert sealed.coverage.codecs == (video, audio)[: 2 if audio else 1]
    assert [part.container for part in sealed.coverage.parts] == ["mov" if audio in G711 else "mp4"]
    assert pictures(bench, sealed) == made.pictures
    if audio:
        assert_heard(bench, sealed, shot)
    with av.open(bench.reader(sealed.location), "r", format="mov") as container:
        assert [stream.codec_context.name for stream in container.streams] == list(sealed.coverage.codecs)
        frames = list(container.decode(video=0))
    assert len(frames) == 40


async def test_other_sound_in_a_program_stream_is_refused_by_its_name(bench: Bench) -> None:
    made = film(shoot("h264", "pcm_mulaw"), "ps")
    assert made.body.count(b"\x91\xc0\0\0") == 1
    body = made.body.replace(b"\x91\xc0\0\0", b"\x92\xc0\0\0")
    with pytest.raises(UnsupportedFootage, match=r"holds G\.722\.1 in MPEG-PS"):
        await bench.seal(span(0, 4), [made.given(body=body)])
    assert bench.objects() == []


@pytest.mark.requirement("R34", "R36")
@pytest.mark.parametrize("video", ["h264", "hevc"])
async def test_parameters_that_change_between_the_pictures_of_an_mp4_begin_a_part(bench: Bench, video: str) -> None:
    small, large = shoot(video), shoot(video, size=(320, 192))
    sealed = await bench.seal(span(0, 8), [film(spliced(small, large), "fmp4").given(seconds=8)])
    assert pictures(bench, sealed) == [*small.units, *large.units]
    assert sealed.outcome == "complete"
    reader = bench.reader(sealed.location)
    for part, size in zip(sealed.coverage.parts, ((160, 96), (320, 192)), strict=True):
        with av.open(part_of(reader, part), "r", format="mov") as container:
            video_stream = container.streams.video[0]
            assert (video_stream.codec_context.width, video_stream.codec_context.height) == size
            assert {(frame.width, frame.height) for frame in container.decode(video=0)} == {size}


@pytest.mark.parametrize("start", [3.95, 7.95, 8])
async def test_a_start_behind_such_a_change_has_its_lead_in_in_the_right_part(bench: Bench, start: float) -> None:
    small, large = shoot("h264"), shoot("h264", size=(320, 192))
    changing = film(spliced(small, large), "fmp4")
    segments = [changing.given(0, 8), film(small, "fmp4").given(8), film(large, "fmp4").given(12)]
    sealed = await bench.seal(span(start, 16), segments)
    every = [*small.units, *large.units, *small.units, *large.units]
    assert pictures(bench, sealed) == every[int(start) * 10 :]
    assert sealed.outcome == "complete"
