"""Pictures that lack between others: long holes are gaps, short losses add up, and what is complete lacks none."""

import io
import json
import random
from collections.abc import Callable
from datetime import timedelta
from fractions import Fraction
from typing import Any

import av
import pytest
from footage_formats import FPS, Shot, shoot
from thinned import layered, leaned_on_by_none, thinned
from vault_bench import Bench, Given, span

from services.runtime.boxes import boxes
from services.runtime.places import ROOT
from services.runtime.spans import Span
from services.vault.coverage import Coverage
from services.vault.labels import ClockReading, Origin, Retrieval, build_label
from services.vault.sealing import Sealed

SECONDS = 20
Keep = Callable[[int], bool]


def written(
    shot: Shot, keep: Keep, at: Callable[[int], float] = lambda number: number / FPS, form: str = "mp4"
) -> bytes:
    """A film of the pictures to be kept, at their own times, in fragments as recorders write them."""
    target = io.BytesIO()
    options = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "use_editlist": "0"} if form == "mp4" else {}
    with (
        av.open(io.BytesIO(shot.movie)) as source,
        av.open(target, "w", format=form, options=options) as out,
    ):
        track = out.add_stream_from_template(source.streams.video[0], opaque=True)
        packets = [packet for packet in source.demux(video=0) if packet.size]
        for number, packet in enumerate(packets):
            if not keep(number):
                continue
            packet.time_base, packet.duration = Fraction(1, 90_000), 90_000 // FPS
            shown = at(number) + (shot.pictures[number].pts - shot.pictures[number].dts) / FPS
            packet.dts, packet.pts = round(at(number) * 90_000), round(shown * 90_000)
            packet.stream = track
            out.mux_one(packet)
    return target.getvalue()


async def sealed(
    bench: Bench, body: bytes, seconds: float = SECONDS, container: str = "fmp4", edge: float = 0, **changes: Any
) -> Sealed:
    given = Given("film", "cam1", span(0, seconds), body, container=container)
    return await bench.seal(span(edge, seconds - edge), [given], **changes)


async def lossy(bench: Bench, keep: Keep, video: str = "h264", **changes: Any) -> Sealed:
    form = changes.pop("form", "mp4")
    container = {"mp4": "fmp4", "matroska": "mkv", "mpegts": "ts"}[form]
    return await sealed(bench, written(shoot(video, seconds=SECONDS), keep, form=form), container=container, **changes)


def tenths(number: int) -> bool:
    return number % 10 == 0


@pytest.mark.requirement("R32")
@pytest.mark.parametrize("video", ["h264", "hevc"])
@pytest.mark.parametrize("form", ["mp4", "matroska", "mpegts"])
async def test_nine_pictures_of_ten_that_lack_are_seen(bench: Bench, video: str, form: str) -> None:
    # What is left are key frames, and no picture says how many lay between: the parameter sets tell the rate.
    found = await lossy(bench, tenths, video, form=form)
    assert found.outcome == "partial"
    assert found.coverage.share == pytest.approx(0.1, abs=0.02)


@pytest.mark.requirement("R32")
@pytest.mark.parametrize("video", ["h264", "hevc"])
@pytest.mark.parametrize("left", [2, 5])
async def test_pictures_thinned_out_evenly_between_key_frames_are_seen_by_their_numbers(
    bench: Bench, video: str, left: int
) -> None:
    found = await lossy(bench, lambda number: number % left == 0, video)
    assert found.outcome == "partial"
    assert found.coverage.share == pytest.approx(1 / left, abs=0.1)


@pytest.mark.requirement("R32")
@pytest.mark.parametrize("video", ["h264", "hevc"])
@pytest.mark.parametrize("seed", range(4))
async def test_pictures_lost_at_random_are_counted(bench: Bench, video: str, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret
    dropped = {number for number in range(1, SECONDS * FPS) if chance.random() < 0.1}
    found = await lossy(bench, lambda number: number not in dropped, video)
    assert found.outcome == "partial"
    kept = SECONDS * FPS - len(dropped)
    assert found.coverage.share <= kept / (SECONDS * FPS) + 0.02


@pytest.mark.requirement("R32")
@pytest.mark.parametrize("video", ["h264", "hevc", "mjpeg"])
@pytest.mark.parametrize("first", [1, 52])
async def test_nine_tenths_of_a_second_in_ten_are_a_gap(bench: Bench, video: str, first: int) -> None:
    found = await lossy(bench, lambda number: not first <= number % 100 < first + 9, video)
    assert found.outcome == "partial"
    coverage = found.coverage
    assert [gap.duration for gap in coverage.gaps] == [timedelta(milliseconds=900)] * 2
    assert coverage.pictures is not None
    assert (coverage.pictures.holes, coverage.pictures.longest_ms) == (2, 1000)
    assert coverage.pictures.median_rate == FPS


@pytest.mark.requirement("R32")
@pytest.mark.parametrize("video", ["h264", "hevc", "mjpeg"])
async def test_short_losses_add_up(bench: Bench, video: str) -> None:
    found = await lossy(bench, lambda number: number % 20 not in (8, 9), video)
    assert found.outcome == "partial"
    assert found.coverage.gaps == ()
    assert found.coverage.share == pytest.approx(0.9, abs=0.011)
    assert found.coverage.pictures is not None
    assert found.coverage.pictures.lost in range(17, 21)


@pytest.mark.requirement("R32")
@pytest.mark.parametrize("video", ["h264", "hevc"])
@pytest.mark.parametrize(
    ("left_out", "lost"),
    [
        (lambda every: every, 71),
        (lambda every: [number for number in every if number < 100], 36),
        (lambda every: every[len(every) // 2 :][:1], 1),
    ],
    ids=["every one", "in half", "one"],
)
async def test_b_pictures_that_lack_are_counted(
    bench: Bench, video: str, left_out: Callable[[list[int]], list[int]], lost: int
) -> None:
    # No other picture leans on them, and frame_num of H.264 does not count them.
    shot = shoot(video, seconds=SECONDS, reorder=1)
    gone = left_out(leaned_on_by_none(shot))
    found = await sealed(bench, thinned(shot, "fmp4", lambda number: number not in gone).body, edge=1)
    assert found.outcome == "partial"
    assert found.coverage.pictures is not None
    assert found.coverage.pictures.lost == pytest.approx(lost, abs=1 if lost > 1 else 0)
    assert found.coverage.pictures.holes == pytest.approx(lost, abs=8 if lost > 1 else 0)


@pytest.mark.requirement("R32")
async def test_pictures_of_an_upper_layer_that_lack_are_told_by_time(bench: Bench) -> None:
    shot = layered(shoot("h264", seconds=SECONDS))
    every = leaned_on_by_none(shot)
    gone = every[5:60:3]
    found = await sealed(bench, thinned(shot, "fmp4", lambda number: number not in gone).body)
    assert found.outcome == "partial"
    assert found.coverage.pictures is not None
    assert found.coverage.pictures.lost == len(gone)


@pytest.mark.requirement("R32")
@pytest.mark.parametrize(("least", "outcome"), [(0.999, "partial"), (0.99, "complete")])
async def test_how_much_may_lack_is_a_setting(bench: Bench, least: float, outcome: str) -> None:
    found = await lossy(bench, lambda number: number != 105, "h264", least_share=least)
    assert found.outcome == outcome
    assert found.coverage.share == pytest.approx(0.995, abs=1e-3)
    assert found.coverage.pictures is not None
    assert found.coverage.pictures.least_share == least


SHOTS = {
    "h264": lambda: shoot("h264", seconds=SECONDS),
    "hevc": lambda: shoot("hevc", seconds=SECONDS),
    "mjpeg": lambda: shoot("mjpeg", seconds=SECONDS),
    "h264 with B": lambda: shoot("h264", seconds=SECONDS, reorder=2, open_group=True),
    "hevc with B": lambda: shoot("hevc", seconds=SECONDS, reorder=2, open_group=True),
    "h264 in layers": lambda: layered(shoot("h264", seconds=SECONDS)),
}


@pytest.mark.parametrize("kind", SHOTS)
@pytest.mark.parametrize("rate", ["steady", "jitter", "late", "slow", "switching", "idle"])
async def test_pictures_that_all_came_are_complete_whatever_their_times(bench: Bench, kind: str, rate: str) -> None:
    chance = random.Random(7)  # noqa: S311 - no secret
    times = [number / FPS for number in range(SECONDS * FPS)]
    match rate:
        case "jitter":
            times = [time + chance.uniform(0, 0.03) for time in times]
        case "late":  # one in ten waits for the next
            times = [time + (0.07 if number % 10 == 5 else 0) for number, time in enumerate(times)]
        case "slow":
            times = [time * 5 for time in times]
        case "switching" if kind != "mjpeg":  # half as many at night
            times = [time if time < 10 else 10 + (time - 10) * 2 for time in times]
        case "idle":  # few while nothing moves
            at = 0.0
            for number in range(len(times)):
                at += chance.choice([0.04, 0.1, 0.25, 0.5, 0.9])
                times[number] = at
    film = thinned(SHOTS[kind](), "fmp4", lambda _: True, times.__getitem__)
    edge = 1.5 if kind.endswith("B") else 0  # the first pictures are shown later than they are decoded
    found = await sealed(bench, film.body, times[-2], edge=edge)
    assert found.coverage.pictures is not None
    assert (found.outcome, found.coverage.pictures.lost) == ("complete", 0)


@pytest.mark.parametrize("camera", ["cam1", "cam2"])
async def test_real_recordings_without_a_gap_lack_nothing(bench: Bench, camera: str) -> None:
    bench.root = ROOT / "tests" / "data" / "recordings"
    whole = (await bench.recorder.coverage(camera, span(-366 * 86_400, 366 * 86_400)))[0]
    found = await bench.seal(Span(whole.start + timedelta(seconds=1), whole.end), channel=camera)
    assert (found.outcome, found.coverage.share) == ("complete", 1.0)
    assert found.coverage.pictures is not None
    assert (found.coverage.pictures.lost, found.coverage.pictures.median_rate) == (0, 10.0)


async def test_intra_only_footage_at_the_rate_that_it_states_is_complete(bench: Bench) -> None:
    shot = shoot("h264", seconds=SECONDS)
    keys = [number for number, one in enumerate(shot.pictures) if one.key]
    times = {number: place / FPS for place, number in enumerate(keys)}
    found = await sealed(bench, written(shot, times.__contains__, times.__getitem__), len(keys) / FPS)
    assert found.outcome == "complete"


@pytest.mark.requirement("R32")
async def test_a_fragment_that_comes_twice_is_copied_once(bench: Bench) -> None:
    body = written(shoot("h264", seconds=SECONDS), lambda _: True)
    parts = [box for box in boxes(body) if box.kind in ("moof", "mdat")]
    moof, mdat = parts[8], parts[9]
    doubled = body[: mdat.end] + body[moof.start : mdat.end] + body[mdat.end :]
    found = await sealed(bench, doubled)
    assert (found.coverage.packets, found.coverage.dropped_packets) == (SECONDS * FPS, FPS)
    assert found.outcome == "complete"


@pytest.mark.requirement("R37")
async def test_label_says_how_the_pictures_follow_one_another_and_older_ones_are_read(bench: Bench) -> None:
    found = await lossy(bench, lambda number: number % 20 not in (8, 9))
    origin = Origin("site", "camera", "1", "make", "model", "id", "Asia/Shanghai")
    retrieval = Retrieval("A-1", "R-1", "operator", found.coverage.first_frame)
    label = build_label(found, origin, ClockReading(0, "api-time", 500), retrieval)
    assert label["predicate"]["version"] == 2
    assert label["predicate"]["pictures"]["holes"] == 10
    assert Sealed.from_json(json.loads(json.dumps(found.to_json()))) == found
    older = found.coverage.to_json()
    del older["pictures"]
    assert Coverage.from_json(older).pictures is None
