"""Jobs that wait in this process for one thing, such as a recorder, and are tried again as soon as it is back.

The back-off of a failed job runs in the engine, and nothing ends it early. A job that is parked stays activated
instead, takes no place of another one, and is returned to the engine when it is woken or its delay is over.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from itertools import islice

from pyzeebe import Job

from services.runtime.clock import Clock
from services.runtime.waiting import set_within

# Of each, one row and one task; the jobs beyond wait in the engine, and find out by themselves.
MOST = 100
# Longer than the delay: a job that its process still holds is not handed to another one.
MARGIN = timedelta(minutes=1)

Return = Callable[[], Awaitable[None]]


class Parking:
    """The parked jobs of a process; ``extend(job_key, milliseconds)`` keeps a job, and returns whether it could."""

    def __init__(self, extend: Callable[[int, int], Awaitable[bool]], clock: Clock, most: int = MOST) -> None:
        self._extend = extend
        self._clock = clock  # the engine's: where it is turned, ``wake`` follows
        self._most = most
        self._loop: asyncio.AbstractEventLoop | None = None
        self._awaited: dict[int, str] = {}
        self._woken: dict[int, asyncio.Event] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def awaited(self) -> frozenset[str]:
        """Return what parked jobs wait for."""
        return frozenset(self._awaited.values())

    async def keep(self, job: Job, awaits: str, delay: timedelta, give_back: Return) -> bool:
        """Park a job for ``delay`` at most; False where there is no room, or the engine would not leave it here.

        ``give_back`` returns it to the engine; it is not called for a job that has been taken up again meanwhile.
        """
        self._loop = asyncio.get_running_loop()
        if self._closed or len(self._awaited) >= self._most:
            return False
        due = self._clock.now() + delay
        # Before the engine is asked: what wakes it meanwhile is not missed.
        woken = self._woken[job.key] = asyncio.Event()
        self._awaited[job.key] = awaits
        if not await self._extend(job.key, round((delay + MARGIN).total_seconds() * 1000)):
            self.forget(job.key)
            return False
        if self._closed and self._woken.get(job.key) is woken:  # meanwhile: nobody waits for what begins now
            self.forget(job.key)
            await give_back()
            return True
        task = asyncio.create_task(self._wait(job.key, woken, due, give_back), name=f"parked job {job.key}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    def wake(self, awaits: str | None = None, *, most: int | None = None) -> None:
        """Return the jobs that wait for this, or for anything; ``most`` of them, the first first. Any thread may."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._wake, awaits, most)

    def forget(self, job_key: int) -> None:
        """Leave a job to whoever has it now: the engine handed it out again."""
        self._awaited.pop(job_key, None)
        if (woken := self._woken.pop(job_key, None)) is not None:
            woken.set()

    async def close(self) -> None:
        """Return all jobs, and park no more."""
        self._closed = True
        self._wake(None, None)
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _wake(self, awaits: str | None, most: int | None) -> None:
        asleep = (job_key for job_key, what in self._awaited.items() if awaits in (None, what))
        for job_key in islice((one for one in asleep if not self._woken[one].is_set()), most):
            self._woken[job_key].set()

    async def _wait(self, job_key: int, woken: asyncio.Event, due: datetime, give_back: Return) -> None:
        while (left := due - self._clock.now()) > timedelta():
            if await set_within(woken, left.total_seconds()):
                break
        if self._woken.get(job_key) is woken:
            self.forget(job_key)
            await give_back()
