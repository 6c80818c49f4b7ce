"""Gateways that misbehave: one that goes and comes back with its jobs, one that takes the call and never answers."""

import asyncio
import secrets
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import grpc
from fake_gateway import FakeGateway
from pyzeebe.proto import gateway_pb2 as pb
from pyzeebe.proto.gateway_pb2_grpc import add_GatewayServicer_to_server


@dataclass
class KeepingGateway(FakeGateway):
    """As a broker does it: what was handed out is kept until somebody completes it, and completed once."""

    out: dict[int, pb.ActivatedJob] = field(default_factory=dict)
    completed: Counter[int] = field(default_factory=Counter)
    late: list[int] = field(default_factory=list)

    async def ActivateJobs(self, request: Any, context: Any) -> AsyncIterator[pb.ActivateJobsResponse]:
        async for answer in super().ActivateJobs(request, context):
            self.out |= {job.key: job for job in answer.jobs}
            yield answer

    async def CompleteJob(self, request: Any, context: Any) -> pb.CompleteJobResponse:
        answer = await super().CompleteJob(request, context)
        if self.out.pop(request.jobKey, None) is None:
            self.late.append(request.jobKey)
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such job")
        self.completed[request.jobKey] += 1
        return answer

    async def FailJob(self, request: Any, context: Any) -> pb.FailJobResponse:
        answer = await super().FailJob(request, context)
        job = self.out.pop(request.jobKey, None)
        if job is not None and request.retries:
            job.retries = request.retries
            await self.put_all(job)
        return answer

    async def time_out(self, key: int) -> None:
        """The time of a job that is out is over: the next poll gets it."""
        await self.put_all(self.out[key])


@asynccontextmanager
async def served(
    gateway: FakeGateway, port: int = 0, *, host: str = "127.0.0.1", tls: grpc.ServerCredentials | None = None
) -> AsyncIterator[int]:
    """``gateway`` on a port for as long as the block runs; what it holds outlives the server."""
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    add_GatewayServicer_to_server(gateway, server)
    address = f"{host}:{port}"
    bound = server.add_insecure_port(address) if tls is None else server.add_secure_port(address, tls)
    gateway.address = f"{host}:{bound}"
    await server.start()
    try:
        yield bound
    finally:
        await server.stop(None)


# Below those that the system gives to connections, and to servers that ask for any port.
_OWN_PORTS = range(20_000, 32_000)


def free_port() -> int:
    """Return a port where nobody listens, and which no connection gets by chance meanwhile."""
    while True:
        port = secrets.choice(_OWN_PORTS)
        with socket.socket() as held, suppress(OSError):
            held.bind(("127.0.0.1", port))
            return port


@asynccontextmanager
async def half_open(port: int = 0) -> AsyncIterator[tuple[int, asyncio.Event]]:
    """A port that takes connections and never says a word; the event is set when somebody came."""
    came, over = asyncio.Event(), asyncio.Event()

    async def listen(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.set()
        await over.wait()
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", port)
    try:
        yield server.sockets[0].getsockname()[1], came
    finally:
        over.set()
        server.close()
        await server.wait_closed()
