"""Where a wall is missing it is said, and where both are required nothing is read."""

import asyncio
import json
import shlex
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
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
from services.vault.clip import client
from services.vault.clip.client import Clip, ClipFailed, Limits
from services.vault.clip.input import ClipInput

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
    said = str(confined.describe(await confined.missing_walls()))
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


@pytest.fixture
def taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Have every confined process run this program instead, once it is confined."""

    def run(program: str) -> None:
        hostile = tmp_path / "python-taken-over"
        first = "import os, sys; from services.runtime.confine import Limits, confine; confine(Limits()); "
        source = first + program if "\n" not in program else f"{first}\n{program}"
        hostile.write_text(f'#!/bin/sh\nexec {sys.executable} -I -c {shlex.quote(source)} "$@"\n')
        hostile.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(hostile))

    return run


ENDLESS = "block = bytes(1 << 16)\nwhile True: os.write({where}, block)"
SILENT = "import time; time.sleep(3600)"
MODULE = "services.recorders.snapshot_process"


async def test_an_answer_without_end_is_not_held_and_its_process_is_killed(
    taken_over: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    largest, held = 1 << 20, list[int]()
    read = asyncio.StreamReader.read

    async def counted(stream: asyncio.StreamReader, size: int = -1) -> bytes:
        chunk = await read(stream, size)
        held.append(len(chunk))
        return chunk

    monkeypatch.setattr(asyncio.StreamReader, "read", counted)
    taken_over(ENDLESS.format(where=1))
    with written_logs() as log:
        answer = await confined.answer_of(MODULE, given=b"x" * (1 << 20), seconds=60, largest=largest)
    assert answer == b""
    assert sum(held) < 2 * largest
    assert "answered more than it may" in log.getvalue()


async def test_a_process_that_never_answers_is_killed(taken_over: Callable[[str], None]) -> None:
    taken_over(SILENT)
    assert await confined.answer_of(MODULE, given=b"x" * (1 << 20), seconds=0.2, largest=1) == b""


@pytest.mark.parametrize(
    ("program", "cause"),
    [
        ("block = bytes(1 << 16)\nwhile True: os.write(1, block)", "it wrote more than it was given"),
        (
            "while True: os.write(int(sys.argv[-3]), b'{\"fragment\":[0,0,1]}\\n' * 1000)",
            "it reported more than it may",
        ),
        (
            "block = b'[' * (1 << 16)\nwhile True: os.write(int(sys.argv[-3]), block)",
            "it sent a line that cannot be read",
        ),
        ("os.write(int(sys.argv[-3]), b'[1]\\n'); time.sleep(3600)", "it sent a line that cannot be read"),
        ("time.sleep(3600)", "without a byte"),
        ("os.close(1); time.sleep(3600)", "without a byte"),
        ("sys.stdin.buffer.read(); time.sleep(3600)", "without a byte"),
        ("while True: os.write(1, b'x'); time.sleep(0.01)", "it was waited for 1"),
        ('os.write(int(sys.argv[-3]), b\'{"report":{"sources":7}}\\n\')', "sent a report that cannot be read"),
    ],
)
async def test_a_clip_process_that_sends_without_end_or_never_ends_is_killed(
    program: str, cause: str, taken_over: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "MOST_MORE", 1 << 20)
    monkeypatch.setattr(client, "MOST_FRAGMENTS", 100_000)
    taken_over(f"import time\n{program}")
    made = film(shoot("h264"), "fmp4")
    limits = Limits(
        stall_seconds=0.4 if cause == "without a byte" else 60, cpu_seconds=1 if cause == "it was waited for 1" else 60
    )
    async with Clip(stream([made.given()]), span(0, 4), "cam1", limits=limits) as one:
        await in_own_thread(lambda: [None for _ in iter(one.read, b"")])
        with pytest.raises(ClipFailed, match=cause):
            await one.conclude()
    assert len(one.fragments) <= 100_001


async def test_a_recorder_that_is_slow_is_no_fault_of_the_clip_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing comes for longer than the process may stall: it has nothing to take."""
    looked, longer = list[bool](), asyncio.Event()
    waits = ClipInput.waits_for_process.fget
    assert waits is not None

    def counted(one: ClipInput) -> bool:
        looked.append(waits(one))
        if len(looked) > 12:
            longer.set()
        return looked[-1]

    monkeypatch.setattr(ClipInput, "waits_for_process", property(counted))

    async def late() -> AsyncIterator[bytes]:
        await longer.wait()
        raise OSError("the recorder went away")
        yield b""

    late_one = Segment("one", "cam1", span(0, 4), None, "fmp4", late)
    async with Clip(stream([late_one]), span(0, 4), "cam1", limits=Limits(stall_seconds=0.2)) as one:
        await in_own_thread(lambda: [None for _ in iter(one.read, b"")])
        with pytest.raises(OSError, match="the recorder went away"):
            await one.conclude()


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
        assert (
            await confined.answer_of("services.recorders.snapshot_process", "1", given=b"", seconds=30, largest=1)
            == b""
        )
    events = [json.loads(line)["event"] for line in log.getvalue().splitlines()]
    assert events == ["a confined process attempted what it may not do, and was killed"] * 2


async def test_a_process_that_ended_by_itself_is_not_killed_away_from_those_who_wait(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for _ in range(5):
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", "", stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        while process.returncode is None:
            confined.kill(process)  # before it has ended, and while nobody was told yet that it has
            await asyncio.sleep(0)
        assert await process.wait() in (0, -9)
    assert "Unknown child process" not in caplog.text
