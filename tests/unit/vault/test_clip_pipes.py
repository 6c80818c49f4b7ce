"""The pipes to the clip process and back: in order, hashed, bounded, and told when they break."""

import asyncio
import gc
import hashlib
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from typing import Any

import descriptors
import pytest
from footage_maker import Camera
from vault_bench import NOON, Bench, given, span, stream

from services.vault.byte_stream import in_own_thread
from services.vault.clip.client import Clip, ClipFailed, _framed
from services.vault.clip.input import BUFFERED, ClipInput
from services.vault.clip.output import BUFFER, BUFFERS, ClipOutput
from services.vault.clip.protocol import FOOTAGE_FRAME, frame
from services.vault.store.protocol import Source, Stored, StoreDown

MIB = 1 << 20


def read_all(descriptor: int) -> bytes:
    with os.fdopen(descriptor, "rb") as pipe:
        return pipe.read()


def pipes_now() -> int:
    """How many pipes are open in this process."""
    return sum(target.startswith("pipe:") for target in descriptors.targets())


async def test_what_is_sent_comes_out_in_order_and_is_hashed() -> None:
    reading, writing = os.pipe()
    clip_input, digest = ClipInput(writing), hashlib.sha256()
    parts = [random.Random(number).randbytes(number * 6_500) for number in range(40)]  # noqa: S311 - bytes, no secret
    coming = asyncio.create_task(asyncio.to_thread(read_all, reading))
    for part in parts:
        view = memoryview(part)
        await clip_input.send_footage([view[:100], view[100:]], digest)
    hashed: list[str] = []
    await clip_input.send(frame(b"E"), then=lambda: hashed.append(digest.hexdigest()))
    await clip_input.finish()
    assert await coming == b"".join(frame(b"D", part) for part in parts) + frame(b"E")
    assert hashed == [hashlib.sha256(b"".join(parts)).hexdigest()]


async def test_a_pipe_that_nobody_reads_makes_wait_and_one_that_breaks_is_told() -> None:
    reading, writing = os.pipe()
    clip_input, digest = ClipInput(writing), hashlib.sha256()
    sent = 0

    async def fill() -> None:
        nonlocal sent
        while True:
            await clip_input.send_footage([bytes(FOOTAGE_FRAME)], digest)
            sent += FOOTAGE_FRAME

    filling = asyncio.create_task(fill())
    await asyncio.wait([filling], timeout=0.05)
    assert not filling.done()
    assert sent <= BUFFERED + 2 * MIB  # what waits, and what the pipe holds
    os.close(reading)
    with pytest.raises(BrokenPipeError):
        await filling
    with pytest.raises(BrokenPipeError):
        await clip_input.send(b"more")
    with pytest.raises(BrokenPipeError):
        await clip_input.finish()


async def test_who_sends_waits_for_room_only() -> None:
    reading, writing = os.pipe()
    clip_input, digest = ClipInput(writing), hashlib.sha256()
    for _ in range(BUFFERED // FOOTAGE_FRAME - 1):
        await clip_input.send_footage([bytes(FOOTAGE_FRAME)], digest)  # nobody reads, and nothing is waited for
    waiting = asyncio.create_task(asyncio.to_thread(read_all, reading))
    for _ in range(40):
        await clip_input.send_footage([bytes(FOOTAGE_FRAME)], digest)
    await clip_input.finish()
    assert len(await waiting) == (BUFFERED // FOOTAGE_FRAME + 39) * (FOOTAGE_FRAME + 5)


def test_the_clip_is_read_ahead_as_far_as_there_are_buffers() -> None:
    reading, writing = os.pipe()
    body = random.Random(1).randbytes(3 * BUFFERS * BUFFER + 7)  # noqa: S311 - bytes, no secret
    written: list[int] = []

    def write() -> None:
        for place in range(0, len(body), 100_003):
            written.append(os.write(writing, body[place : place + 100_003]))
        os.close(writing)

    output = ClipOutput(reading)
    writer = threading.Thread(target=write)
    writer.start()
    writer.join(0.2)
    assert sum(written) <= BUFFERS * BUFFER + 2 * MIB
    assert not output.waits_for_process  # it is the reader's turn
    got = hashlib.sha256()
    while piece := output.read():
        got.update(piece)
    writer.join()
    assert got.hexdigest() == output.sha256 == hashlib.sha256(body).hexdigest()
    assert output.read() == b""


def test_what_was_read_is_there_until_the_next_is_asked_for() -> None:
    reading, writing = os.pipe()
    output = ClipOutput(reading)
    os.write(writing, b"first")
    first = output.read()
    os.write(writing, b"second")
    os.close(writing)
    assert first == b"first"
    assert output.read() == b"second"
    assert output.read() == b""


def test_an_output_that_is_closed_ends_who_reads() -> None:
    reading, writing = os.pipe()
    output = ClipOutput(reading)
    reader = threading.Thread(target=output.read)
    reader.start()
    output.close()
    reader.join(10)
    assert not reader.is_alive()
    os.close(writing)


@pytest.mark.parametrize("seed", range(6))
async def test_footage_in_any_pieces_fills_frames(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - sizes, no secret
    chunks = [chance.randbytes(chance.choice([1, 5, 65_536, 300_000, 1 << 20])) for _ in range(20)]

    async def come() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    frames = [b"".join(pieces) async for pieces in _framed(come())]
    assert b"".join(frames) == b"".join(chunks)
    assert all(len(one) == FOOTAGE_FRAME for one in frames[:-1])


@pytest.mark.requirement("R36")
async def test_a_segment_is_hashed_as_it_came(bench: Bench, camera: Camera) -> None:
    written = camera.record(NOON, 40)
    sealed = await bench.seal(span(1, 39), [given(one) for one in written])
    assert [one.sha256 for one in sealed.coverage.sources] == [
        hashlib.sha256(one.path.read_bytes()).hexdigest() for one in written
    ]


async def test_a_sealing_that_fails_leaves_no_pipe_open(bench: Bench, camera: Camera) -> None:
    class Down:
        def put(self, bucket: str, key: str, source: Source, **_: Any) -> Stored:
            for _ in range(3):
                source.readinto(memoryview(bytearray(MIB)))
            raise StoreDown("the store went away")

        def sweep(self, bucket: str, key: str) -> int:
            return 0

    written = [given(one) for one in camera.record(NOON, 8)]
    before, kept = pipes_now(), []
    gc.disable()
    try:
        for _ in range(2):
            with pytest.raises(StoreDown) as failure:
                await bench.seal(span(0, 8), written, store=Down())
            kept.append(failure)
        for thread in threading.enumerate():
            if thread.name in ("clip-input", "clip-output"):
                await asyncio.to_thread(thread.join, 10)
        assert pipes_now() == before
    finally:
        gc.enable()


async def test_a_process_that_was_killed_ends_the_clip_and_what_feeds_it(camera: Camera) -> None:
    empty = (8 + 2 * MIB).to_bytes(4, "big") + b"free" + bytes(2 * MIB)
    written = [given(one, body=one.path.read_bytes() + empty) for one in camera.record(NOON, 40)]
    async with Clip(stream(written), span(0, 40), "cam1") as clip:
        assert await in_own_thread(clip.read)
        os.kill(clip._process.pid, signal.SIGKILL)
        while await in_own_thread(clip.read):
            pass
        with pytest.raises(ClipFailed, match="ended with status"):
            await clip.conclude()


@pytest.mark.parametrize(
    "sent", [frame(b"J", b"{}")[:-1], frame(b"D", b"no job"), b""], ids=["cut off", "no job", "none"]
)
def test_a_process_that_is_sent_nonsense_ends_and_says_why(sent: bytes) -> None:
    reading, writing = os.pipe()
    command = [sys.executable, "-I", "-m", "services.vault.clip.process", str(writing), str(1 << 30), "60"]
    ended = subprocess.run(command, input=sent, capture_output=True, pass_fds=(writing,), timeout=60, check=False)
    os.close(writing)
    assert read_all(reading) == b""
    assert ended.returncode == 1
    assert ended.stderr.decode().splitlines()[-1].startswith("EOFError: ")
