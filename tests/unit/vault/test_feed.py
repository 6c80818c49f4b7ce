"""What is written to the clip process: in order, hashed, no further ahead than is good, and told when it breaks."""

import asyncio
import hashlib
import os
import random

import pytest

from services.vault.feed import AHEAD, Feed
from services.vault.pipes import WIDTH


async def test_what_is_put_comes_out_and_is_hashed() -> None:
    reading, writing = os.pipe()
    feed, digest = Feed(writing), hashlib.sha256()
    parts = [random.Random(number).randbytes(number * 40_009) for number in range(40)]  # noqa: S311 - bytes, no secret

    def read() -> bytes:
        with os.fdopen(reading, "rb") as pipe:
            return pipe.read()

    coming = asyncio.create_task(asyncio.to_thread(read))
    for part in parts:
        await feed.put(b"head", part, then=lambda part=part: digest.update(part))  # type: ignore[misc]
    await feed.finish()
    assert await coming == b"".join(b"head" + part for part in parts)
    assert digest.hexdigest() == hashlib.sha256(b"".join(parts)).hexdigest()


async def test_a_pipe_that_nobody_reads_makes_wait_and_one_that_breaks_is_told() -> None:
    reading, writing = os.pipe()
    feed = Feed(writing)

    async def fill() -> None:
        for _ in range(2 * (AHEAD + WIDTH) // WIDTH):
            await feed.put(bytes(WIDTH))

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
