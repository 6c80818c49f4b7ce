"""The job runner: activates jobs, runs the workers' handlers, and reports the results to the engine.

Underneath is pyzeebe's ``ZeebeWorker`` as it comes, without streaming (docs/zeebe.md, trap 4) and with explicit
variables to fetch. A handler may be called twice for one job, but never twice at once in this process.
"""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from functools import partial
from typing import Any

import anyio
import grpc
import structlog
from opentelemetry.trace import SpanKind
from pyzeebe import Job, JobController, ZeebeWorker

from services.runtime import metrics
from services.runtime.clock import Clock, SystemClock
from services.runtime.errors import Away, Fatal, NoPlace, NotPermitted, NotYet, Outcome, Refused, Retryable
from services.runtime.health import Health
from services.runtime.jobs.adapter import JobAdapter, current_job_type
from services.runtime.jobs.commands import build_command, result_variables
from services.runtime.jobs.failures import (
    APPLICATION_ID,
    APPLICATION_NUMBER,
    Attempts,
    Backoff,
    Waits,
    failure_message,
    runbook_of,
    stack,
    waiting_message,
)
from services.runtime.jobs.journal import Begun, Journal, NoJournal, Wait
from services.runtime.jobs.lease import Interrupted, Lease, LeaseLost
from services.runtime.jobs.parking import Parking
from services.runtime.jobs.worker import Worker
from services.runtime.logs import get_logger
from services.runtime.settings import Settings
from services.runtime.threads import thread_limiter
from services.runtime.tracing import span

log = get_logger(__name__)

# A poller that has not polled for this long, besides the time of its poll, is dead.
POLL_SILENCE = 60.0
INTERRUPT_SECONDS = 3.0
# A place that is given back wakes the next job; where that was missed, or another process got it, it looks by itself.
PLACE_DELAY = timedelta(minutes=1)
NOT_YET_DELAY = timedelta(seconds=2)
PLACES = "places"  # what a handler is given whose jobs share places
NEXT_AFTER_INCIDENT = "remove the cause, then set retries and resolve the incident"
NEXT_AFTER_WAIT = "bring it back, then set retries and resolve the incident"


class AlreadyRunning(Exception):
    """The engine reassigned a job whose handler still runs here; that run answers for both."""


class JobRunner:
    """Run ``workers`` against the engine behind ``channel`` until ``stop``.

    Raises WorkerError when a handler needs something that ``dependencies`` does not have. One runner runs once.
    """

    def __init__(
        self,
        settings: Settings,
        workers: Sequence[Worker],
        dependencies: Mapping[str, object],
        channel: grpc.aio.Channel,
        *,
        health: Health | None = None,
        journal: Journal | None = None,
        backoff: Backoff | None = None,
        clock: Clock | None = None,
        name: str | None = None,
    ) -> None:
        self._settings = settings
        self._timeout = settings.workers.job_timeout.total_seconds()
        self.health = health or Health()
        self._journal = journal or NoJournal()
        self._backoff = backoff or Backoff()
        self._attempts = Attempts()
        self._clock = clock or SystemClock()
        self._wait_limit = settings.workers.wait_limit
        self._waits = Waits()
        self._running: dict[int, Lease] = {}
        self._scope = anyio.CancelScope()
        self._adapter = JobAdapter(channel, self.health)
        self.parking = Parking(self._adapter.keep_job, self._clock)
        self._pyzeebe = ZeebeWorker(
            channel,
            name=name,
            request_timeout=round(settings.workers.poll_seconds * 1000),
            max_connection_retries=-1,
            poll_retry_delay=1,
            exception_handler=self._on_error,
            stream_enabled=False,
        )
        self._pyzeebe.zeebe_adapter = self._adapter
        self.health.connected = lambda: self._adapter.connected
        if workers:
            self.health.checks["polls"] = self._adapter.check_polls
        for worker in workers:
            self._add_worker(worker, worker.bind(dependencies))

    @property
    def running(self) -> int:
        """Return how many handlers run now."""
        return len(self._running)

    async def run(self) -> None:
        """Work until ``stop``; an engine that refuses to hand out jobs is asked again, and the process not ready."""
        thread_limiter().total_tokens = self._settings.threads
        log.info("working", job_types=[task.type for task in self._pyzeebe.tasks])
        with self._scope:
            await self._pyzeebe.work()

    async def stop(self, grace: float | None = None) -> None:
        """Stop polling, wait up to ``grace`` seconds for running jobs, return the rest to the engine."""
        seconds = self._settings.workers.drain_seconds if grace is None else grace
        log.info("stopping", running=self.running, grace_seconds=seconds)
        self._adapter.draining = True
        self.health.draining = True
        with anyio.move_on_after(INTERRUPT_SECONDS):
            await self.parking.close()
        with anyio.move_on_after(seconds):
            await self._pyzeebe.stop()
        self._adapter.end_polls()
        leases = list(self._running.values())
        for lease in leases:
            lease.end(Interrupted())
        with anyio.move_on_after(INTERRUPT_SECONDS):
            for lease in leases:
                await lease.ended.wait()
            # Interrupted jobs are being returned, and those that arrived meanwhile.
            await self._pyzeebe.stop()
            await self._adapter.wait_for_returned()
        if self._running:
            log.warning("handlers did not end and are abandoned", job_keys=list(self._running))
        self._scope.cancel()

    def _add_worker(self, worker: Worker, bound: Mapping[str, object]) -> None:
        default = self._settings.workers.heavy_concurrency if worker.heavy else self._settings.workers.concurrency
        capacity = worker.concurrency or default
        metrics.expect_jobs(worker.job_type, capacity)
        if PLACES in worker.needs:
            capacity += 1  # which no single recorder can use (services.workers.recorder_places)
        self.health.watch(worker.job_type, capacity, self._settings.workers.poll_seconds * 2 + POLL_SILENCE)

        # pyzeebe compares this annotation with the class (trap 5): keep it a class, not a string.
        async def run_job(job: Job, **_variables: object) -> dict[str, Any]:
            return await self._run_job(worker, bound, job)

        handler: Callable[..., Any] = run_job
        self._pyzeebe.task(
            worker.job_type,
            # The id is on every log line, the number in what an operator reads.
            variables_to_fetch=tuple(dict.fromkeys((*worker.variables, APPLICATION_ID, APPLICATION_NUMBER))),
            timeout_ms=round(self._timeout * 1000),
            max_jobs_to_activate=capacity,
            max_running_jobs=capacity,
        )(handler)

    async def _run_job(self, worker: Worker, bound: Mapping[str, object], job: Job) -> dict[str, Any]:
        current_job_type.set(job.type)
        # The job's asyncio task is its own, so this needs no unbinding.
        structlog.contextvars.bind_contextvars(
            application_id=job.variables.get(APPLICATION_ID),
            job_key=job.key,
            job_type=job.type,
            process_instance_key=job.process_instance_key,
            element_id=job.element_id,
        )
        if job.key in self._running:
            raise AlreadyRunning
        self.parking.forget(job.key)
        poller = self.health.pollers[job.type]
        lease = Lease(self._adapter, job.key, self._timeout)
        self._running[job.key] = lease
        poller.running += 1
        metrics.JOBS_IN_FLIGHT.labels(job.type).inc()
        started, began = time.perf_counter(), self._clock.now()
        try:
            async with lease:
                begun = await self._journal.began(job)
                if begun.request_id is not None:
                    structlog.contextvars.bind_contextvars(request_id=begun.request_id)
                if begun.waiting_since is not None:
                    self._waits.note(job.key, begun.waiting_since, self._clock.now())
                elif begun.recorded:
                    self._waits.forget(job.key)
                with _span(job, begun):
                    command = build_command(worker.command, job)
                    variables = result_variables(await worker.handle(command, **bound))
                    await self._journal.ended(job, "completed")
            self._forget(job)
            return variables
        except Retryable as error:
            # What was there for so long and fails is not away. It uses up a retry: where each try ends so, the limit of
            # the wait would begin anew each time, and no incident would ever tell of it.
            if error.away is not None and self._clock.now() - began > Waits.STALE:
                raise Retryable(str(error), runbook=error.runbook) from error
            raise
        finally:
            poller.running -= 1
            self.health.beat(job.type)
            del self._running[job.key]
            metrics.JOBS_IN_FLIGHT.labels(job.type).dec()
            metrics.JOB_EXECUTION_TIME.labels(job.type).observe(time.perf_counter() - started)
            metrics.JOBS_HANDLED.labels(job.type).inc()

    async def _on_error(self, error: Exception, job: Job, _controller: JobController) -> None:
        match error:
            case AlreadyRunning():
                log.info("reassigned while it still runs here, left to that run")
            case LeaseLost():
                metrics.LEASES_LOST.labels(job.type).inc()
                log.warning("the job is gone, its handler was stopped")
                self._forget(job)
                await self._record(self._journal.ended(job, "cancelled"))
            case Interrupted():
                log.info("stopped for shutdown, returned")
                await self._adapter.return_job(job)
            case Outcome():
                log.info("outcome", error_code=error.code, message=str(error))
                self._forget(job)
                await self._record(self._journal.ended(job, error.code))
                # If no boundary event catches it, the engine raises an incident with this text.
                message = failure_message(
                    job, str(error), "the process continues on the path of this outcome", Fatal.runbook
                )
                await self._adapter.throw_error(job.key, message, error.variables, error.code)
            case Fatal() | Refused():
                await self._raise_incident(error, job)
            case NoPlace():
                message = waiting_message(job, str(error), "nothing: it is tried again as soon as there is one")
                log.info("all places are taken, the job waits", message=message)
                await self._give_back(job, message, PLACE_DELAY, error.awaits)
            case NotYet():
                message = waiting_message(job, str(error), "nothing: it is tried again in a moment")
                log.info("it is too early, the job waits", message=message)
                await self._give_back(job, message, NOT_YET_DELAY, None)
            case Retryable() if error.away is not None:
                await self._wait(error, error.away, job)
            case _:
                await self._retry(error, job)

    async def _raise_incident(self, error: Exception, job: Job) -> None:
        message = failure_message(job, str(error), NEXT_AFTER_INCIDENT, runbook_of(error))
        log.error("incident", message=message, stack=stack(error))
        await self._stop_waiting(job)
        self._attempts.forget(job.key)
        if isinstance(error, NotPermitted):
            metrics.JOBS_REFUSED.labels(job.type).inc()
            await self._record(self._journal.refused(job, message))
        else:
            await self._record(self._journal.stuck(job))
        await self._adapter.fail_job(job.key, 0, message, 0, {})

    async def _wait(self, error: Retryable, part: Away, job: Job) -> None:
        """Have the job tried again later, with all its retries; an incident once it has waited for the limit."""
        now = self._clock.now()
        since = self._waits.since(job.key, now)
        until = since + self._wait_limit
        if now >= until:
            waited = f"it was waited for since {since:%Y-%m-%dT%H:%MZ}"
            message = waiting_message(job, str(error), NEXT_AFTER_WAIT, waited, error.runbook)
            log.error("incident", message=message, away=part)
            self._forget(job)
            await self._record(self._journal.stuck(job))
            await self._adapter.fail_job(job.key, 0, message, 0, {})
            return
        delay = min(self._backoff.delay_after(now - since), until - now)
        next_step = f"nothing: it is tried again until {until:%Y-%m-%dT%H:%MZ}, then it becomes an incident"
        message = waiting_message(job, str(error), next_step)
        log.warning("a part is away, the job waits", message=message, away=part, retry_in_seconds=delay.total_seconds())
        await self._record(self._journal.waits(job, Wait(part, since, now + delay, until)))
        await self._give_back(job, message, delay, error.awaits)

    async def _give_back(self, job: Job, message: str, delay: timedelta, awaits: str | None) -> None:
        """Fail the job with all its retries after the delay, or as soon as what it waits for is back.

        The delay runs in the engine, or where the job is parked: a job that waits takes no place of another one.
        """
        fail = partial(self._adapter.wait_job, job, message)
        if awaits is None or not await self.parking.keep(job, awaits, delay, partial(fail, 0)):
            await fail(round(delay.total_seconds() * 1000))

    async def _stop_waiting(self, job: Job) -> None:
        """Record that what the job waited for is back: what fails now is something else."""
        if job.key in self._waits:
            await self._record(self._journal.waits(job, None))
        self._waits.forget(job.key)

    def _forget(self, job: Job) -> None:
        self._attempts.forget(job.key)
        self._waits.forget(job.key)

    async def _retry(self, error: Exception, job: Job) -> None:
        retries = max(job.retries - 1, 0)
        delay = self._backoff.delay(self._attempts.made(job.key, job.retries))
        known = isinstance(error, Retryable)
        # The text of an error that is not ours may hold values, even personal data: only its type is used.
        cause = str(error) if known else f"{type(error).__name__}, see the log of job {job.key}"
        next_step = "nothing: it is retried automatically" if retries else NEXT_AFTER_INCIDENT
        message = failure_message(job, cause, next_step, None if retries else runbook_of(error))
        facts = {"message": message, "retries": retries, "retry_in_seconds": round(delay.total_seconds(), 3)}
        if known:
            log.warning("failed, will be retried", **facts)
        else:
            log.error("failed unexpectedly", stack=stack(error), **facts)
        await self._stop_waiting(job)
        if not retries:
            await self._record(self._journal.stuck(job))
        await self._adapter.fail_job(job.key, retries, message, round(delay.total_seconds() * 1000), {})

    @staticmethod
    async def _record(entry: Awaitable[None]) -> None:
        """Write to the journal; the engine gets the result even if that fails."""
        try:
            await entry
        except Retryable as error:
            log.warning("the end of a step was not recorded", cause=str(error))


def _span(job: Job, begun: Begun) -> AbstractContextManager[None]:
    return span(
        f"job {job.type}",
        begun.trace_parent,
        SpanKind.CONSUMER,
        {
            "camunda.job.key": job.key,
            "camunda.process.instance.key": job.process_instance_key,
            "camunda.element.id": job.element_id,
            "footage_desk.request_id": begun.request_id,
        },
    )
