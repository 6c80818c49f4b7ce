"""Into the clip process: a pipe that is written to, and the footage hashed, by threads beside the event loop."""

import asyncio
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import SimpleQueue

from services.vault.framing import PLACE, frame, head
from services.vault.pipes import Outlet
from services.vault.slots import Slots

AHEAD = 2 << 20  # bytes that wait for the threads, so that neither they nor the recorder wait for a turn
Then = Callable[[], None]


class Feed:
    """Takes what is to be written to ``descriptor``, which it closes at the end. What is public is for the loop.

    One thread writes, another does what comes after: the pipe holds two pieces, and would run dry meanwhile.
    """

    def __init__(self, descriptor: int, slots: Slots | None = None) -> None:
        self._descriptor = descriptor
        self._slots = slots
        self._outlet = Outlet(descriptor)  # held until the reader has ended: what it has not read lies here
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[tuple[Then, int, Then | None] | None] = SimpleQueue()
        self._written: SimpleQueue[tuple[int, Then | None] | None] = SimpleQueue()
        self._lock = threading.Lock()  # over these two
        self._ahead = 0
        self._waiting: asyncio.Future[None] | None = None
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._error: OSError | None = None
        threading.Thread(target=self._write, daemon=True, name="clip-feed").start()
        threading.Thread(target=self._follow, daemon=True, name="clip-hash").start()

    async def put(self, frame: bytes, then: Then | None = None) -> None:
        """Write a frame, and do ``then``, in threads; waits where much is waiting. Raises what the pipe raised."""
        await self._do(partial(self._outlet.writelines, (frame,)), len(frame), then)

    async def footage(self, piece: bytes | memoryview, then: Then) -> None:
        """As ``put``, with a piece of a segment, at most as large as a slot."""
        await self._do(partial(self._hand, piece), len(piece), then)

    async def _do(self, act: Then, size: int, then: Then | None) -> None:
        if self._error is not None:
            raise self._error
        waiting = None
        with self._lock:
            self._ahead += size
            if self._ahead > AHEAD:
                waiting = self._waiting = self._loop.create_future()
        self._queue.put((act, size, then))
        if waiting is not None and self._error is None:
            await waiting

    async def finish(self) -> None:
        """Wait until all is written; raises what the pipe raised."""
        self._queue.put(None)
        await asyncio.shield(self._ended)
        if self._error is not None:
            raise self._error

    def end(self) -> None:
        """Let the threads end, whose reader has ended."""
        if self._slots is not None:
            self._slots.lose()
        self._queue.put(None)

    def _hand(self, piece: bytes | memoryview) -> None:
        if self._slots is None:
            self._outlet.writelines((head(b"D", len(piece)), piece))
        else:
            self._outlet.writelines((frame(b"P", PLACE.pack(self._slots.lay(piece), len(piece))),))

    def _write(self) -> None:
        broken = False
        while (item := self._queue.get()) is not None:
            if broken:
                continue
            act, size, then = item
            try:
                act()
            except OSError as error:
                broken = True
                self._tell(self._broke, error)
                continue
            self._written.put((size, then))
        os.close(self._descriptor)
        self._written.put(None)

    def _follow(self) -> None:
        while (item := self._written.get()) is not None:
            size, then = item
            if then is not None:
                then()
            waiting = None
            with self._lock:
                self._ahead -= size
                if self._ahead <= AHEAD // 2:  # each turn of the loop costs
                    waiting, self._waiting = self._waiting, None
            if waiting is not None:
                self._tell(_release, waiting)
        self._tell(self._end)

    def _tell(self, function: Callable[..., None], *arguments: object) -> None:
        with suppress(RuntimeError):  # the loop has ended, and nobody waits
            self._loop.call_soon_threadsafe(function, *arguments)

    def _broke(self, error: OSError) -> None:
        self._error = error
        with self._lock:
            waiting, self._waiting = self._waiting, None
        if waiting is not None:
            _release(waiting)

    def _end(self) -> None:
        _release(self._ended)


def _release(waiting: "asyncio.Future[None]") -> None:
    if not waiting.done():
        waiting.set_result(None)
