"""Into the clip process: what is told it, and the footage, laid into slots and hashed beside the event loop."""

import asyncio
import hashlib
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import SimpleQueue

from services.vault.framing import PLACE, frame, head
from services.vault.pipes import Outlet
from services.vault.slots import Slots

Then = Callable[[], None]


class Feed:
    """Takes what is to be written to ``descriptor``, which it closes at the end. What is public is for the loop.

    One thread writes, and does what comes after it. Where there are no ``slots``, the footage is written as well.
    """

    def __init__(self, descriptor: int, slots: Slots | None) -> None:
        self._descriptor = descriptor
        self._slots = slots
        self._outlet = Outlet(descriptor)  # held until the reader has ended: what it has not read lies here
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[tuple[tuple[bytes | memoryview, ...], Then] | None] = SimpleQueue()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._error: OSError | None = None
        threading.Thread(target=self._run, daemon=True, name="clip-feed").start()

    async def put(self, *parts: bytes | memoryview, then: Then = lambda: None) -> None:
        """Write these, do ``then`` in the thread, and wait until it is done. Raises what the pipe raised."""
        done = self._loop.create_future()

        def act() -> None:
            if self._error is None:
                then()
            self._tell(_release, done)

        self._queue.put((parts, act))
        await done
        self._check()

    async def footage(self, piece: bytes | memoryview, digest: "hashlib._Hash") -> None:
        """Hand over a piece of a segment, at most as large as a slot, and hash it; waits for nothing but a slot."""
        if self._slots is None:
            await self.put(head(b"D", len(piece)), piece, then=partial(digest.update, piece))
            return
        self._check()
        while (laid := self._slots.lay(piece)) is None:
            free = self._loop.create_future()
            self._slots.when_free(partial(self._tell, _release, free))
            await free
            self._check()
        slot, there = laid

        def hash_it(slots: Slots = self._slots) -> None:
            digest.update(there)
            slots.hashed(slot)

        self._queue.put(((frame(b"P", PLACE.pack(slot, len(piece))),), hash_it))

    async def finish(self) -> None:
        """Wait until all is written; raises what the pipe raised."""
        self._queue.put(None)
        await asyncio.shield(self._ended)
        self._check()

    def end(self) -> None:
        """Let the thread end, whose reader has ended."""
        self._queue.put(None)

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            parts, then = item
            if self._error is None:
                try:
                    self._outlet.writelines(parts)
                except OSError as error:
                    self._error = error
                    if self._slots is not None:
                        self._slots.lose()
            then()
        os.close(self._descriptor)
        self._tell(_release, self._ended)

    def _tell(self, function: Callable[..., None], *arguments: object) -> None:
        with suppress(RuntimeError):  # the loop has ended, and nobody waits
            self._loop.call_soon_threadsafe(function, *arguments)


def _release(waiting: "asyncio.Future[None]") -> None:
    if not waiting.done():
        waiting.set_result(None)
