"""Periodic tasks of a process: one loop, one metric, one alert for all of them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from typing import TypeVar

from services.runtime import metrics
from services.runtime.errors import Retryable
from services.runtime.jobs.failures import stack
from services.runtime.logs import get_logger
from services.runtime.waiting import set_within

Result = TypeVar("Result")

log = get_logger(__name__)

LONGEST_PAUSE = 30.0
AGAIN_AFTER = 5.0


class Periodic:
    """Run ``act`` every ``every``, and at once when it is woken.

    ``act`` returns True if work is left: the next run then follows at once. A run that fails is logged and counted,
    and the next one retries; no failure ends the process. After a failure nothing wakes the task for ``pause``, and
    for twice as long after each further one, up to half a minute. If ``at_once`` is False, the first run follows the
    first wait.
    """

    def __init__(
        self,
        name: str,
        every: timedelta,
        act: Callable[[], Awaitable[bool | None]],
        *,
        at_once: bool = True,
        pause: timedelta = timedelta(),
    ) -> None:
        self.name = name
        self._every = every.total_seconds()
        self._act = act
        self._at_once = at_once
        self._pause = pause.total_seconds()
        self._failures = 0  # in a row
        self._woken = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self) -> None:
        """Run until cancelled."""
        self._loop = asyncio.get_running_loop()
        metrics.expect_periodic(self.name, self._every)
        try:
            if not self._at_once:
                await set_within(self._woken, self._every)
            while True:
                self._woken.clear()
                if not await self._run_once():
                    await set_within(self._woken, self._every)
        finally:
            self._loop = None

    def wake(self) -> None:
        """Start the next run now. Any thread may call it; no effect if the task does not run."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._woken.set)

    async def _run_once(self) -> bool:
        """Run once; return whether work is left."""
        try:
            more = await self._act()
        except (Exception, asyncio.CancelledError) as error:  # no error may end the process
            if _is_cancelled(error):
                raise
            report_failure(self.name, error)
        else:
            self._failures = 0
            metrics.PERIODIC_LAST_RUN.labels(self.name).set_to_current_time()
            return bool(more)
        await asyncio.sleep(max(self._pause, min(self._pause * 2**self._failures, LONGEST_PAUSE)))
        self._failures = min(self._failures + 1, 16)
        return False


class Beat:
    """The sign of life of a run that may last for hours: its task is not late while what it has reached changes."""

    def __init__(self, task: str) -> None:
        self._task = task
        self._reached: tuple[object, ...] | None = None

    def __call__(self, *reached: object) -> None:
        """Look how far the run is now."""
        if reached != self._reached:
            self._reached = reached
            metrics.PERIODIC_LAST_RUN.labels(self._task).set_to_current_time()


async def keep_running(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Run what a process does in the background until it ends; begin it again where it ends in an error.

    No such error ends the process and all else that it does.
    """
    while True:
        try:
            await work()
        except (Exception, asyncio.CancelledError) as error:  # see above
            if _is_cancelled(error):
                raise
            report_failure(name, error)
        else:
            return
        await asyncio.sleep(AGAIN_AFTER)


async def run_each(task: str, acts: Iterable[Callable[[], Awaitable[Result]]]) -> list[Result]:
    """Run acts one after another, whatever becomes of each; return what they return.

    Raises the first fault after all were run; further ones are logged and counted as failures of the task.
    """
    results, faults = list[Result](), list[Exception]()
    for act in acts:
        try:
            results.append(await act())
        except Exception as error:  # noqa: BLE001  # raised below
            faults.append(error)
    for further in faults[1:]:
        report_failure(task, further)
    if faults:
        raise faults[0]
    return results


def report_failure(task: str, error: BaseException) -> None:
    """Log and count the failure of a background task."""
    metrics.PERIODIC_FAILURES.labels(task).inc()
    if isinstance(error, Retryable):
        log.warning("a periodic task failed and will retry", task=task, cause=str(error))
    else:  # the texts of a traceback may hold personal data
        log.error("a periodic task failed", task=task, cause=type(error).__name__, stack=stack(error))


def _is_cancelled(error: BaseException) -> bool:
    """Return whether the task itself is cancelled, and not a call that it waits for: grpc.aio raises that too."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and (task is None or task.cancelling() > 0)
