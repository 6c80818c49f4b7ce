"""Where a wall is missing it is said, and where both are required nothing is read."""

import json
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from films import film
from footage_formats import shoot
from missing_wall import without_landlock
from photographs import jpeg
from vault_bench import at, span, stream
from written_logs import written_logs

from services.domain.cameras.photographs import make_thumbnail
from services.recorders.protocol import Segment
from services.recorders.snapshot import picture_in
from services.runtime import confined
from services.runtime.confined import NotConfined
from services.runtime.errors import Fatal
from services.vault.byte_stream import in_own_thread
from services.vault.clip.client import Clip, ClipFailed

pytestmark = pytest.mark.tool("libseccomp")
Reader = Callable[[], Awaitable[bytes]]
SENTENCE = "one wall of two; Landlock is missing: Landlock "


@pytest.fixture
def one_wall(tmp_path: Path) -> Iterator[None]:
    with without_landlock(tmp_path):
        yield


@pytest.fixture
def required() -> Iterator[None]:
    confined.require_walls(True)
    yield
    confined.require_walls(False)


async def clip() -> bytes:
    made = film(shoot("h264"), "fmp4")
    async with Clip(stream([made.given()]), span(0, 4), "cam1") as one:
        body = await in_own_thread(lambda: b"".join(bytes(piece) for piece in iter(one.read, b"")))
        await one.conclude()
    return body


async def picture() -> bytes:
    made = film(shoot("h264"), "fmp4")
    segment = Segment("one", "cam1", span(0, 4), None, made.container, made.given().open)
    return await picture_in(stream([segment]), at(1))


async def photograph() -> bytes:
    return await make_thumbnail(jpeg(640, 360))


READERS = [clip, picture, photograph]


@pytest.mark.parametrize("read", READERS)
async def test_both_walls_stand_and_it_is_read(read: Reader, required: None) -> None:
    assert await read()


async def test_nothing_is_reported_where_both_stand() -> None:
    with written_logs() as log:
        await confined.report_missing_walls()
    assert dict(await confined.missing_walls()) == {}
    assert log.getvalue() == ""


async def test_walls_that_cannot_be_tried_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    confined.forget_walls()
    said = confined.describe(await confined.missing_walls())
    confined.forget_walls()
    assert said.startswith("no wall of two; seccomp is missing: it could not be tried: ")
    assert "; Landlock is missing: it could not be tried: " in said


@pytest.mark.parametrize("read", READERS)
async def test_behind_one_wall_it_is_read_too(read: Reader, one_wall: None) -> None:
    assert await read()


@pytest.mark.parametrize("read", READERS)
async def test_behind_one_wall_nothing_is_read_where_both_are_required(
    read: Reader, one_wall: None, required: None
) -> None:
    with pytest.raises(NotConfined) as refused:
        await read()
    assert isinstance(refused.value, Fatal)
    assert SENTENCE in str(refused.value)
    assert "FOOTAGE_DESK_CONFINEMENT__REQUIRED" in str(refused.value)


async def test_the_missing_wall_is_in_the_log_at_the_start(one_wall: None) -> None:
    levels = {}
    for insist in (False, True):
        confined.require_walls(insist)
        with written_logs() as log:
            await confined.report_missing_walls()
        [line] = map(json.loads, log.getvalue().splitlines())
        assert line["walls"].startswith(SENTENCE)
        levels[insist] = line["level"]
    confined.require_walls(False)
    assert levels == {False: "warning", True: "error"}


async def test_what_a_process_attempts_is_in_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A decoder that was taken over, and starts a program."""
    hostile = tmp_path / "python-taken-over"
    taken = (
        "import os; from services.runtime.confine import Limits, confine; confine(Limits()); "
        "os.execv('/bin/true', ['true'])"
    )
    hostile.write_text(f'#!/bin/sh\nexec {sys.executable} -I -c "{taken}"\n')
    hostile.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(hostile))
    with written_logs() as log:
        with pytest.raises(ClipFailed, match="attempted what it may not do"):
            await clip()
        assert await confined.answer_of("services.recorders.snapshot_process", "1", given=b"", seconds=30) == b""
    events = [json.loads(line)["event"] for line in log.getvalue().splitlines()]
    assert events == ["a confined process attempted what it may not do, and was killed"] * 2
