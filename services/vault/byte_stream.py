"""Carry a blocking stream to the store that reads it, in the store's thread; the event loop decides on its end.

A store's ``put`` blocks for as long as the upload lasts, so each has a thread of its own: a pool could fill up with
puts that wait for readers which wait for the pool. The footage's bytes do not pass through the loop: it is notified
of their number, and decides at their end whether the upload may complete.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol, TypeVar

import anyio

R = TypeVar("R")
REPORT_BYTES = 4 << 20  # between two notifications of the loop: each of its turns costs


class Stream(Protocol):
    """What a store's thread reads."""

    def read(self) -> memoryview:
        """Return the next bytes, empty at the end; they are valid until the next call. Blocks."""
        ...

    def stop(self) -> None:
        """End ``read`` at once; called on the loop."""
        ...


class HashedStream(Stream, Protocol):
    """A stream that hashes what it reads."""

    @property
    def sha256(self) -> str:
        """Of all bytes, in hexadecimal, once ``read`` has come to the end."""
        ...


def in_own_thread(function: Callable[[], R]) -> "asyncio.Future[R]":
    """Run ``function`` in a new thread; the future cannot stop it, ``settle`` waits for it."""
    outcome: Future[R] = Future()
    outcome.set_running_or_notify_cancel()

    def run() -> None:
        try:
            result = function()
        except BaseException as error:  # noqa: BLE001  # raised to the waiter
            outcome.set_exception(error)
        else:
            outcome.set_result(result)

    future = asyncio.wrap_future(outcome)
    threading.Thread(target=run, daemon=True, name="vault-put").start()
    return future


async def settle(future: "asyncio.Future[R]") -> None:
    """Wait until the future is done, even if the waiter is cancelled; ignore its result."""
    with anyio.CancelScope(shield=True):
        while not future.done():
            try:
                await asyncio.wait({future})
            except asyncio.CancelledError:
                continue  # the caller is ending anyway and raises it again


class ByteStream:
    """Carries a stream's bytes to the store's thread; ``on_bytes`` is called on the loop with their number."""

    def __init__(self, stream: Stream, on_bytes: Callable[[int], None]) -> None:
        self._stream = stream
        self._on_bytes = on_bytes
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self._loop.create_future()  # the stream's end, or what ``on_bytes`` raised
        self._unreported = 0
        self._released = threading.Event()
        self._error: Exception | None = None

    def read(self) -> memoryview | None:
        """Return the next bytes, or None at the end, once ``finish`` was called.

        In the thread. Raises what ``fail`` was called with, and what the stream raises.
        """
        if self._error is None and (piece := self._stream.read()):
            self._unreported += len(piece)
            if self._unreported >= REPORT_BYTES:
                self._report(self._unreported)
                self._unreported = 0
            return piece
        if self._error is None:
            self._report(self._unreported, end=True)
            self._released.wait()
        if self._error is not None:
            raise self._error
        return None

    def finish(self) -> None:
        """Allow the upload to complete; called on the loop."""
        self._released.set()

    def fail(self, error: Exception) -> None:
        """Stop the stream, and make the thread's next ``read`` raise this; called on the loop."""
        self._error = error
        self._released.set()
        self._stream.stop()

    def _report(self, size: int, *, end: bool = False) -> None:
        self._loop.call_soon_threadsafe(self._on_report, size, end)

    def _on_report(self, size: int, end: bool) -> None:
        if self.ended.done():
            return
        try:
            self._on_bytes(size)
        except Exception as error:  # noqa: BLE001  # raised to whoever awaits the end
            self.ended.set_exception(error)
        else:
            if end:
                self.ended.set_result(None)
