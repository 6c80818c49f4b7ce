"""What a folder's files may be, taken through the clip to the verdict: nothing wrong is complete.

In the layouts of Frigate and of plain files; tests/unit/workers/test_recorder_answers.py takes MediaMTX's to the books.
"""

import os
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import av
import pytest
from footage_maker import NAME, Camera, Written, truncate
from recorders.behaviours import Behaviour, cannot_happen
from recorders.judged import judged
from vault_bench import NOON, Bench, span

from services.recorders.folder.recorder import FolderRecorder
from services.recorders.protocol import RecorderDown
from services.vault.coverage import WrongFootage

LAYOUTS = {
    "mediamtx": f"gate/{NAME}.mp4",
    "frigate": "%Y-%m-%d/%H/gate/%M.%S.mp4",
    "plain": "gate/%Y-%m-%d/cam_%Y%m%d_%H%M%S.mp4",
}
ASKED = span(2, 14)
HTML = b"<!DOCTYPE html><html>sign in</html>" * 2000

cannot_happen("folder", Behaviour.NEGATIVE_LENGTH, "文件没有负的长度。", "No file has one.")
cannot_happen("folder", Behaviour.REPEATED_PAGES, "目录没有分页。", "A directory has no pages.")
cannot_happen("folder", Behaviour.EXPIRED, "没有登录。", "Nobody logs in.")
cannot_happen("folder", Behaviour.BUSY, "文件系统不会这样回答。", "No file system answers so.")
cannot_happen(
    "folder",
    Behaviour.HANG,
    "本地磁盘不会；网络挂载由挂载自身的超时结束，请用 soft 方式挂载。",
    "A local disk does not; a network mount is ended by its own time-out: mount it soft.",
)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench.in_folder(tmp_path)


@pytest.fixture(params=["frigate", "plain"])
def layout(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def filmed(bench: Bench, layout: str, **camera: tuple[int, int]) -> list[Path]:
    """Four files of four seconds, without a gap, as that layout has them."""
    made = Camera(bench.root.parent / "made", "gate", marked=layout == "mediamtx", **camera).record(NOON, 16)
    return [_laid(bench.root, layout, one) for one in made]


def _laid(root: Path, layout: str, one: Written) -> Path:
    path = root / one.start.strftime(LAYOUTS[layout])
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(one.path, path)
    return path


def recorder(bench: Bench, layout: str) -> FolderRecorder:
    return FolderRecorder.from_configuration({"root": str(bench.root), "layout": layout})


@pytest.mark.requirement("R34")
async def test_whole_files_are_complete(bench: Bench, layout: str) -> None:
    filmed(bench, layout)
    assert (await judged(bench, recorder(bench, layout), ASKED, "gate")).outcome == "complete"


@pytest.mark.recorder_answer(
    "folder", Behaviour.LOGIN_PAGE, "该文件的时段列为缺口：部分。", "The file's time is a gap: partial."
)
@pytest.mark.recorder_answer(
    "folder", Behaviour.EMPTY, "该文件的时段列为缺口：部分。", "The file's time is a gap: partial."
)
@pytest.mark.parametrize("body", [HTML, b""], ids=["page", "empty"])
async def test_file_that_is_no_footage_is_a_gap(bench: Bench, layout: str, body: bytes) -> None:
    filmed(bench, layout)[1].write_bytes(body)
    sealed = await judged(bench, recorder(bench, layout), ASKED, "gate")
    assert sealed.outcome == "partial"
    assert [gap.duration for gap in sealed.coverage.gaps] == [timedelta(seconds=4)]


@pytest.mark.recorder_answer(
    "folder",
    Behaviour.TRUNCATED,
    "只算完整的部分，缺少的列为缺口：部分。",
    "What is whole counts, and what is missing is a gap: partial.",
)
@pytest.mark.parametrize("share", [0.3, 0.99])
async def test_truncated_file_is_partial(bench: Bench, layout: str, share: float) -> None:
    truncate(filmed(bench, layout)[1], share)
    assert (await judged(bench, recorder(bench, layout), ASKED, "gate")).outcome == "partial"


@pytest.mark.recorder_answer(
    "folder",
    Behaviour.WRONG_LENGTH,
    "列出之后变短的文件按实际读到的计：部分。",
    "A file that has become shorter since it was listed counts as far as it was read: partial.",
)
async def test_file_that_has_become_shorter_since_is_partial(bench: Bench, layout: str) -> None:
    paths = filmed(bench, layout)
    source = recorder(bench, layout)
    promised = await source.coverage("gate", ASKED)
    segments = [one async for one in source.fetch("gate", ASKED)]
    truncate(paths[1], 0.5)
    sealed = await bench.seal(ASKED, segments, promised=promised, channel="gate")
    assert sealed.outcome == "partial"


@pytest.mark.recorder_answer(
    "folder",
    Behaviour.ACROSS_GAP,
    "逐个文件取回，缺口照实列出：部分。",
    "It is fetched file by file, and the gap is named: partial.",
)
@pytest.mark.recorder_answer(
    "folder",
    Behaviour.GAP_CLOSED,
    "文件名只到秒时，两秒及以上的缺口总能看出，更短的不一定。",
    "Where names tell whole seconds, a gap of two seconds is always seen, a shorter one not always.",
)
async def test_gap_between_files_is_named(bench: Bench, layout: str) -> None:
    filmed(bench, layout)[2].unlink()
    sealed = await judged(bench, recorder(bench, layout), ASKED, "gate")
    assert sealed.outcome == "partial"
    assert list(sealed.coverage.gaps) == [span(8, 12)]


@pytest.mark.recorder_answer(
    "folder",
    Behaviour.OTHER_CHANNEL,
    "画面指纹与该摄像头不符，拒绝，不保留任何内容。",
    "The picture's fingerprint is not the camera's: refused, nothing is kept.",
)
async def test_another_cameras_files_are_refused(bench: Bench, layout: str) -> None:
    filmed(bench, layout)
    known = await judged(bench, recorder(bench, layout), ASKED, "gate")
    shutil.rmtree(bench.root)
    filmed(bench, layout, size=(192, 112))
    fingerprint = known.coverage.fingerprint
    with pytest.raises(WrongFootage):
        await judged(
            bench, recorder(bench, layout), ASKED, "gate", expected_fingerprint=fingerprint, key="masters/item/2"
        )


@pytest.mark.recorder_answer(
    "folder",
    Behaviour.MISSING_FILE,
    "视为录像机不可用，稍后重试，不保留任何内容。",
    "The recorder counts as down: nothing is kept, and it is tried again.",
)
async def test_file_that_vanishes_while_it_is_fetched_leaves_nothing(bench: Bench, layout: str) -> None:
    paths = filmed(bench, layout)
    source = recorder(bench, layout)
    segments = [one async for one in source.fetch("gate", ASKED)]
    paths[2].unlink()
    with pytest.raises(RecorderDown):
        await bench.seal(ASKED, segments, channel="gate")


def _close(closed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody may read that folder; by its mode, the tests' own account might."""
    scan = os.scandir

    def scandir(path: Path) -> object:
        if Path(path) == closed:
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)


@pytest.mark.recorder_answer(
    "folder",
    Behaviour.FORBIDDEN,
    "报告没有读取权限，不当作没有录像；其余通道照常。",
    "It is told that it may not be read, and never taken for empty; other channels go on.",
)
async def test_folder_that_may_not_be_read_is_not_an_empty_one(
    bench: Bench, layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = filmed(bench, layout)[0].parent
    _close(closed, monkeypatch)
    with pytest.raises(RecorderDown) as caught:
        await recorder(bench, layout).coverage("gate", ASKED)
    assert caught.value.code == "denied"


@pytest.mark.parametrize("layout", ["mediamtx", "plain"])
async def test_folder_that_may_not_be_read_beside_the_channels_is_passed_over(
    bench: Bench, layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    filmed(bench, layout)
    closed = bench.root / "lost+found"
    closed.mkdir()
    _close(closed, monkeypatch)
    facts = await recorder(bench, layout).probe()
    assert facts.reachable
    assert facts.oldest_frame == {"gate": NOON}


def _mkv(path: Path) -> None:
    _remux(path, "matroska", ".mkv")


def _ts(path: Path) -> None:
    _remux(path, "mpegts", ".ts")


def _remux(path: Path, form: str, suffix: str, **options: str) -> None:
    target = path.with_suffix(suffix)
    with av.open(str(path)) as source, av.open(str(target), "w", format=form, options=options) as container:
        video = source.streams.video[0]
        stream = container.add_stream_from_template(video)
        for packet in source.demux(video):
            if packet.size:
                packet.stream = stream
                container.mux(packet)
    closed = path.stat().st_mtime
    os.utime(target, (closed, closed))
    path.unlink()


@pytest.mark.parametrize("change", [_mkv, _ts])
async def test_plain_files_in_other_containers_are_complete_or_named(
    bench: Bench, change: Callable[[Path], None]
) -> None:
    for path in filmed(bench, "plain"):
        change(path)
    source = recorder(bench, "plain")
    assert (await judged(bench, source, ASKED, "gate")).outcome == "complete"
    broken = next(path for path in sorted(bench.root.rglob("cam_*")) if "120004" in path.name)
    truncate(broken, 0.4)
    assert (await judged(bench, source, ASKED, "gate", key="masters/item/2")).outcome == "partial"


async def test_frigates_own_files_are_plain_mp4_and_complete_or_named(bench: Bench) -> None:
    # Frigate moves the index of what FFmpeg recorded to the front of each file.
    paths = filmed(bench, "frigate")
    for path in paths:
        _remux(path, "mp4", ".new", movflags="faststart")
        path.with_suffix(".new").rename(path)
    source = recorder(bench, "frigate")
    assert [one.container async for one in source.fetch("gate", ASKED)] == ["mp4"] * 4
    assert (await judged(bench, source, ASKED, "gate")).outcome == "complete"
    assert (await source.snapshot("gate", ASKED.start)).startswith(b"\xff\xd8")
    truncate(paths[1], 0.6)
    assert (await judged(bench, source, ASKED, "gate", key="masters/item/2")).outcome == "partial"
