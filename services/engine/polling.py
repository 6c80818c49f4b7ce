"""How workers get jobs: a long poll, or a stream that stays open."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass

from pyzeebe.proto import gateway_pb2 as pb

from services.engine.errors import Reason, Rejection
from services.engine.processing.jobs import HandedOut, activate_jobs
from services.engine.writer import Writer

DEFAULT_TENANT = "<default>"
_DEFAULT_WAIT_SECONDS = 10.0
_BUDGET_BYTES = 3 * 1024 * 1024  # of variables in one answer: gRPC takes 4 MiB by default
_STREAM_BATCH = 32


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What a worker asks for; ``timeout`` in ms, ``names`` empty = all variables."""

    type: str
    worker: str
    timeout: int
    most: int
    names: list[str]

    def check(self) -> None:
        """Raises Rejection (INVALID_ARGUMENT)."""
        if not self.type.strip():
            raise Rejection(
                Reason.INVALID_ARGUMENT, "Expected to activate jobs with type to be present, but it was blank"
            )
        for what, value in (("timeout", self.timeout), ("maxJobsToActivate", self.most)):
            if value < 1:
                raise Rejection(
                    Reason.INVALID_ARGUMENT,
                    f"Expected to activate jobs with {what} to be greater than zero, but it was {value}",
                )


async def poll_jobs(writer: Writer, request: JobRequest, wait_ms: int) -> list[pb.ActivatedJob]:
    """Wait for jobs: ``wait_ms`` 0 = ten seconds, negative = not at all."""
    request.check()
    seconds = _DEFAULT_WAIT_SECONDS if wait_ms == 0 else wait_ms / 1000
    deadline = asyncio.get_running_loop().time() + seconds
    available = writer.watch_jobs(request.type)
    found: list[pb.ActivatedJob] = []
    try:
        while True:
            available.clear()
            found = await _activate(writer, request)
            left = deadline - asyncio.get_running_loop().time()
            if found or left <= 0 or writer.stopping:
                return found
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await available.wait()
    finally:
        writer.unwatch_jobs(request.type, available, served=bool(found))


async def stream_jobs(writer: Writer, request: JobRequest) -> AsyncIterator[pb.ActivatedJob]:
    """Hand out jobs as they come, until the client goes."""
    request.check()
    available = writer.watch_jobs(request.type)
    try:
        while not writer.stopping:
            available.clear()
            found = await _activate(writer, request)
            for job in found:
                yield job
            if not found and not writer.stopping:
                await available.wait()
    finally:
        writer.unwatch_jobs(request.type, available, served=False)


def stream_request(request: pb.StreamActivatedJobsRequest) -> JobRequest:
    return JobRequest(request.type, request.worker, request.timeout, _STREAM_BATCH, list(request.fetchVariable))


async def _activate(writer: Writer, request: JobRequest) -> list[pb.ActivatedJob]:
    found: list[HandedOut] = await writer.submit(
        lambda work: activate_jobs(
            work,
            request.type,
            worker=request.worker,
            timeout=request.timeout,
            most=request.most,
            names=request.names,
            budget=_BUDGET_BYTES,
        )
    )
    return [_message(h) for h in found]


def _message(handed_out: HandedOut) -> pb.ActivatedJob:
    job = handed_out.job
    return pb.ActivatedJob(
        key=job.key,
        type=job.type,
        processInstanceKey=job.instance_key,
        bpmnProcessId=handed_out.process_id,
        processDefinitionVersion=handed_out.version,
        processDefinitionKey=job.definition_key,
        elementId=job.element_id,
        elementInstanceKey=job.node_key,
        customHeaders=job.headers,
        worker=job.worker,
        retries=job.retries,
        deadline=job.due or 0,
        variables=json.dumps(handed_out.variables, ensure_ascii=False),
        tenantId=DEFAULT_TENANT,
    )
