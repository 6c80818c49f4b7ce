"""The slots of a process at its database: how many units of work may run at once, and how long others wait."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from weakref import WeakKeyDictionary, WeakValueDictionary

from services.runtime import metrics


class NoSlot(Exception):
    """No slot became free in time."""


class Slots:
    """``size`` units of work at once for each event loop; the others wait in order, ``wait_seconds`` at most.

    Units of one person have half of them at most: whoever opens many pages of a slow database waits for these, and
    nobody else does.
    Threads that wait for the pool instead would use up those that serve everything else, and wait without end.
    """

    def __init__(self, size: int, wait_seconds: float, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._wait_seconds = wait_seconds
        self._monotonic = monotonic
        self._of_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()
        self._of_people: WeakKeyDictionary[asyncio.AbstractEventLoop, WeakValueDictionary[str, asyncio.Semaphore]] = (
            WeakKeyDictionary()
        )
        self._taken = 0
        self._moved = monotonic()  # when one was last taken or given back

    @asynccontextmanager
    async def one(self, person_id: str | None = None) -> AsyncIterator[None]:
        """Hold a slot for the block, one of ``person_id``'s; raises NoSlot where none becomes free in time."""
        loop = asyncio.get_running_loop()
        waited = [self._of_loops.setdefault(loop, asyncio.Semaphore(self._size))]
        if person_id is not None:
            of_people = self._of_people.setdefault(loop, WeakValueDictionary())
            # kept while somebody has or awaits a slot of it
            waited.insert(0, of_people.setdefault(person_id, asyncio.Semaphore(max(1, self._size // 2))))
        async with AsyncExitStack() as held:
            try:
                with metrics.CONNECTIONS_WAITED_FOR.track_inprogress():
                    async with asyncio.timeout(self._wait_seconds):
                        for semaphore in waited:
                            await held.enter_async_context(semaphore)
            except TimeoutError as error:
                raise NoSlot from error
            self._count(1)
            held.callback(self._count, -1)
            yield

    def hung_seconds(self) -> float:
        """Return for how long all slots have been taken and none given back; 0 while one is free."""
        return self._monotonic() - self._moved if self._taken >= self._size else 0.0

    def _count(self, by: int) -> None:
        self._taken += by
        self._moved = self._monotonic()
