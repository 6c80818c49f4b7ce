"""Wait for an event with a time limit, and for a signal."""

import asyncio
import signal


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


def signalled() -> asyncio.Event:
    """Return an event that SIGINT and SIGTERM set from now on, instead of ending the process."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop
