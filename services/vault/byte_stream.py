"""From a stream that blocks to the store that reads it, in the store's thread; the event loop has the last word.

A store's ``put`` blocks for as long as the upload lasts, so each has a thread of its own: a pool could fill up with
puts that wait for readers which wait for the pool. The footage's bytes do not pass through the loop: it is told how
far they are, and says at their end whether they may end.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol, TypeVar

import anyio

R = TypeVar("R")
STEP = 4 << 20  # bytes after which the loop is told: each turn of it costs


class Stream(Protocol):
    """What a store's thread reads."""

    def read(self) -> memoryview:
        """The next bytes, empty at the end; they are there until the next call. Blocks."""
        ...

    def stop(self) -> None:
        """Make ``read`` come to its end at once; called on the loop."""
        ...


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


class ByteStream:
    """Carries a stream's bytes to the store's thread; ``moved`` is told on the loop how many came."""

    def __init__(self, stream: Stream, moved: Callable[[int], None]) -> None:
        self._stream = stream
        self._moved = moved
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self._loop.create_future()  # the stream's end, or what ``moved`` raised
        self._untold = 0
        self._said = threading.Event()
        self._error: Exception | None = None

    def read(self) -> memoryview | None:
        """In the thread: the next bytes, or None at the end, once the loop has let it end; raises what it failed with.

        What the stream raises passes through.
        """
        if self._error is None and (piece := self._stream.read()):
            self._untold += len(piece)
            if self._untold >= STEP:
                self._tell(self._untold)
                self._untold = 0
            return piece
        if self._error is None:
            self._tell(self._untold, end=True)
            self._said.wait()
        if self._error is not None:
            raise self._error
        return None

    def finish(self) -> None:
        """On the loop: let the stream's end be the end."""
        self._said.set()

    def fail(self, error: Exception) -> None:
        """On the loop: stop the stream, and make the thread's next ``read`` raise this."""
        self._error = error
        self._said.set()
        self._stream.stop()

    def _tell(self, size: int, *, end: bool = False) -> None:
        self._loop.call_soon_threadsafe(self._told, size, end)

    def _told(self, size: int, end: bool) -> None:
        if self.ended.done():
            return
        try:
            self._moved(size)
        except Exception as error:  # noqa: BLE001  # carried to the one who waits for the end
            self.ended.set_exception(error)
        else:
            if end:
                self.ended.set_result(None)
