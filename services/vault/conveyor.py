"""From the event loop to a thread, and no more than a few chunks between them.

A store's ``put`` blocks for as long as the upload lasts, so each has a thread of its own: a pool could fill up with
puts that wait for readers which wait for the pool.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

import anyio

R = TypeVar("R")
SLOTS = 8


def in_own_thread(function: Callable[[], R]) -> "asyncio.Future[R]":
    """Run ``function`` in a new thread; the future cannot stop it, ``settle`` waits for it."""
    outcome: Future[R] = Future()
    outcome.set_running_or_notify_cancel()

    def run() -> None:
        try:
            result = function()
        except BaseException as error:  # noqa: BLE001  # carried to the one who waits
            outcome.set_exception(error)
        else:
            outcome.set_result(result)

    future = asyncio.wrap_future(outcome)
    threading.Thread(target=run, daemon=True, name="vault-put").start()
    return future


async def settle(future: "asyncio.Future[R]") -> None:
    """Wait until the future is done, even if the waiter is cancelled; says nothing of its result."""
    with anyio.CancelScope(shield=True):
        while not future.done():
            try:
                await asyncio.wait({future})
            except asyncio.CancelledError:
                continue  # the caller is ending anyway and raises it again


class Conveyor:
    """Chunks go in on the loop and come out in a thread; at most ``SLOTS`` lie in between."""

    def __init__(self) -> None:
        self.most_waiting = 0
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[bytes | Exception | None] = queue.SimpleQueue()
        self._free = asyncio.Semaphore(SLOTS)
        self._closed = False

    async def put(self, chunk: bytes) -> bool:
        """Hand a chunk over, waiting for a free slot; False when nobody takes it any more."""
        await self._free.acquire()
        if self._closed:
            return False
        self._queue.put(chunk)
        self.most_waiting = max(self.most_waiting, self._queue.qsize())
        return True

    def finish(self) -> None:
        """Nothing more comes."""
        self._queue.put(None)

    def fail(self, error: Exception) -> None:
        """Make the thread's next ``take`` raise this."""
        self._queue.put(error)

    def close(self) -> None:
        """On the loop: nobody takes chunks any more."""
        self._closed = True
        self._free.release()

    def take(self) -> bytes | None:
        """In the thread: the next chunk, or None at the end; raises what ``fail`` was given."""
        got = self._queue.get()
        if isinstance(got, Exception):
            raise got
        if got is not None:
            self._loop.call_soon_threadsafe(self._free.release)
        return got
