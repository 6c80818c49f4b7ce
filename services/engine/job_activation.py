"""Deliver jobs to workers by long poll or by stream."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from pyzeebe.proto import gateway_pb2 as pb

from services.engine.errors import Rejection, RejectionType
from services.engine.processing.jobs import ActivatedJob, activate_jobs, yield_jobs
from services.engine.rejections import DEFAULT_TENANT
from services.engine.writer import Writer

_DEFAULT_WAIT_SECONDS = 10.0
_MAX_RESPONSE_BYTES = 3 * 1024 * 1024  # gRPC messages are limited to 4 MiB by default
_STREAM_BATCH = 32
_log = logging.getLogger(__name__)

Send = Callable[[Any], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class ActivationRequest:
    """A worker's request; ``timeout`` in ms, no ``fetch_variables`` means all."""

    type: str
    worker: str
    timeout: int
    max_jobs: int
    fetch_variables: list[str]

    def check(self, command: str) -> None:
        """Raise Rejection (INVALID_ARGUMENT) for unusable values; the text names ``command``."""
        for field, value in (("max jobs to activate", self.max_jobs), ("timeout", self.timeout)):
            if value < 1:
                text = f"Expected to {command} with {field} to be greater than zero, but it was '{value}'"
                raise Rejection(RejectionType.INVALID_ARGUMENT, text)
        if not self.type.strip():
            raise Rejection(
                RejectionType.INVALID_ARGUMENT, f"Expected to {command} with type to be present, but it was blank"
            )


async def poll_jobs(writer: Writer, request: ActivationRequest, wait_ms: int, send: Send) -> None:
    """Send activatable jobs, or wait for some.

    ``wait_ms`` 0 means ten seconds, a negative value no waiting.
    """
    request.check("activate job batch")
    seconds = _DEFAULT_WAIT_SECONDS if wait_ms == 0 else wait_ms / 1000
    deadline = asyncio.get_running_loop().time() + seconds
    available = writer.subscribe_to_jobs(request.type)
    try:
        while True:
            available.clear()
            activated = await _activate(writer, request, request.max_jobs)
            if activated:
                writer.pause_notifications(request.type, available)
                with _yield_unsent(writer, activated) as jobs:
                    await send(pb.ActivateJobsResponse(jobs=jobs))
                    jobs.clear()
                return
            remaining = deadline - asyncio.get_running_loop().time()
            if remaining <= 0 or writer.stopping:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(remaining):
                    await available.wait()
    finally:
        writer.unsubscribe_from_jobs(request.type, available)


async def stream_jobs(writer: Writer, request: ActivationRequest, send: Send) -> None:
    """Send jobs until the client disconnects; streams of one type alternate.

    Unlike Zeebe's, a stream also delivers jobs that were activatable before it opened.
    """
    request.check("stream activated jobs")
    available = writer.subscribe_to_jobs(request.type)
    try:
        while not writer.stopping:
            available.clear()
            max_jobs = 1 if writer.has_competing_subscribers(request.type) else request.max_jobs
            activated = await _activate(writer, request, max_jobs)
            if not activated:
                if not writer.stopping:
                    await available.wait()
                continue
            with _yield_unsent(writer, activated) as jobs:
                writer.pause_notifications(request.type, available)
                while jobs:
                    await send(jobs[0])
                    del jobs[0]
            writer.unsubscribe_from_jobs(request.type, available)
            available = writer.subscribe_to_jobs(request.type)  # last in line again
    finally:
        writer.unsubscribe_from_jobs(request.type, available)


def stream_request(request: pb.StreamActivatedJobsRequest) -> ActivationRequest:
    return ActivationRequest(request.type, request.worker, request.timeout, _STREAM_BATCH, list(request.fetchVariable))


@contextmanager
def _yield_unsent(writer: Writer, jobs: list[pb.ActivatedJob]) -> Iterator[list[pb.ActivatedJob]]:
    """Yield the jobs that were not sent, still in the list."""
    try:
        yield jobs
    finally:
        _yield_jobs(writer, [job.key for job in jobs])


def _yield_jobs(writer: Writer, keys: list[int]) -> None:
    if keys:
        writer.enqueue(lambda execution: yield_jobs(execution, keys))


async def _activate(writer: Writer, request: ActivationRequest, max_jobs: int) -> list[pb.ActivatedJob]:
    activation: asyncio.Future[list[ActivatedJob]] = writer.enqueue(
        lambda execution: activate_jobs(
            execution,
            request.type,
            worker=request.worker,
            timeout=request.timeout,
            max_jobs=max_jobs,
            fetch_variables=request.fetch_variables,
            max_bytes=_MAX_RESPONSE_BYTES,
        )
    )
    try:
        activated = await asyncio.shield(activation)
    except asyncio.CancelledError:
        activation.add_done_callback(
            lambda done: _yield_jobs(writer, [] if done.exception() else [h.job.key for h in done.result()])
        )
        raise
    return list(_messages(activated))


def _messages(activated: list[ActivatedJob]) -> Iterator[pb.ActivatedJob]:
    """Convert jobs to messages; log and skip one that cannot be converted.

    A skipped job times out, and does not block the others.
    """
    for activated_job in activated:
        try:
            yield _message(activated_job)
        except ValueError:
            _log.exception("job %d cannot be encoded as a message", activated_job.job.key)


def _message(activated: ActivatedJob) -> pb.ActivatedJob:
    job = activated.job
    return pb.ActivatedJob(
        key=job.key,
        type=job.type,
        processInstanceKey=job.process_instance_key,
        bpmnProcessId=activated.bpmn_process_id,
        processDefinitionVersion=activated.version,
        processDefinitionKey=job.process_definition_key,
        elementId=job.element_id,
        elementInstanceKey=job.element_instance_key,
        customHeaders=job.custom_headers,
        worker=job.worker,
        retries=job.retries,
        deadline=job.deadline or 0,
        variables=json.dumps(activated.variables, ensure_ascii=False),
        tenantId=DEFAULT_TENANT,
    )
