"""What is written to the clip process where no memory is shared: in order, hashed, and told when the pipe breaks."""

import asyncio
import hashlib
import os
import random

import pytest

from services.vault.feed import Feed
from services.vault.framing import frame
from services.vault.pipes import WIDTH


async def test_what_is_put_comes_out_and_is_hashed() -> None:
    reading, writing = os.pipe()
    feed, digest = Feed(writing, None), hashlib.sha256()
    parts = [random.Random(number).randbytes(number * 25_009) for number in range(40)]  # noqa: S311 - bytes, no secret

    def read() -> bytes:
        with os.fdopen(reading, "rb") as pipe:
            return pipe.read()

    coming = asyncio.create_task(asyncio.to_thread(read))
    for part in parts:
        await feed.footage(part, digest)
    await feed.finish()
    assert await coming == b"".join(frame(b"D", part) for part in parts)
    assert digest.hexdigest() == hashlib.sha256(b"".join(parts)).hexdigest()


async def test_a_pipe_that_nobody_reads_makes_wait_and_one_that_breaks_is_told() -> None:
    reading, writing = os.pipe()
    feed, digest = Feed(writing, None), hashlib.sha256()

    async def fill() -> None:
        for _ in range(3):
            await feed.footage(bytes(WIDTH), digest)

    filling = asyncio.create_task(fill())
    await asyncio.wait([filling], timeout=0.05)
    assert not filling.done()
    os.close(reading)
    with pytest.raises(BrokenPipeError):
        await filling
    with pytest.raises(BrokenPipeError):
        await feed.put(b"more")
    with pytest.raises(BrokenPipeError):
        await feed.finish()
