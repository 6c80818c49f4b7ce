"""pyzeebe's adapter for jobs, with liveness of the polls and back-off towards the engine.

``ZeebeWorker`` itself is unchanged; this replaces its ``zeebe_adapter`` (docs/zeebe.md).
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextvars import ContextVar
from typing import Any

import anyio
import grpc
from pyzeebe import Job
from pyzeebe.errors import (
    ActivateJobsRequestInvalidError,
    JobAlreadyDeactivatedError,
    JobNotFoundError,
    PyZeebeError,
)
from pyzeebe.grpc_internals.types import CompleteJobResponse, FailJobResponse, ThrowErrorResponse
from pyzeebe.grpc_internals.zeebe_adapter import ZeebeAdapter

from services.runtime import metrics
from services.runtime.engine_client import CALL_SECONDS, cause_of, transport
from services.runtime.errors import Fatal, Retryable
from services.runtime.health import Health
from services.runtime.jobs.failures import failure_message, stack
from services.runtime.logs import get_logger
from services.runtime.oauth import CHECK_CLIENT, REFUSED

log = get_logger(__name__)

# Every job runs in an asyncio task of its own, so this is the type of the current job wherever it is read.
current_job_type: ContextVar[str] = ContextVar("current_job_type", default="unknown")

POLL_PAUSE_FIRST = 0.2
POLL_PAUSE_LONGEST = 5.0
POLL_PAUSE_REFUSED = 30.0  # at most: a wrong setting, or a defect, is not mended within seconds
CLIENT_REFUSED = {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED}


class JobAdapter(ZeebeAdapter):
    """Poll, complete, fail and throw; a job that is no longer ours is logged only.

    The channel is never closed (trap 1): the number of reconnects has no limit.
    """

    def __init__(self, channel: grpc.aio.Channel, health: Health) -> None:
        super().__init__(channel, max_connection_retries=-1)
        self.health = health
        self.draining = False
        self.refused: dict[str, str] = {}
        """Why a poll cannot succeed before somebody acts: a sentence by job type."""
        self._failed_polls: dict[str, int] = {}
        self._returning: set[asyncio.Task[None]] = set()
        self._polls: set[Any] = set()
        activate = self._gateway_stub.ActivateJobs

        def poll(*arguments: Any, **named: Any) -> Any:
            call = activate(*arguments, **named)
            self._polls.add(call)
            call.add_done_callback(self._polls.discard)
            return call

        self._gateway_stub.ActivateJobs = poll

    async def activate_jobs(  # noqa: PLR0917  # the signature is pyzeebe's
        self,
        task_type: str,
        worker: str,
        timeout: int,  # noqa: ASYNC109  # the signature is pyzeebe's
        max_jobs_to_activate: int,
        variables_to_fetch: Iterable[str],
        request_timeout: int,
        tenant_ids: Iterable[str] | None = None,
    ) -> AsyncGenerator[Job]:
        if self.draining:
            # pyzeebe stops its pollers one after the other; the others must not activate jobs meanwhile (trap 3).
            await anyio.sleep_forever()
        self.health.beat(task_type)
        try:
            async for job in super().activate_jobs(
                task_type, worker, timeout, max_jobs_to_activate, variables_to_fetch, request_timeout, tenant_ids
            ):
                if self.draining:
                    # A task of its own: the poller that got the job is cancelled when the drain ends.
                    self._returning.add(asyncio.create_task(self.return_job(job)))
                    continue
                metrics.JOBS_ACTIVATED.labels(task_type).inc()
                metrics.JOB_INVOCATIONS.labels(task_type, "activated").inc()
                yield job
        except ActivateJobsRequestInvalidError as error:
            cause, advice = (
                "the engine refuses the request",
                "check the settings of the worker (concurrency, job timeout)",
            )
            await self._pause(task_type, error, (cause, advice))
        except PyZeebeError as error:
            cause = cause_of(error)
            refused = REFUSED in cause or _is_refused(error)
            await self._pause(task_type, error, (cause, str(CHECK_CLIENT)) if refused else None)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not self.draining or task is None or task.cancelling():
                raise
            await anyio.sleep_forever()  # ``end_polls`` has ended the call, not the poller
        except Exception as error:  # noqa: BLE001  # no answer of the engine may end the process and all its other jobs
            kind = type(error).__name__
            log.error("poll failed unexpectedly", job_type=task_type, cause=kind, stack=stack(error))  # noqa: TRY400  # its text may hold values
            cause = f"its answer was not understood ({kind})"
            await self._pause(task_type, error, (cause, "see the log, and the versions of engine and worker"))
        else:
            self._failed_polls.pop(task_type, None)
            if self.refused.pop(task_type, None) is not None:
                log.info("polls succeed again", job_type=task_type)
            metrics.LAST_SUCCESSFUL_POLL.labels(task_type).set_to_current_time()
        self.health.beat(task_type)

    async def check_polls(self) -> str | None:
        """Return why polls cannot succeed before somebody acts, for readiness; None if nothing is known."""
        return next(iter(self.refused.values()), None)

    async def _pause(self, task_type: str, error: Exception, acts: tuple[str, str] | None) -> None:
        """Wait before the next poll; pyzeebe itself would wait 5 s each time, and end on codes it does not know.

        ``acts``: what is wrong and what to do, where somebody has to; then the pauses grow longer.
        """
        failures = self._failed_polls[task_type] = self._failed_polls.get(task_type, 0) + 1
        longest = POLL_PAUSE_REFUSED if acts else POLL_PAUSE_LONGEST
        pause = min(POLL_PAUSE_FIRST * 2 ** min(failures - 1, 16), longest)
        pause *= random.uniform(0.8, 1.2)  # noqa: S311  # spreads workers over time, guards nothing
        again: dict[str, object] = {"failures": failures, "retry_in_seconds": pause}
        if acts:
            metrics.POLL_FAILURES.labels(task_type, "refused").inc()
            sentence = self.refused[task_type] = f"could not poll for jobs | {task_type} | {acts[0]} | {acts[1]}"
            log.error("poll failed", job_type=task_type, cause=sentence, **again)
        else:
            self.refused.pop(task_type, None)
            # An idle long poll that reaches its deadline is normal.
            if not (cause := cause_of(error)).startswith("DEADLINE_EXCEEDED") or failures > 1:
                metrics.POLL_FAILURES.labels(task_type, "unavailable").inc()
                log.warning("poll failed", job_type=task_type, cause=cause, **again)
        await anyio.sleep(pause)

    async def complete_job(self, job_key: int, variables: Mapping[str, Any]) -> CompleteJobResponse:
        if await self._report("complete", super().complete_job(job_key, dict(variables))):
            metrics.JOB_INVOCATIONS.labels(current_job_type.get(), "completed").inc()
        return CompleteJobResponse()

    async def fail_job(
        self, job_key: int, retries: int, message: str, retry_back_off_ms: int, variables: Mapping[str, Any]
    ) -> FailJobResponse:
        if await self._report("fail", super().fail_job(job_key, retries, message, retry_back_off_ms, dict(variables))):
            metrics.JOB_INVOCATIONS.labels(current_job_type.get(), "failed").inc()
        return FailJobResponse()

    async def wait_job(self, job: Job, message: str, back_off_ms: int) -> None:
        """Give a job back with all its retries until the back-off is over; counted apart from what fails."""
        if await self._report("delay", super().fail_job(job.key, job.retries, message, back_off_ms, {})):
            metrics.JOB_INVOCATIONS.labels(current_job_type.get(), "waiting").inc()

    async def keep_job(self, job_key: int, milliseconds: int) -> bool:
        """Keep an activated job for so long; return whether the engine leaves it here."""
        return await self._report("keep", self.update_job_timeout(job_key, milliseconds))

    async def throw_error(
        self, job_key: int, message: str, variables: Mapping[str, Any], error_code: str = ""
    ) -> ThrowErrorResponse:
        if await self._report("throw an error for", super().throw_error(job_key, message, dict(variables), error_code)):
            metrics.JOB_INVOCATIONS.labels(current_job_type.get(), "bpmn-error").inc()
        return ThrowErrorResponse()

    async def return_job(self, job: Job) -> None:
        """Return a job at once with all its retries, for another worker."""
        message = failure_message(job, "the worker is shutting down", "nothing: the engine reassigns the job")
        call = super().fail_job(job.key, job.retries, message, 0, {})
        await self._report("return", call, job_key=job.key, job_type=job.type)

    def end_polls(self) -> None:
        """End the open polls, or they would activate again what is returned."""
        for call in list(self._polls):
            call.cancel()

    async def wait_for_returned(self) -> None:
        """Wait until every job that arrived during the drain is returned."""
        while waiting := [task for task in self._returning if not task.done()]:
            await asyncio.wait(waiting)

    async def _report(self, doing: str, call: Any, **ids: object) -> bool:
        """Return whether the engine accepted it. If not, the job is gone, or is reassigned after its timeout."""
        try:
            async with transport(f"{doing} the job", CALL_SECONDS, values=True):
                await call
        except (JobNotFoundError, JobAlreadyDeactivatedError) as error:
            log.info("too late, the job is no longer ours", doing=doing, cause=type(error).__name__, **ids)
            return False
        except (Retryable, Fatal) as error:
            log.warning("the engine was not notified; it will reassign the job", doing=doing, cause=str(error), **ids)
            return False
        return True


def _is_refused(error: PyZeebeError) -> bool:
    """Return whether the gateway does not let this client in."""
    inner = getattr(error, "grpc_error", None)
    return isinstance(inner, grpc.aio.AioRpcError) and inner.code() in CLIENT_REFUSED
