"""A file of a folder that the disk cannot read is that file's loss; a disk that is gone is waited for."""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from footage_maker import Camera
from vault_bench import Bench, at, span

from services.recorders import retrying_fetch
from services.recorders.folder.mediamtx_layout import MediaMtxLayout
from services.recorders.protocol import RecorderDown

ASKED = span(1, 39)


@contextmanager
def damaged(is_bad: Callable[[Path], bool], number: int = errno.EIO) -> Iterator[None]:
    """Let these files fail as they are opened, as those with a bad sector in their first bytes do."""
    whole = Path.open

    def opened(path: Path, *arguments: Any, **named: Any) -> Any:
        if is_bad(path):
            raise OSError(number, "Input/output error")
        return whole(path, *arguments, **named)

    with patch.object(Path, "open", opened):
        yield


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench.in_folder(tmp_path)


@pytest.mark.requirement("R32")
@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES])
@pytest.mark.parametrize("which", [0, 1, 3])
async def test_the_others_are_covered_and_sealed(bench: Bench, which: int, number: int) -> None:
    written = Camera(bench.root, "cam1").record(at(0), 40, segment=10)
    bad = written[which].path

    with damaged(lambda path: path == bad, number):
        covered = await bench.recorder.coverage("cam1", span(0, 40))
        got = await bench.seal(ASKED, retrying_fetch.fetch(bench.recorder, "cam1", ASKED), promised=[])

    begin = 10 * which
    assert not any(one.start < at(begin + 9) and one.end > at(begin + 1) for one in covered)
    assert len(covered) in (1, 2)
    assert got.outcome == "partial"


@pytest.mark.requirement("R32")
async def test_a_bad_oldest_file_keeps_no_other_camera_waiting(bench: Bench) -> None:
    Camera(bench.root, "cam1").record(at(0), 20, segment=10)
    bad = Camera(bench.root, "cam2", tint=3).record(at(0), 20, segment=10)[0].path

    with damaged(lambda path: path == bad):
        facts = await bench.recorder.probe()

    assert facts.reachable
    assert (facts.oldest_frame["cam1"], facts.oldest_frame["cam2"]) == (at(0), at(10))


@pytest.mark.requirement("R32")
async def test_a_disk_that_is_gone_is_waited_for(bench: Bench) -> None:
    Camera(bench.root, "cam1").record(at(0), 40, segment=10)

    with damaged(lambda path: path.is_relative_to(bench.root)):
        assert not (await bench.recorder.probe()).reachable
        with pytest.raises(RecorderDown):
            await bench.recorder.coverage("cam1", ASKED)
        with pytest.raises(RecorderDown):
            await bench.seal(ASKED, retrying_fetch.fetch(bench.recorder, "cam1", ASKED), promised=[])
    assert bench.objects() == []


async def test_a_bad_sector_in_the_middle_of_a_file_loses_no_other_file(bench: Bench) -> None:
    written = Camera(bench.root, "cam1").record(at(0), 40, segment=10)
    bad = written[1].path
    segments = [segment async for segment in bench.recorder.fetch("cam1", ASKED)]  # measured before the sector went bad

    with damaged(lambda path: path == bad):
        pieces = [b"".join([piece async for piece in segment.open()]) for segment in segments]

    assert [bool(piece) for piece in pieces] == [True, False, True, True]


async def test_a_file_that_is_overwritten_while_the_folder_is_read_is_not_seen(bench: Bench) -> None:
    written = Camera(bench.root, "cam1").record(at(0), 40, segment=10)
    oldest = written[0].path
    dated = MediaMtxLayout._dated

    def overwritten(layout: MediaMtxLayout, root: Path, channel: str) -> list[Any]:
        found = list(dated(layout, root, channel))
        oldest.unlink(missing_ok=True)
        return found

    with patch.object(MediaMtxLayout, "_dated", overwritten):
        [covered] = await bench.recorder.coverage("cam1", span(0, 40))

    assert covered.start == at(10)
