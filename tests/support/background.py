"""What a process does beside everything else, begun for a test and ended with it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any


@asynccontextmanager
async def going(work: Coroutine[Any, Any, None]) -> AsyncIterator["asyncio.Task[None]"]:
    """The task of ``work``, which has begun and is cancelled at the end."""
    task = asyncio.create_task(work)
    await asyncio.sleep(0)
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def drain(act: Callable[[], Awaitable[bool | None]]) -> int:
    """Let a periodic task act until nothing is left; how many times there was something."""
    turns = 0
    while await act():
        turns += 1
    return turns
