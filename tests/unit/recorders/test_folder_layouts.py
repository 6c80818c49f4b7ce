"""Folders in the layout of Frigate, and plain files whose names say when they start."""

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import av
import pytest
from footage_formats import Shot, boxed, matroska, packed, shoot
from footage_maker import Camera, numbers_in, truncate
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recorders.behaviours import Behaviour
from vault_bench import NOON, at, span

from services.recorders.folder import layout as folder_layout
from services.recorders.folder.layout import File, aligned
from services.recorders.folder.mp4_extents import Extent, read_extent
from services.recorders.folder.recorder import SCHEMA, FolderRecorder
from services.recorders.folder.stream_extents import read_stream_extent
from services.recorders.protocol import JOIN_TOLERANCE, RecorderDown, WrongChannel
from services.recorders.whole_seconds import SECOND
from services.runtime.errors import Fatal, Refused
from services.runtime.spans import Span


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "recordings"


def recorder(root: Path, layout: str, **more: str) -> FolderRecorder:
    return FolderRecorder.from_configuration({"root": str(root), "layout": layout, **more})


def filmed(root: Path, start: datetime, seconds: int, name: str, *, channel: str = "gate") -> list[Path]:
    """Recordings in files of four seconds, which lie where ``name`` says; it is a pattern of ``strftime``."""
    made = root.parent / "made"
    paths = []
    for one in Camera(made, channel, marked=False).record(start, seconds):
        path = root / one.start.strftime(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(one.path, path)
        paths.append(path)
    return paths


def frigate(root: Path, start: datetime, seconds: int, camera: str = "gate") -> list[Path]:
    return filmed(root, start, seconds, f"%Y-%m-%d/%H/{camera}/%M.%S.mp4")


async def names(recorder: FolderRecorder, asked: Span, channel: str = "gate") -> list[str]:
    return [segment.name async for segment in recorder.fetch(channel, asked)]


async def test_frigates_files_are_found_by_day_and_hour_and_cover_what_they_hold(root: Path) -> None:
    frigate(root, NOON, 8)
    frigate(root, at(20), 4)
    source = recorder(root, "frigate")
    assert await source.coverage("gate", span(-60, 60)) == [span(0, 8), span(20, 24)]
    assert await names(source, span(5, 22)) == ["00.04.mp4", "00.20.mp4"]
    [segment] = [one async for one in source.fetch("gate", span(20, 21))]
    assert (segment.span, segment.channel, segment.container) == (span(20, 24), "gate", "fmp4")


async def test_frigates_footage_goes_on_across_the_hour_and_the_day(root: Path) -> None:
    midnight = datetime(2026, 3, 2, tzinfo=UTC)
    whole = Span(midnight - timedelta(seconds=6), midnight + timedelta(seconds=6))
    paths = frigate(root, whole.start, 12)
    assert [str(path.relative_to(root)) for path in paths][0::2] == [
        "2026-03-01/23/gate/59.54.mp4",
        "2026-03-02/00/gate/00.02.mp4",
    ]
    assert await recorder(root, "frigate").coverage("gate", whole) == [whole]


@pytest.mark.requirement("R34")
async def test_frigates_names_are_rounded_down_and_tear_no_footage(root: Path) -> None:
    # Four files of 4 s, one after another from 12:00:00.9 on, named by whole seconds; one was named a moment later.
    frigate(root, at(0.9), 16)
    (root / "2026-03-01/12/gate").joinpath("00.08.mp4").rename(root / "2026-03-01/12/gate/00.09.mp4")
    source = recorder(root, "frigate")
    [found] = await source.coverage("gate", span(-10, 60))
    assert found.duration == timedelta(seconds=16)
    starts = [segment.span.start async for segment in source.fetch("gate", span(-10, 60))]
    assert [second - first for first, second in pairwise(starts)] == [timedelta(seconds=4)] * 3


async def test_only_the_hours_that_are_asked_for_are_listed_and_measured(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for hour in range(4):
        frigate(root, NOON + timedelta(hours=hour, minutes=10), 8)
    looked: list[Path] = []

    def measure(path: Path) -> Extent:
        looked.append(path)
        return read_extent(path)

    monkeypatch.setattr(folder_layout, "read_extent", measure)
    await recorder(root, "frigate").coverage("gate", span(4200, 4202))
    assert {path.parts[-3] for path in looked} == {"13"}


async def test_frigates_probe_tells_each_cameras_oldest_picture_and_measures_no_more(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frigate(root, NOON, 8)[0].write_bytes(b"nothing that can be measured")
    frigate(root, at(7200), 8, "hall")
    frigate(root, at(7200), 8)
    looked: list[Path] = []

    def measure(path: Path) -> Extent:
        looked.append(path)
        return read_extent(path)

    monkeypatch.setattr(folder_layout, "read_extent", measure)
    facts = await recorder(root, "frigate").probe()
    assert facts.oldest_frame == {"gate": at(4), "hall": at(7200)}
    assert (facts.make, facts.model, facts.clock_method) == ("folder", "frigate", "unknown")
    assert len(looked) == 3


async def test_frigates_names_are_utc_whatever_zone_is_set(root: Path) -> None:
    frigate(root, NOON, 4)
    assert await recorder(root, "frigate", zone="Asia/Shanghai").coverage("gate", span(0, 60)) == [span(0, 4)]


async def test_folder_above_frigates_recordings_is_understood(root: Path) -> None:
    frigate(root, NOON, 4)
    assert await recorder(root.parent, "frigate").coverage("gate", span(0, 4)) == [span(0, 4)]


@pytest.mark.parametrize("channel", ["cam9", "..", "", ".", "/etc", "gate/..", "../../12/gate", "linked"])
async def test_channel_that_frigate_does_not_have_is_refused(root: Path, channel: str) -> None:
    frigate(root, NOON, 4)
    outside = root.parent / "outside"
    outside.mkdir()
    (root / "2026-03-01/12/linked").symlink_to(outside)
    with pytest.raises(WrongChannel):
        await recorder(root, "frigate").coverage(channel, span(0, 4))


@pytest.mark.parametrize(
    "linked", ["2026-03-01", "2026-03-01/12", "2026-03-01/12/gate", "2026-03-01/12/gate/00.00.mp4"]
)
async def test_link_out_of_frigates_recordings_is_not_seen(root: Path, linked: str) -> None:
    frigate(root, NOON, 4)
    (root / "2026-02-28").mkdir()
    outside = root.parent / "outside"
    (root / linked).rename(outside)
    (root / linked).symlink_to(outside)
    source = recorder(root, "frigate")
    with suppress(WrongChannel):
        assert await source.coverage("gate", span(0, 4)) == []
    assert (await source.probe()).oldest_frame == {}


async def test_what_is_no_footage_of_frigates_is_passed_over(root: Path) -> None:
    (path,) = frigate(root, NOON, 4)
    for name in ("clip.mp4", "61.00.mp4", "00.04.mp4.tmp", "00.04.jpg"):
        shutil.copy(path, path.with_name(name))
    for name in ("exports", "2026-99-01/12/gate", "2026-03-01/99/gate"):
        (root / name).mkdir(parents=True)
    assert await recorder(root, "frigate").coverage("gate", span(-60, 60)) == [span(0, 4)]
    assert (await recorder(root, "frigate").probe()).oldest_frame == {"gate": NOON}


async def test_damaged_file_of_frigates_promises_what_is_whole_and_is_still_fetched(root: Path) -> None:
    paths = frigate(root, NOON, 8)
    truncate(paths[0], 0.55)
    source = recorder(root, "frigate")
    (first, second) = await source.coverage("gate", span(0, 8))
    assert at(1) <= first.end <= at(3)
    assert second == span(4, 8)
    assert await names(source, span(3.2, 3.9)) == ["00.00.mp4"]


@pytest.mark.parametrize("layout", ["frigate", "plain"])
async def test_disk_that_is_not_mounted_is_told_whatever_the_layout(root: Path, layout: str) -> None:
    root.mkdir()  # noqa: ASYNC240 - nothing waits for it
    with pytest.raises(RecorderDown) as caught:
        await recorder(root, layout).coverage("gate", span(0, 4))
    assert caught.value.code == "empty"
    assert not (await recorder(root, layout).probe()).reachable


@pytest.mark.parametrize(
    "name",
    [
        "gate/%Y%m%d_%H%M%S.mp4",
        "gate/%Y-%m-%d/front_%Y%m%d%H%M%S.MP4",
        "gate/%Y-%m-%d_%H-%M-%S.mov",
        "gate/1_%Y-%m-%dT%H-%M-%S.m4v",
        "gate/ch01_%Y%m%d-%H%M%S_main.mp4",
        "gate/%Y-%m-%d_%H-%M-%S-000000.mp4",
        "gate/%Y_%m_%d_%H_%M_%S.mp4",
    ],
)
async def test_start_is_read_from_the_names_that_are_usual(root: Path, name: str) -> None:
    filmed(root, NOON, 8, name)
    source = recorder(root, "plain")
    assert await source.coverage("gate", span(-60, 60)) == [span(0, 8)]
    assert (await source.probe()).oldest_frame == {"gate": NOON}


async def test_configured_pattern_is_found_in_the_name_or_the_path(root: Path) -> None:
    filmed(root, NOON, 8, "gate/%Y/%m/%d/%H.%M.%S-rec.mp4")
    source = recorder(root, "plain", pattern="%Y/%m/%d/%H.%M.%S")
    assert await source.coverage("gate", span(-60, 60)) == [span(0, 8)]
    assert await recorder(root, "plain").coverage("gate", span(-60, 60)) == []


@pytest.mark.parametrize("pattern", ["%Y-%m-%d", "%H%M%S", "%Y%m%d_%H%M%S_%Y", "%Y%m%d %I%M%S %p", "%", "day"])
def test_pattern_that_does_not_say_the_start_is_refused(root: Path, pattern: str) -> None:
    with pytest.raises(Fatal, match="day, hour, minute and second"):
        recorder(root, "plain", pattern=pattern)
    with pytest.raises(Refused, match="day, hour, minute and second") as caught:
        SCHEMA.checked({"root": "/srv/recordings", "layout": "plain", "pattern": pattern})
    assert caught.value.field == "configuration.pattern"


def test_pattern_that_says_the_start_is_kept() -> None:
    told = {"root": "/srv/recordings", "layout": "plain", "pattern": "rec-%d.%m.%y %H-%M-%S%%"}
    assert SCHEMA.checked(told)["pattern"] == told["pattern"]


@pytest.mark.recorder_answer(
    "folder",
    Behaviour.LOCAL_TIME,
    "文件名按登记的时区理解；写明时区的按所写；Frigate 总是 UTC。",
    "Names are times of the configured zone, unless they say theirs; Frigate's are always UTC.",
)
async def test_plain_names_are_times_of_the_zone_unless_they_say_theirs(root: Path) -> None:
    filmed(root, datetime(2026, 3, 1, 20, tzinfo=UTC), 4, "gate/%Y%m%d_%H%M%S.mp4")  # on the recorder's wall
    filmed(root, at(10), 4, "gate/%Y%m%dT%H%M%SZ.mp4")
    source = recorder(root, "plain", zone="Asia/Shanghai")
    assert await source.coverage("gate", span(-60, 60)) == [span(0, 4), span(10, 14)]


@pytest.mark.recorder_answer(
    "folder",
    Behaviour.CLOCK_CHANGE,
    "重复的一小时按文件关闭的时间和时长区分。",
    "The hour that comes twice is told apart by when a file was closed and how long it is.",
)
async def test_hour_that_a_clock_goes_through_twice_is_told_apart_for_plain_files(root: Path) -> None:
    # In Berlin on 25 October 2026 the hour from 2:00 came at 0:00 UTC and again at 1:00 UTC.
    [path] = filmed(root, datetime(2026, 10, 25, 2, 30, tzinfo=UTC), 4, "gate/%Y%m%d_%H%M%S.mp4")
    source = recorder(root, "plain", zone="Europe/Berlin")
    for hour in (0, 1):
        start = datetime(2026, 10, 25, hour, 30, tzinfo=UTC)
        closed = (start + timedelta(seconds=5)).timestamp()
        os.utime(path, (closed, closed))
        held = Span(start, start + timedelta(seconds=4))
        assert await source.coverage("gate", held) == [held]


async def test_hour_that_a_clock_leaves_out_is_read_as_if_it_had_gone_on(root: Path) -> None:
    # In Berlin on 29 March 2026 2:00 became 3:00; a recorder that went on writes 2:30 for 1:30 UTC.
    filmed(root, datetime(2026, 3, 29, 2, 30, tzinfo=UTC), 4, "gate/%Y%m%d_%H%M%S.mp4")
    start = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    held = Span(start, start + timedelta(seconds=4))
    assert await recorder(root, "plain", zone="Europe/Berlin").coverage("gate", held) == [held]


def remuxed(path: Path, suffix: str, form: str) -> Path:
    """The same packets in another container, closed when its footage ended."""
    target = path.with_suffix(suffix)
    with av.open(str(path)) as source, av.open(str(target), "w", format=form) as container:
        video = source.streams.video[0]
        stream = container.add_stream_from_template(video)
        for packet in source.demux(video):
            if packet.size:
                packet.stream = stream
                container.mux(packet)
    path.unlink()
    return target


FORMS = [(".mkv", "matroska"), (".ts", "mpegts"), (".ps", "vob")]


@pytest.mark.parametrize(("suffix", "form"), FORMS)
async def test_what_has_no_boxes_is_measured_by_its_time_stamps(root: Path, suffix: str, form: str) -> None:
    paths = [remuxed(path, suffix, form) for path in filmed(root, NOON, 12, "gate/%Y%m%d_%H%M%S.mp4")]
    source = recorder(root, "plain")
    assert await source.coverage("gate", span(-60, 60)) == [span(0, 12)]
    segments = [one async for one in source.fetch("gate", span(5, 6))]
    assert [(one.name, one.container, one.span) for one in segments] == [(paths[1].name, suffix[1:], span(4, 8))]
    assert b"".join([chunk async for chunk in segments[0].open()]) == paths[1].read_bytes()
    if form == "vob":
        return  # the muxer does not say in it which codec it holds, as recorders' streams do
    picture = root.parent / "picture.jpg"
    picture.write_bytes(await source.snapshot("gate", at(5.02)))
    with av.open(str(picture)) as container:
        assert numbers_in(container.decode(video=0)) == [50]


@pytest.mark.parametrize(("suffix", "form"), FORMS)
async def test_garbled_file_without_boxes_promises_nothing_and_is_still_fetched(
    root: Path, suffix: str, form: str
) -> None:
    paths = [remuxed(path, suffix, form) for path in filmed(root, NOON, 8, "gate/%Y%m%d_%H%M%S.mp4")]
    source = recorder(root, "plain")
    for body in (b"", b"<html>no footage</html>", b"\0" * 4000, b"\x1a\x45\xdf\xa3" * 1000, b"\xff" * 3000):
        paths[0].write_bytes(body)
        assert await source.coverage("gate", span(0, 8)) == [span(4, 8)]
        assert await names(source, span(1, 3)) == [paths[0].name]


@pytest.mark.parametrize(("suffix", "form"), FORMS[1:])
async def test_truncated_stream_reaches_to_its_last_time_stamp(root: Path, suffix: str, form: str) -> None:
    [path] = [remuxed(path, suffix, form) for path in filmed(root, NOON, 4, "gate/%Y%m%d_%H%M%S.mp4")]
    truncate(path, 0.5)
    [found] = await recorder(root, "plain").coverage("gate", span(0, 4))
    assert timedelta(seconds=1) < found.duration < timedelta(seconds=3)


NEAR_THE_WRAP = 2**33 - 90_000  # the clock of a stream goes round a second later


@pytest.mark.parametrize(
    ("container", "make"),
    [
        ("mkv", lambda shot: boxed(shot, "mkv")),
        ("mkv", matroska),
        ("mkv", lambda shot: matroska(shot, start=3_600_000)),
        ("mkv", lambda shot: matroska(shot, live=True)),
        ("ts", lambda shot: boxed(shot, "ts")),
        ("ts", lambda shot: boxed(shot, "ts", start=70_000)),
        ("ps", packed),
        ("ps", lambda shot: packed(shot, start=NEAR_THE_WRAP, brand=True)),
        ("ps", lambda shot: packed(shot, start=NEAR_THE_WRAP, dts=False, largest=60_000)),
    ],
    ids=["mkv", "never closed", "late", "live", "ts", "late ts", "ps", "wrap", "few stamps"],
)
@pytest.mark.parametrize(("reorder", "audio"), [(0, None), (2, "aac")])
def test_streams_of_every_maker_are_measured(
    tmp_path: Path, container: str, make: Callable[[Shot], bytes], reorder: int, audio: str | None
) -> None:
    path = tmp_path / "any"
    path.write_bytes(make(shoot("h264", audio, 4, reorder=reorder)))
    extent = read_stream_extent(path, container)
    assert extent.fault is None
    [(begin, end)] = extent.pieces
    assert begin == 0
    assert end == pytest.approx(4, abs=0.11)


@given(st.binary(max_size=4000), st.sampled_from(["mkv", "ts", "ps"]), st.integers(0, 3000))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_make_the_measuring_fail(tmp_path: Path, body: bytes, container: str, cut: int) -> None:
    begin = {"mkv": b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\xff", "ts": b"G@\0\x10", "ps": b"\0\0\1\xba"}[container]
    path = tmp_path / "any"
    path.write_bytes(begin + body[:cut] + b"\0\0\1\xe0\0\0\x80\x80\x05!\0\1\0\1" + body[cut:])
    extent = read_stream_extent(path, container)
    assert (extent.fault is None) == bool(extent.pieces)


@pytest.mark.parametrize(("suffix", "form"), [(".mp4", ""), (".mkv", "matroska")])
async def test_long_file_beside_a_later_short_one_is_not_lost(root: Path, suffix: str, form: str) -> None:
    name = "gate/%Y%m%d_%H%M%S.mp4"
    made = Camera(root.parent / "made", "gate", marked=False).record(NOON, 300, segment=300)[0].path
    long = root / NOON.strftime(name)
    long.parent.mkdir(parents=True)
    made.rename(long)
    paths = [long, *filmed(root, at(20), 4, name)]
    if form:
        paths = [remuxed(path, suffix, form) for path in paths]
    for path, closed in zip(paths, (at(300), at(24)), strict=True):
        os.utime(path, (closed.timestamp(), closed.timestamp()))
    source = recorder(root, "plain")
    assert await source.coverage("gate", span(200, 250)) == [span(200, 250)]
    assert await names(source, span(200, 250)) == [paths[0].name]
    assert await source.coverage("gate", span(-60, 400)) == [span(0, 300)]


async def test_link_out_of_a_plain_channel_is_not_seen(root: Path) -> None:
    filmed(root, NOON, 4, "gate/%Y%m%d_%H%M%S.mp4")
    [outside] = filmed(root.parent / "outside", at(10), 4, "%Y%m%d_%H%M%S.mp4")
    (root / "gate" / outside.name).symlink_to(outside)
    assert await recorder(root, "plain").coverage("gate", span(0, 20)) == [span(0, 4)]


def rough(start: float, length: float) -> File:
    """A file that truly starts then, as its name tells it."""
    name = at(int(start))
    held = Span(name, name + timedelta(seconds=length))
    return File(Path("any.mp4"), 1, held, (held,), "mp4", None)


LENGTHS = st.lists(st.floats(2.1, 12), min_size=2, max_size=40)


@given(begins=st.floats(0, 0.999), lengths=LENGTHS)
def test_names_rounded_down_never_tear_what_was_recorded_without_a_break(begins: float, lengths: list[float]) -> None:
    files, start = [], begins
    for length in lengths:
        files.append(rough(start, length))
        start += length
    placed = aligned(files)
    for before, after in pairwise(placed):
        assert abs(after.span.start - before.span.end) <= timedelta(microseconds=5)
    for file, named in zip(placed, files, strict=True):
        assert named.span.start - JOIN_TOLERANCE <= file.span.start <= named.span.start + SECOND + JOIN_TOLERANCE
        assert abs(file.span.duration - named.span.duration) <= timedelta(microseconds=5)


@given(begins=st.floats(0, 0.999), lengths=LENGTHS, gap=st.floats(2.5, 9))
def test_a_gap_of_more_than_two_steps_is_never_closed_by_moving_files(
    begins: float, lengths: list[float], gap: float
) -> None:
    files, start = [], begins
    for number, length in enumerate(lengths):
        files.append(rough(start, length))
        start += length + (gap if number == 0 else 0)
    first, second = aligned(files)[:2]
    assert second.span.start > first.span.end
