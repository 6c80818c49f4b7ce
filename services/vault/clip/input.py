"""The input of the clip process: frames are written to its pipe, and footage is hashed, beside the event loop."""

import asyncio
import hashlib
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from services.vault.clip.protocol import head, widen

BUFFERED = 4 << 20  # bytes that may wait for the pipe: a recorder sends on while the process does not run
_AT_ONCE = 512  # pieces in one call; systems take 1024

Bytes = bytes | memoryview
Then = Callable[[], None]


class ClipInput:
    """Writes to ``descriptor``, which it closes at the end. Call it from the event loop; one thread writes."""

    def __init__(self, descriptor: int) -> None:
        widen(descriptor)
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()
        self._changed = threading.Condition()  # over all that follow
        self._waiting: deque[tuple[Sequence[Bytes], Then]] = deque()
        self._size = 0  # bytes of these
        self._ended = False
        self._idle = False  # the thread has nothing to write
        self.written = 0  # bytes that the process has taken
        self._error: OSError | None = None
        self._drained: asyncio.Future[None] | None = None  # the sender waits until less is waiting
        self._closed: asyncio.Future[None] = self._loop.create_future()
        threading.Thread(target=self._run, daemon=True, name="clip-input").start()

    async def send(self, *frame: Bytes, then: Then = lambda: None) -> None:
        """Write a frame, given in pieces, and call ``then`` in the thread; waits only while too much is waiting.

        Raises what the pipe raised, for this frame or one before.
        """
        with self._changed:
            self._check()
            self._waiting.append((frame, then))
            self._size += sum(map(len, frame))
            self._changed.notify()
            drained = self._drained = self._loop.create_future() if self._size > BUFFERED else None
        if drained is not None:
            await drained
            self._check()

    async def send_footage(self, pieces: Sequence[Bytes], digest: "hashlib._Hash") -> None:
        """Send pieces of a segment as one frame, and add them to the digest."""

        def add() -> None:
            for piece in pieces:
                digest.update(piece)

        await self.send(head(b"D", sum(map(len, pieces))), *pieces, then=add)

    async def finish(self) -> None:
        """Wait until all is written; raises what the pipe raised."""
        self.end()
        await asyncio.shield(self._closed)
        self._check()

    def end(self) -> None:
        """Let the thread end once it has written what waits."""
        with self._changed:
            self._ended = True
            self._changed.notify()

    @property
    def waits_for_process(self) -> bool:
        """Whether the process has something to take, or was given all."""
        return not self._idle

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            while (frame := self._next()) is not None:
                parts, then = frame
                for written in _write(self._descriptor, parts):
                    self.written += written
                then()
                self._written(parts)
        except OSError as error:
            with self._changed:
                self._error = error
                self._waiting.clear()
        self._call(self._release)
        os.close(self._descriptor)
        self._call(self._closed.set_result, None)

    def _next(self) -> tuple[Sequence[Bytes], Then] | None:
        with self._changed:
            self._idle = not self._waiting and not self._ended
            self._changed.wait_for(lambda: self._waiting or self._ended)
            self._idle = False
            return self._waiting.popleft() if self._waiting else None

    def _written(self, parts: Sequence[Bytes]) -> None:
        with self._changed:
            self._size -= sum(map(len, parts))
            # Not for each frame: every turn of the event loop blocks the other threads.
            free = self._drained is not None and self._size <= BUFFERED // 2
        if free:
            self._call(self._release)

    def _release(self) -> None:
        with self._changed:
            drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)

    def _call(self, function: Callable[..., object], *arguments: object) -> None:
        with suppress(RuntimeError):  # the loop has ended, and nobody waits
            self._loop.call_soon_threadsafe(function, *arguments)


def _write(descriptor: int, parts: Sequence[Bytes]) -> Iterator[int]:
    """Write all of them, and yield how many bytes each call has written; blocks. Raises OSError."""
    left: list[Bytes] = [part for part in parts if part]
    while left:
        written = os.writev(descriptor, left[:_AT_ONCE])
        yield written
        while left and written >= len(left[0]):
            written -= len(left.pop(0))
        if written:
            left[0] = memoryview(left[0])[written:]
