"""The lease of a job: extended while the handler runs, ended when the engine says that the job is gone."""

import asyncio
from types import TracebackType
from typing import Self

import anyio
from pyzeebe.errors import JobAlreadyDeactivatedError, JobNotFoundError

from services.runtime.engine_client import transport
from services.runtime.errors import Fatal, Retryable
from services.runtime.jobs.adapter import JobAdapter
from services.runtime.logs import get_logger

log = get_logger(__name__)


class LeaseLost(Exception):
    """The job is gone (completed by another, cancelled, or left by its process): its result is not needed."""


class Interrupted(Exception):
    """The worker shuts down and its grace period is over."""


class Lease:
    """``async with`` around the handler; every third of ``timeout`` (seconds) it extends the job by ``timeout``.

    If the engine does not answer, it retries twice before the time is over.

    ``end(reason)`` cancels the block, which then raises ``reason``. A handler that waits for a thread ends with it.
    """

    def __init__(self, adapter: JobAdapter, job_key: int, timeout: float) -> None:
        self._adapter = adapter
        self._job_key = job_key
        self._timeout = timeout
        self._scope = anyio.CancelScope()
        self._reason: Exception | None = None
        self._heart: asyncio.Task[None] | None = None
        self.ended = anyio.Event()

    def end(self, reason: Exception) -> None:
        if self._reason is None:
            self._reason = reason
            self._scope.cancel()

    async def __aenter__(self) -> Self:
        self._heart = asyncio.create_task(self._beat(), name=f"heartbeat of job {self._job_key}")
        self._scope.__enter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if self._heart is not None:
            self._heart.cancel()
        swallowed = bool(self._scope.__exit__(kind, error, trace))
        self.ended.set()
        if self._reason is not None and (swallowed or _ours(error)):
            raise self._reason
        return swallowed

    async def _beat(self) -> None:
        pause = self._timeout / 3
        while True:
            await asyncio.sleep(pause)
            pause = self._timeout / 3
            try:
                async with transport("extend the job", self._timeout / 6):
                    await self._adapter.update_job_timeout(self._job_key, round(self._timeout * 1000))
            except JobNotFoundError:
                self.end(LeaseLost())
                return
            except JobAlreadyDeactivatedError:
                # It timed out and waits to be reassigned; if it is assigned to us, it still runs.
                log.warning("the job timed out while its handler runs", job_key=self._job_key)
            except (Retryable, Fatal) as error:
                pause = self._timeout / 12
                log.warning("the job could not be extended, retrying", job_key=self._job_key, cause=str(error))


def _ours(error: BaseException | None) -> bool:
    """Return whether only ``Lease.end`` requested a cancellation.

    grpc.aio raises a CancelledError of its own when it is cancelled, so the scope does not swallow it.
    """
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() == 0
