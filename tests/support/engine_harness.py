"""The engine for tests: with a manual clock, served on a free port, or as its command processor alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
from pyzeebe.proto import gateway_pb2 as pb
from pyzeebe.proto import gateway_pb2_grpc as rpc

from services.engine.errors import Rejection
from services.engine.processing import deployments, instances, jobs
from services.engine.processing.command_processor import Command, CommandProcessor
from services.engine.server import EngineServer
from services.engine.state.instances import ProcessInstance
from services.engine.state.store import Store


class ManualClock:
    """A clock that moves only when a test turns it."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def turn(self, **by: float) -> None:
        self.moment += timedelta(**by)


class EngineHarness:
    """The command processor alone: commands in, responses out, all in this thread."""

    def __init__(self, directory: Path | None = None, clock: ManualClock | None = None) -> None:
        self.clock = clock or ManualClock()
        self.store = Store(directory)
        self.core = CommandProcessor(self.store, self.clock)

    def do(self, command: Command) -> Any:
        """The command's answer; raises its Rejection."""
        (answer,) = self.core.apply([command]).responses
        if isinstance(answer, Rejection):
            raise answer
        return answer

    def deploy(self, *files: bytes) -> deployments.Deployed:
        resources = [deployments.Resource(f"{n}.bpmn", content) for n, content in enumerate(files)]
        deployed: deployments.Deployed = self.do(lambda execution: deployments.deploy(execution, resources))
        return deployed

    def create(self, process_id: str, **variables: Any) -> ProcessInstance:
        created: ProcessInstance = self.do(
            lambda execution: instances.create(
                execution, instances.find_definition(execution, 0, process_id, -1), variables
            )
        )
        return created

    def fetch(self, job_type: str, most: int = 32, timeout: int = 60_000) -> list[jobs.ActivatedJob]:
        fetched: list[jobs.ActivatedJob] = self.do(
            lambda execution: jobs.activate_jobs(
                execution, job_type, worker="w", timeout=timeout, max_jobs=most, fetch_variables=[], max_bytes=1_000_000
            )
        )
        return fetched

    def complete(self, key: int, **variables: Any) -> None:
        self.do(lambda execution: jobs.complete_job(execution, key, variables))

    def turn(self, **by: float) -> None:
        """Turn the clock and trigger what is due."""
        self.clock.turn(**by)
        while self.core.apply_due().responses:
            pass

    def history(self, instance: ProcessInstance) -> list[tuple[str, str]]:
        """(element id, ACTIVATED, COMPLETED or TERMINATED) of all that happened in an instance."""
        self.store.begin()
        records = self.store.records.of_instance(instance.key)
        self.store.rollback()
        ends = ("ELEMENT_ACTIVATED", "ELEMENT_COMPLETED", "ELEMENT_TERMINATED")
        return [(r.value["elementId"], r.intent[8:]) for r in records if r.intent in ends]

    def open_incidents(self) -> list[tuple[str, str]]:
        """(element id, error type)."""
        self.store.begin()
        found = [(i.element_id, i.error_type) for i in self.store.incidents.all_open()]
        self.store.rollback()
        return found


@dataclass
class Running:
    """A served engine and a stub to it."""

    server: EngineServer
    clock: ManualClock
    address: str
    stub: rpc.GatewayStub

    async def deploy(self, *files: bytes) -> pb.DeployResourceResponse:
        resources = [pb.Resource(name=f"{n}.bpmn", content=content) for n, content in enumerate(files)]
        answer: pb.DeployResourceResponse = await self.stub.DeployResource(
            pb.DeployResourceRequest(resources=resources)
        )
        return answer

    async def fetch(self, job_type: str, wait_ms: int = -1, most: int = 32) -> list[pb.ActivatedJob]:
        request = pb.ActivateJobsRequest(
            type=job_type, worker="w", timeout=60_000, maxJobsToActivate=most, requestTimeout=wait_ms
        )
        return [job async for answer in self.stub.ActivateJobs(request) for job in answer.jobs]

    async def long_poll(self, job_type: str) -> "asyncio.Task[list[pb.ActivatedJob]]":
        """Start a fetch and wait until the engine holds it open."""
        waiting, watch = asyncio.Event(), self.server.writer.subscribe_to_jobs

        def watched(watched_type: str) -> asyncio.Event:
            waiting.set()
            return watch(watched_type)

        self.server.writer.subscribe_to_jobs = watched  # type: ignore[method-assign]  # tells when the poll has arrived
        polling = asyncio.create_task(self.fetch(job_type, wait_ms=60_000))
        await waiting.wait()
        return polling

    def turn(self, **by: float) -> None:
        self.clock.turn(**by)
        self.server.on_clock_changed()


@asynccontextmanager
async def running_engine(directory: Path | None = None, clock: ManualClock | None = None) -> AsyncIterator[Running]:
    """An engine on a free port of this machine, which wants no token because its clock could be turned."""
    turned = clock or ManualClock()
    server = EngineServer(directory, turned, "127.0.0.1:0", controlled_clock=True)
    address = await server.start()
    async with grpc.aio.insecure_channel(address) as channel:
        try:
            yield Running(server, turned, address, rpc.GatewayStub(channel))
        finally:
            await server.stop()
