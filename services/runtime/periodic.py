"""Tasks that a process does every so often beside its work: one rhythm, one metric, one alert for all of them."""

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
    """Does ``act`` every ``every``, and at once when it is woken.

    ``act`` answers True where it left something undone: the next turn then follows at once. A turn that fails is
    logged and counted, and the next one tries again; no failure ends the process. After a failure nothing wakes the
    task for ``pause``. Where ``at_once`` is False, the first turn comes after the first wait.
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
        """Take turns until cancelled."""
        self._loop = asyncio.get_running_loop()
        metrics.expect_periodic(self.name, self._every)
        try:
            if not self._at_once:
                await set_within(self._woken, self._every)
            while True:
                self._woken.clear()
                if not await self._turn():
                    await set_within(self._woken, self._every)
        finally:
            self._loop = None

    def wake(self) -> None:
        """Take the next turn now. Any thread may call it; nothing happens where the task does not run."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._woken.set)

    async def _turn(self) -> bool:
        """Act once; whether something was left undone."""
        try:
            more = await self._act()
        except Retryable as error:
            log.warning("a periodic task failed and tries again", task=self.name, cause=str(error))
        except Exception as error:  # noqa: BLE001  # whatever it is, it must not stop the process
            log.error(  # noqa: TRY400  # the texts of a traceback may hold personal data
                "a periodic task failed", task=self.name, cause=type(error).__name__, stack=stack(error)
            )
        else:
            metrics.PERIODIC_LAST_RUN.labels(self.name).set_to_current_time()
            return bool(more)
        metrics.PERIODIC_FAILURES.labels(self.name).inc()
        await asyncio.sleep(self._pause)
        return False
