"""A folder of recordings as a recorder: what it holds is measured in the files, not believed from their names."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import av
import pytest
from footage_maker import NAME, Camera, numbers_in, truncate
from recorders.behaviours import Behaviour
from redated import RECORDINGS, redate
from vault_bench import NOON, at, span

from services.recorders.folder import layout as folder_layout
from services.recorders.folder.mp4_extents import Extent, read_extent
from services.recorders.folder.recorder import FolderRecorder
from services.recorders.protocol import NothingRecorded, RecorderDown, Segment, WrongChannel
from services.recorders.registry import Bounded, open_recorder
from services.runtime.errors import Fatal
from services.runtime.metrics import REGISTRY
from services.runtime.spans import Span

EVENING = datetime(2026, 11, 24, 22, 46, tzinfo=UTC)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "recordings"


def recorder(root: Path, **more: str) -> FolderRecorder:
    return FolderRecorder.from_configuration({"root": str(root), **more})


async def names(recorder: FolderRecorder, asked: Span, channel: str = "cam1") -> list[str]:
    return [segment.name async for segment in recorder.fetch(channel, asked)]


async def test_coverage_of_real_recordings_shows_the_gap_to_the_frame() -> None:
    asked = Span(EVENING, EVENING + timedelta(minutes=10))
    found = await recorder(RECORDINGS).coverage("cam1", asked)
    assert [(one.start.strftime("%H:%M:%S.%f"), one.end.strftime("%H:%M:%S.%f")) for one in found] == [
        ("22:46:07.242666", "22:48:45.141525"),
        ("22:49:07.322475", "22:51:07.312118"),
    ]


async def test_coverage_is_clipped_and_fetch_gives_what_overlaps(root: Path) -> None:
    written = Camera(root, "cam1").record(NOON, 12)
    assert await recorder(root).coverage("cam1", span(5, 7)) == [span(5, 7)]
    assert await names(recorder(root), span(5, 7)) == [written[1].path.name]
    assert await names(recorder(root), span(3.9, 8.1)) == [one.path.name for one in written]
    assert await recorder(root).coverage("cam1", span(20, 30)) == []
    assert await names(recorder(root), span(20, 30)) == []


async def test_segment_gives_the_bytes_on_disk_and_its_measured_span(root: Path) -> None:
    (written,) = Camera(root, "cam1").record(NOON, 4)
    (segment,) = [one async for one in recorder(root).fetch("cam1", span(0, 4))]
    assert segment.span == span(0, 4)
    assert (segment.channel, segment.container) == ("cam1", "fmp4")
    body = b"".join([chunk async for chunk in segment.open()])
    assert body == written.path.read_bytes()
    assert segment.size == len(body)


async def test_truncated_file_covers_what_is_whole_and_is_still_fetched(root: Path) -> None:
    written = Camera(root, "cam1").record(NOON, 8)
    truncate(written[0].path, 0.55)
    (first, second) = await recorder(root).coverage("cam1", span(0, 8))
    assert at(1) <= first.end <= at(3)
    assert second == span(4, 8)
    assert written[0].path.name in await names(recorder(root), span(3.2, 3.9))


@pytest.mark.parametrize("body", [b"", b"<html>no footage</html>", b"\0" * 4000])
async def test_file_without_footage_promises_nothing_and_is_still_fetched(root: Path, body: bytes) -> None:
    written = Camera(root, "cam1").record(NOON, 8)
    written[0].path.write_bytes(body)
    assert await recorder(root).coverage("cam1", span(0, 8)) == [span(4, 8)]
    assert await names(recorder(root), span(1, 3)) == [written[0].path.name]


@pytest.mark.recorder_answer(
    "folder",
    Behaviour.IN_PROGRESS,
    "每次重新测量；取到列出时为止。",
    "It is measured anew each time, and read as far as it was when it was listed.",
)
async def test_file_that_grows_is_measured_anew(root: Path) -> None:
    (written,) = Camera(root, "cam1").record(NOON, 4)
    whole = written.path.read_bytes()
    source = recorder(root)
    truncate(written.path, 0.4)
    (short,) = await source.coverage("cam1", span(0, 4))
    segments = [one async for one in source.fetch("cam1", span(0, 4))]
    written.path.write_bytes(whole)
    assert await source.coverage("cam1", span(0, 4)) == [span(0, 4)]
    assert short.end < at(4)
    # What was found before it grew is given as it was then.
    assert len(b"".join([chunk async for chunk in segments[0].open()])) == segments[0].size


async def test_names_are_times_in_the_recorders_zone(root: Path) -> None:
    Camera(root, "cam1").record(datetime(2026, 3, 1, 20, tzinfo=UTC), 4)  # on the recorder's wall
    source = recorder(root, zone="Asia/Shanghai")
    assert await source.coverage("cam1", span(-60, 60)) == [span(0, 4)]
    assert (await source.probe()).zone == "Asia/Shanghai"


async def test_hour_that_the_clock_goes_through_twice_is_told_apart_by_when_files_were_closed(root: Path) -> None:
    # In Berlin on 25 October 2026 the hour from 2:00 came at 0:00 UTC and again at 1:00 UTC.
    path = Camera(root, "cam1").record(datetime(2026, 10, 25, 2, 30, tzinfo=UTC), 4)[0].path
    source = recorder(root, zone="Europe/Berlin")
    for hour in (0, 1):
        start = datetime(2026, 10, 25, hour, 30, tzinfo=UTC)
        closed = (start + timedelta(seconds=5)).timestamp()
        os.utime(path, (closed, closed))
        assert await source.coverage("cam1", Span(start, start + timedelta(seconds=4))) == [
            Span(start, start + timedelta(seconds=4))
        ]


NAMES = {"mediamtx": "%Y-%m-%d_%H-%M-%S-000000.mp4", "plain": "gate_%Y%m%d_%H%M%S.mp4"}
EARLIER, LATER = datetime(2026, 10, 25, 0, 10, tzinfo=UTC), datetime(2026, 10, 25, 1, 40, tzinfo=UTC)


def of_length(root: Path, layout: str, local: datetime, closed: datetime) -> Path:
    """A file that is named by a time of the recorder's wall and was closed at that moment; its length is patched."""
    path = root / "cam1" / local.strftime(NAMES[layout])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\0\0\0\x18ftypiso5" + b"\0" * 12)
    os.utime(path, (closed.timestamp(), closed.timestamp()))
    return path


@pytest.mark.requirement("R34")
@pytest.mark.parametrize("layout", NAMES)
@pytest.mark.parametrize("seconds", [4, 3601, 5400])
async def test_long_files_of_the_hour_that_comes_twice_are_told_apart_by_their_length(
    root: Path, monkeypatch: pytest.MonkeyPatch, layout: str, seconds: int
) -> None:
    length = timedelta(seconds=seconds)
    monkeypatch.setattr(folder_layout, "read_extent", lambda _: Extent(((0.0, float(seconds)),), True, None))
    # On the wall in Berlin they began at 2:10, and at 2:40 of the second time.
    for local, start in ((10, EARLIER), (40, LATER)):
        of_length(root, layout, datetime(2026, 10, 25, 2, local, tzinfo=UTC), start + length + timedelta(seconds=2))
    source = recorder(root, layout=layout, zone="Europe/Berlin")
    segments = [one async for one in source.fetch("cam1", Span(EARLIER, LATER + length))]
    assert [one.span for one in segments] == [Span(EARLIER, EARLIER + length), Span(LATER, LATER + length)]


@pytest.mark.parametrize("closed", [EARLIER + timedelta(days=200), EARLIER - timedelta(days=1)])
async def test_file_that_lost_when_it_was_closed_is_of_the_first_of_two_hours(
    root: Path, monkeypatch: pytest.MonkeyPatch, closed: datetime
) -> None:
    monkeypatch.setattr(folder_layout, "read_extent", lambda _: Extent(((0.0, 3601.0),), True, None))
    of_length(root, "mediamtx", datetime(2026, 10, 25, 2, 10, tzinfo=UTC), closed)
    held = Span(EARLIER, EARLIER + timedelta(seconds=3601))
    assert await recorder(root, zone="Europe/Berlin").coverage("cam1", held) == [held]


async def test_a_list_opens_no_files_of_other_days_but_those_of_an_hour_that_comes_twice(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []

    def measure(path: Path) -> Extent:
        opened.append(path)
        raise PermissionError(path)

    monkeypatch.setattr(folder_layout, "read_extent", measure)
    for day in range(20, 31):
        start = datetime(2026, 10, day, 2, 10, tzinfo=UTC)
        of_length(root, "mediamtx", start, start + timedelta(hours=1))
    source = recorder(root, zone="Europe/Berlin")
    asked = datetime(2026, 11, 20, tzinfo=UTC)
    # The last file of all is measured too: nobody knows how far it reaches.
    with pytest.raises(RecorderDown):
        await source.coverage("cam1", Span(asked, asked + timedelta(hours=1)))
    assert {path.name[:10] for path in opened} == {"2026-10-25", "2026-10-30"}
    opened.clear()
    asked = datetime(2026, 10, 19, tzinfo=UTC)
    assert await source.coverage("cam1", Span(asked, asked + timedelta(hours=1))) == []
    assert {path.name[:10] for path in opened} == {"2026-10-25"}


async def test_snapshot_is_the_picture_of_that_moment(root: Path) -> None:
    Camera(root, "cam1").record(NOON, 8)
    jpeg = await recorder(root).snapshot("cam1", at(5.72))
    assert jpeg.startswith(b"\xff\xd8")
    path = root.parent / "picture.jpg"
    path.write_bytes(jpeg)
    with av.open(str(path)) as container:
        assert numbers_in(container.decode(video=0)) == [57]


async def test_snapshot_where_nothing_is_recorded_says_so(root: Path) -> None:
    (written,) = Camera(root, "cam1").record(NOON, 4)
    with pytest.raises(NothingRecorded):
        await recorder(root).snapshot("cam1", at(30))
    written.path.write_bytes(b"\0" * 4000)
    with pytest.raises(NothingRecorded):
        await recorder(root).snapshot("cam1", at(1))


def _unmounted(root: Path, state: str) -> None:
    if state == "empty":
        root.mkdir()
    elif state == "a file":
        root.write_text("")


@pytest.mark.parametrize("state", ["absent", "empty", "a file"])
async def test_recorder_without_its_disk_is_down(root: Path, state: str) -> None:
    _unmounted(root, state)
    source = recorder(root)
    for attempt in (source.coverage("cam1", span(0, 4)), source.snapshot("cam1", at(0)), names(source, span(0, 4))):
        with pytest.raises(RecorderDown, match="Mount it"):
            await attempt
    facts = await source.probe()
    assert not facts.reachable
    assert facts.oldest_frame == {}


async def test_file_that_vanishes_while_it_is_fetched_means_the_recorder_is_down(root: Path) -> None:
    Camera(root, "cam1").record(NOON, 4)
    (segment,) = [one async for one in recorder(root).fetch("cam1", span(0, 4))]
    shutil.rmtree(root)
    with pytest.raises(RecorderDown, match="could not be read"):
        await anext(segment.open())


@pytest.mark.recorder_answer(
    "folder",
    Behaviour.UNKNOWN_CHANNEL,
    "报告没有这个通道；指向文件夹外的链接不算。",
    "It has no such channel; a link out of the folder is none.",
)
@pytest.mark.parametrize("channel", ["cam9", "..", "../outside", "", ".", "/etc", "cam1/../../outside", "linked"])
async def test_channel_that_is_not_the_recorders_own_is_refused(root: Path, channel: str) -> None:
    Camera(root, "cam1").record(NOON, 4)
    Camera(root.parent, "outside").record(NOON, 4)
    (root / "linked").symlink_to(root.parent / "outside")
    with pytest.raises(WrongChannel):
        await recorder(root).coverage(channel, span(0, 4))


async def test_file_that_links_out_of_the_channel_is_not_seen(root: Path) -> None:
    Camera(root, "cam1").record(NOON, 4)
    outside = Camera(root.parent, "outside").record(at(10), 4)
    (root / "cam1" / outside[0].path.name).symlink_to(outside[0].path)
    assert await recorder(root).coverage("cam1", span(0, 20)) == [span(0, 4)]


async def test_a_probe_measures_no_more_files_than_it_takes_to_find_the_oldest_frame(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = Camera(root, "cam1").record(NOON, 12)
    written[0].path.write_bytes(b"nothing that can be measured")
    measured: list[Path] = []

    def measure(path: Path) -> Extent:
        measured.append(path)
        return read_extent(path)

    monkeypatch.setattr(folder_layout, "read_extent", measure)
    facts = await recorder(root).probe()

    assert facts.oldest_frame == {"cam1": at(4)}
    assert measured == [one.path for one in written[:2]]


async def test_probe_tells_oldest_frames_and_the_clock_as_configured(root: Path) -> None:
    Camera(root, "cam1").record(NOON, 4)
    Camera(root, "site/cam2").record(at(5), 4)
    facts = await recorder(root).probe()
    assert facts.oldest_frame == {"cam1": NOON, "site/cam2": at(5)}
    assert (facts.clock_offset_ms, facts.clock_method) == (None, "unknown")
    told = {"clock_offset_ms": "-1500", "clock_uncertainty_ms": "200", "clock_method": "NTP", "identity": "north"}
    facts = await recorder(root, **told).probe()
    assert (facts.clock_offset_ms, facts.clock_method, facts.clock_uncertainty_ms) == (-1500, "NTP", 200)
    assert facts.identity == "north"


async def test_folder_cannot_protect_footage_and_says_so(root: Path) -> None:
    Camera(root, "cam1").record(NOON, 4)
    assert await recorder(root).protect("cam1", span(0, 4)) is False


@pytest.mark.parametrize(
    ("kind", "configuration", "words"),
    [
        ("tape", {}, "no recorder of the kind 'tape'"),
        ("folder", {}, "no root"),
        ("folder", {"root": "/tmp", "zone": "Peking"}, "IANA name"),  # noqa: S108
        ("folder", {"root": "/tmp", "layout": "other"}, "one of mediamtx, frigate, plain"),  # noqa: S108
        ("folder", {"root": "/tmp", "clock_offset_ms": "soon"}, "whole number"),  # noqa: S108
        ("folder", {"root": "/tmp", "parallel_fetches": "0"}, "from 1 up"),  # noqa: S108
    ],
)
def test_configuration_that_is_not_understood_says_what_to_set(
    kind: str, configuration: dict[str, str], words: str
) -> None:
    with pytest.raises(Fatal, match=words):
        open_recorder(kind, configuration)


def waiting_for_a_place() -> float | None:
    return REGISTRY.get_sample_value("footage_desk_fetches_waiting", {"kind": "folder"})


async def test_only_so_many_fetches_of_one_recorder_go_on_at_once(root: Path) -> None:
    Camera(root, "cam1").record(NOON, 8)
    configuration = {"root": str(root), "parallel_fetches": "1"}
    first = open_recorder("folder", configuration).fetch("cam1", span(0, 8))
    await anext(first)
    second = open_recorder("folder", configuration).fetch("cam1", span(0, 8))
    waiting = asyncio.ensure_future(anext(second))
    other = open_recorder("folder", {"root": str(root), "parallel_fetches": "1", "identity": "other"})
    assert [one async for one in other.fetch("cam1", span(0, 8))]
    assert not waiting.done()
    assert waiting_for_a_place() == 1
    await first.aclose()  # type: ignore[attr-defined]  # a generator, which the protocol does not promise
    assert (await waiting).channel == "cam1"
    await second.aclose()  # type: ignore[attr-defined]  # as above
    assert waiting_for_a_place() == 0


async def test_fetch_that_fails_gives_its_place_back(root: Path) -> None:
    class Broken:
        async def fetch(self, channel: str, span: Span) -> AsyncIterator[Segment]:
            raise RecorderDown("gone")
            yield

    bounded = Bounded(Broken(), ("broken", frozenset()), 1)  # type: ignore[arg-type]  # only fetch is used
    for _ in range(3):
        with pytest.raises(RecorderDown):
            await anext(bounded.fetch("cam1", span(0, 1)))


async def test_redated_recordings_keep_their_time_of_day_and_bytes(root: Path) -> None:
    copies = redate(root, date(2027, 2, 3))
    assert len(copies) == 7
    assert redate(root, date(2027, 2, 3)) == copies
    source = RECORDINGS / "cam1" / "2026-11-24_22-46-07-242666.mp4"
    copy = root / "cam1" / "2027-02-03_22-46-07-242666.mp4"
    assert copy.read_bytes() == source.read_bytes()
    found = await recorder(root).coverage(
        "cam1", Span(datetime(2027, 2, 3, tzinfo=UTC), datetime(2027, 2, 4, tzinfo=UTC))
    )
    assert [one.start.strftime(NAME) for one in found] == ["2027-02-03_22-46-07-242666", "2027-02-03_22-49-07-322475"]
