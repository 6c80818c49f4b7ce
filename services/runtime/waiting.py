"""Wait for an event with a time limit."""

import asyncio


async def set_within(event: asyncio.Event, seconds: float) -> bool:
    """Wait until the event is set, at most ``seconds``; return whether it is.

    Python 3.11's ``asyncio.wait_for`` swallows a cancellation that meets its result: a loop that waits so may outlive
    its shutdown, which has hung for ever. ``asyncio.timeout`` lets it through.
    """
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
