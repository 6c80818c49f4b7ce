"""Periodic tasks of a process: one loop, one metric, one alert for all of them."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from services.runtime import metrics
from services.runtime.errors import Retryable
from services.runtime.jobs.failures import stack
from services.runtime.logs import get_logger
from services.runtime.waiting import set_within

log = get_logger(__name__)


class Periodic:
    """Run ``act`` every ``every``, and at once when it is woken.

    ``act`` returns True if work is left: the next run then follows at once. A run that fails is logged and counted,
    and the next one retries; no failure ends the process. After a failure nothing wakes the task for ``pause``. If
    ``at_once`` is False, the first run follows the first wait.
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
        except Retryable as error:
            log.warning("a periodic task failed and will retry", task=self.name, cause=str(error))
        except Exception as error:  # noqa: BLE001  # no error may stop the process
            log.error(  # noqa: TRY400  # the texts of a traceback may hold personal data
                "a periodic task failed", task=self.name, cause=type(error).__name__, stack=stack(error)
            )
        else:
            metrics.PERIODIC_LAST_RUN.labels(self.name).set_to_current_time()
            return bool(more)
        metrics.PERIODIC_FAILURES.labels(self.name).inc()
        await asyncio.sleep(self._pause)
        return False
