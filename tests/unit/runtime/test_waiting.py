"""Waiting for an event with a limit: what it says, and that a shutdown always gets through."""

import asyncio

import pytest

from services.runtime.waiting import set_within


async def test_it_says_whether_the_event_came_in_time() -> None:
    event = asyncio.Event()
    assert not await set_within(event, 0.01)
    asyncio.get_running_loop().call_soon(event.set)
    assert await set_within(event, 60)


@pytest.mark.parametrize("steps", range(5))
async def test_a_cancellation_that_meets_the_event_ends_the_loop(steps: int) -> None:
    event = asyncio.Event()

    async def go_on() -> None:
        while True:
            event.clear()
            await set_within(event, 60)

    task = asyncio.create_task(go_on())
    await asyncio.sleep(0)
    event.set()
    for _ in range(steps):  # of the event loop: asyncio.wait_for needs three from the event to its answer
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task}, timeout=1)

    ended = task.cancelled()
    task.cancel()  # a loop that went on would hold up the end of the test
    assert ended
