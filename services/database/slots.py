"""The slots of a process at its database: how many units of work may run at once, and how long others wait."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from weakref import WeakKeyDictionary

from services.runtime import metrics


class NoSlot(Exception):
    """No slot became free in time."""


class Slots:
    """``size`` units of work at once for each event loop; the others wait in order, ``wait_seconds`` at most.

    Threads that wait for the pool instead would use up those that serve everything else, and wait without end.
    """

    def __init__(self, size: int, wait_seconds: float, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._wait_seconds = wait_seconds
        self._monotonic = monotonic
        self._of_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()
        self._taken = 0
        self._moved = monotonic()  # when one was last taken or given back

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Hold a slot for the block; raises NoSlot where none becomes free in time."""
        semaphore = self._of_loops.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(self._size))
        try:
            with metrics.CONNECTIONS_WAITED_FOR.track_inprogress():
                async with asyncio.timeout(self._wait_seconds):
                    await semaphore.acquire()
        except TimeoutError as error:
            raise NoSlot from error
        self._count(1)
        try:
            yield
        finally:
            semaphore.release()
            self._count(-1)

    def hung_seconds(self) -> float:
        """Return for how long all slots have been taken and none given back; 0 while one is free."""
        return self._monotonic() - self._moved if self._taken >= self._size else 0.0

    def _count(self, by: int) -> None:
        self._taken += by
        self._moved = self._monotonic()
