"""How workers get jobs: a long poll, or a stream that stays open."""

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
_MAX_RESPONSE_BYTES = 3 * 1024 * 1024  # of jobs in one answer: gRPC takes 4 MiB by default
_STREAM_BATCH = 32
_log = logging.getLogger(__name__)

Send = Callable[[Any], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class ActivationRequest:
    """What a worker asks for; ``timeout`` in ms, ``names`` empty = all variables."""

    type: str
    worker: str
    timeout: int
    most: int
    names: list[str]

    def check(self, wish: str) -> None:
        """Raises Rejection (INVALID_ARGUMENT); its sentence names the ``wish``."""
        for what, value in (("max jobs to activate", self.most), ("timeout", self.timeout)):
            if value < 1:
                text = f"Expected to {wish} with {what} to be greater than zero, but it was '{value}'"
                raise Rejection(RejectionType.INVALID_ARGUMENT, text)
        if not self.type.strip():
            raise Rejection(
                RejectionType.INVALID_ARGUMENT, f"Expected to {wish} with type to be present, but it was blank"
            )


async def poll_jobs(writer: Writer, request: ActivationRequest, wait_ms: int, send: Send) -> None:
    """Send what there is; else wait for jobs: ``wait_ms`` 0 = ten seconds, negative = not at all."""
    request.check("activate job batch")
    seconds = _DEFAULT_WAIT_SECONDS if wait_ms == 0 else wait_ms / 1000
    deadline = asyncio.get_running_loop().time() + seconds
    available = writer.subscribe_to_jobs(request.type)
    try:
        while True:
            available.clear()
            found = await _activate(writer, request, request.most)
            if found:
                writer.pause_notifications(request.type, available)
                with _yield_unsent(writer, found) as jobs:
                    await send(pb.ActivateJobsResponse(jobs=jobs))
                    jobs.clear()
                return
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0 or writer.stopping:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await available.wait()
    finally:
        writer.unsubscribe_from_jobs(request.type, available)


async def stream_jobs(writer: Writer, request: ActivationRequest, send: Send) -> None:
    """Send jobs as they come, until the client goes; several streams of a type take turns.

    What is there already comes first, where Zeebe leaves it to those who poll.
    """
    request.check("stream activated jobs")
    available = writer.subscribe_to_jobs(request.type)
    try:
        while not writer.stopping:
            available.clear()
            most = 1 if writer.has_competing_subscribers(request.type) else request.most
            found = await _activate(writer, request, most)
            if not found:
                if not writer.stopping:
                    await available.wait()
                continue
            with _yield_unsent(writer, found) as jobs:
                writer.pause_notifications(request.type, available)
                while jobs:
                    await send(jobs[0])
                    del jobs[0]
            writer.unsubscribe_from_jobs(request.type, available)
            available = writer.subscribe_to_jobs(request.type)  # behind the others
    finally:
        writer.unsubscribe_from_jobs(request.type, available)


def stream_request(request: pb.StreamActivatedJobsRequest) -> ActivationRequest:
    return ActivationRequest(request.type, request.worker, request.timeout, _STREAM_BATCH, list(request.fetchVariable))


@contextmanager
def _yield_unsent(writer: Writer, jobs: list[pb.ActivatedJob]) -> Iterator[list[pb.ActivatedJob]]:
    """Those still in the list at the end did not reach their worker, and others may have them at once."""
    try:
        yield jobs
    finally:
        _yield_jobs(writer, [job.key for job in jobs])


def _yield_jobs(writer: Writer, keys: list[int]) -> None:
    if keys:
        writer.enqueue(lambda execution: yield_jobs(execution, keys))


async def _activate(writer: Writer, request: ActivationRequest, most: int) -> list[pb.ActivatedJob]:
    activation: asyncio.Future[list[ActivatedJob]] = writer.enqueue(
        lambda execution: activate_jobs(
            execution,
            request.type,
            worker=request.worker,
            timeout=request.timeout,
            most=most,
            names=request.names,
            budget=_MAX_RESPONSE_BYTES,
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
    """One that no message can hold is logged and left out until it times out; it holds up no other."""
    for one in activated:
        try:
            yield _message(one)
        except ValueError:
            _log.exception("the job %d cannot be put into a message", one.job.key)


def _message(activated: ActivatedJob) -> pb.ActivatedJob:
    job = activated.job
    return pb.ActivatedJob(
        key=job.key,
        type=job.type,
        processInstanceKey=job.instance_key,
        bpmnProcessId=activated.process_id,
        processDefinitionVersion=activated.version,
        processDefinitionKey=job.definition_key,
        elementId=job.element_id,
        elementInstanceKey=job.element_instance_key,
        customHeaders=job.headers,
        worker=job.worker,
        retries=job.retries,
        deadline=job.due or 0,
        variables=json.dumps(activated.variables, ensure_ascii=False),
        tenantId=DEFAULT_TENANT,
    )
