"""A gateway that speaks Zeebe's protocol from a script: the tests fake the protocol, not our own classes."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from pyzeebe.proto import gateway_pb2 as pb
from pyzeebe.proto.gateway_pb2_grpc import GatewayServicer, add_GatewayServicer_to_server

PATIENCE = 15.0


@dataclass
class FakeGateway(GatewayServicer):
    """Hands out what ``put`` gives it, writes down every call, answers with the errors that ``fail`` orders."""

    calls: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    jobs: dict[str, list[pb.ActivatedJob]] = field(default_factory=lambda: defaultdict(list))
    gone: set[int] = field(default_factory=set)
    inactive: set[int] = field(default_factory=set)
    message_ids: set[str] = field(default_factory=set)
    orders: dict[str, list[grpc.StatusCode]] = field(default_factory=lambda: defaultdict(list))
    hang: set[str] = field(default_factory=set)
    address: str = ""
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def fail(self, method: str, code: grpc.StatusCode, times: int = 1) -> None:
        self.orders[method] += [code] * times

    async def put(self, job_type: str, key: int, variables: dict[str, Any] | None = None, retries: int = 3) -> None:
        await self.put_all(made_job(job_type, key, variables, retries))

    async def put_all(self, *jobs: pb.ActivatedJob) -> None:
        """At once, so that one poll may get them all."""
        async with self.changed:
            for job in jobs:
                self.jobs[job.type].append(job)
            self.changed.notify_all()

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait for something that a call brings about."""
        async with asyncio.timeout(PATIENCE), self.changed:
            await self.changed.wait_for(holds)

    async def call(self, method: str, number: int = 1) -> Any:
        """The ``number``-th call of a method, waited for."""
        await self.until(lambda: len(self.calls[method]) >= number)
        return self.calls[method][number - 1]

    async def _note(self, method: str, request: Any, context: Any, key: int | None = None) -> None:
        async with self.changed:
            self.calls[method].append(request)
            self.changed.notify_all()
        if method in self.hang:
            await asyncio.Event().wait()
        if self.orders[method]:
            await context.abort(self.orders[method].pop(0), "as ordered")
        if key in self.gone:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such job")
        if key in self.inactive:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "the job is not active")

    async def ActivateJobs(self, request: Any, context: Any) -> AsyncIterator[pb.ActivateJobsResponse]:
        await self._note("ActivateJobs", request, context)
        waiting = self.jobs[request.type]
        try:
            async with asyncio.timeout(request.requestTimeout / 1000), self.changed:
                await self.changed.wait_for(lambda: waiting)
        except TimeoutError:
            return
        taken = waiting[: request.maxJobsToActivate]
        del waiting[: request.maxJobsToActivate]
        yield pb.ActivateJobsResponse(jobs=taken)

    async def CompleteJob(self, request: Any, context: Any) -> pb.CompleteJobResponse:
        await self._note("CompleteJob", request, context, request.jobKey)
        return pb.CompleteJobResponse()

    async def FailJob(self, request: Any, context: Any) -> pb.FailJobResponse:
        await self._note("FailJob", request, context, request.jobKey)
        return pb.FailJobResponse()

    async def ThrowError(self, request: Any, context: Any) -> pb.ThrowErrorResponse:
        await self._note("ThrowError", request, context, request.jobKey)
        return pb.ThrowErrorResponse()

    async def UpdateJobTimeout(self, request: Any, context: Any) -> pb.UpdateJobTimeoutResponse:
        await self._note("UpdateJobTimeout", request, context, request.jobKey)
        return pb.UpdateJobTimeoutResponse()

    async def PublishMessage(self, request: Any, context: Any) -> pb.PublishMessageResponse:
        await self._note("PublishMessage", request, context)
        if request.messageId in self.message_ids:
            await context.abort(grpc.StatusCode.ALREADY_EXISTS, "published already")
        self.message_ids.add(request.messageId)
        return pb.PublishMessageResponse(key=1)

    async def DeployResource(self, request: Any, context: Any) -> pb.DeployResourceResponse:
        await self._note("DeployResource", request, context)
        if any(b"refuse me" in resource.content for resource in request.resources):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the file has no process")
        process = pb.ProcessMetadata(bpmnProcessId="video-retrieval", version=2, resourceName="a.bpmn")
        decision = pb.DecisionMetadata(dmnDecisionId="classification", version=1)
        return pb.DeployResourceResponse(
            key=5, deployments=[pb.Deployment(process=process), pb.Deployment(decision=decision)]
        )

    async def Topology(self, request: Any, context: Any) -> pb.TopologyResponse:
        await self._note("Topology", request, context)
        return pb.TopologyResponse(clusterSize=1, partitionsCount=1, replicationFactor=1, gatewayVersion="8.8.0")


def made_job(job_type: str, key: int, variables: dict[str, Any] | None = None, retries: int = 3) -> pb.ActivatedJob:
    return pb.ActivatedJob(
        key=key,
        type=job_type,
        processInstanceKey=7,
        bpmnProcessId="video-retrieval",
        elementId="Task_" + job_type,
        elementInstanceKey=8,
        customHeaders="{}",
        worker="test",
        retries=retries,
        variables=json.dumps(variables or {}),
    )


@asynccontextmanager
async def running_gateway() -> AsyncIterator[FakeGateway]:
    gateway = FakeGateway()
    server = grpc.aio.server()
    add_GatewayServicer_to_server(gateway, server)
    port = server.add_insecure_port("127.0.0.1:0")
    gateway.address = f"127.0.0.1:{port}"
    await server.start()
    try:
        yield gateway
    finally:
        await server.stop(None)
