"""The embedded engine behind TLS and tokens: what a deployment makes, and a job that goes there and back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from bpmn_makers import diagram, end, job
from notice_servers import Certificate, certificate
from pyzeebe.proto.gateway_pb2_grpc import add_GatewayServicer_to_server
from token_server import TokenDesk, token_desk

from services.engine.clock import SystemClock
from services.engine.gateway import Gateway
from services.engine.writer import Writer
from services.runtime.channel import open_channel
from services.runtime.engine_client import Deployment, PyzeebeEngineClient
from services.runtime.jobs.runner import JobRunner
from services.runtime.jobs.worker import describe
from services.runtime.settings import Settings

PATIENCE = 30.0


@dataclass(frozen=True)
class Seal:
    application_id: str


class Bearer(grpc.aio.ServerInterceptor):
    """Lets in who brings a token that the desk has given."""

    def __init__(self, desk: TokenDesk) -> None:
        self._desk = desk
        self.turned_away = 0

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], details: grpc.HandlerCallDetails
    ) -> Any:
        brought = dict(details.invocation_metadata).get("authorization", "").removeprefix("Bearer ")
        if brought in self._desk.given:
            return await continuation(details)
        self.turned_away += 1

        async def refuse(_request: Any, context: Any) -> None:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "expected a token that is valid")

        return grpc.unary_unary_rpc_method_handler(refuse)


@asynccontextmanager
async def gateway(writer: Writer, own: Certificate, guard: Bearer, address: str) -> AsyncIterator[int]:
    private = own.authority.with_suffix(".key").read_bytes()
    server = grpc.aio.server(interceptors=[guard], options=[("grpc.so_reuseport", 0)])
    add_GatewayServicer_to_server(Gateway(writer, lambda: address), server)
    port = server.add_secure_port(address, grpc.ssl_server_credentials([(private, own.authority.read_bytes())]))
    await server.start()
    try:
        yield port
    finally:
        await server.stop(1)


@pytest.fixture
async def settings(tmp_path: Path) -> AsyncIterator[Settings]:
    """A client of an engine in memory, behind a gateway that takes tokens alone."""
    own = certificate(tmp_path)
    writer = Writer(None, SystemClock(), None, timedelta(days=1))
    await writer.start()
    async with token_desk(own) as desk:
        guard = Bearer(desk)
        async with gateway(writer, own, guard, "127.0.0.1:0") as port:
            yield Settings.load(
                zeebe_address=f"https://127.0.0.1:{port}",
                zeebe_ca_file=own.authority,
                camunda_client_id="desk",
                camunda_client_secret="shh",
                camunda_oauth_url=desk.url,
                workers={"poll_seconds": 1},
            )
            writer.end_long_polls()
        assert guard.turned_away == 0
    await writer.stop()


def model(folder: Path, task: str = "seal-item") -> Path:
    began = '<bpmn:startEvent id="s"><bpmn:messageEventDefinition messageRef="M" /></bpmn:startEvent>'
    file = folder / "sealing.bpmn"
    file.write_bytes(
        diagram(
            began + job("work", task) + end(),
            "s>work work>e",
            process_id="sealing",
            before='<bpmn:message id="M" name="seal" />',
        )
    )
    return file


async def test_the_same_model_again_makes_no_new_version_and_a_changed_one_does(
    settings: Settings, tmp_path: Path
) -> None:
    async def deploy(task: str) -> Deployment:
        # A process of its own each time, as footage-desk deploy is.
        async with open_channel(settings) as channel:
            return await PyzeebeEngineClient(channel).deploy([model(tmp_path, task)])

    async with asyncio.timeout(PATIENCE):
        versions = [(await deploy(task)).versions["sealing"] for task in ("seal-item", "seal-item", "seal-more")]
        together = await asyncio.gather(*(deploy("seal-more") for _ in range(3)))

    assert versions == [1, 1, 2]
    assert [one.versions["sealing"] for one in together] == [2, 2, 2]


async def test_a_job_goes_through_tls_and_tokens_to_its_worker_and_back(settings: Settings, tmp_path: Path) -> None:
    sealed: asyncio.Queue[str] = asyncio.Queue()

    async def handle(command: Seal) -> None:
        sealed.put_nowait(command.application_id)

    async with asyncio.timeout(PATIENCE), open_channel(settings) as channel:
        client = PyzeebeEngineClient(channel)
        await client.deploy([model(tmp_path)])
        runner = JobRunner(settings, [describe("seal-item", handle)], {}, channel)
        working = asyncio.create_task(runner.run())
        for message_id in ("A1", "A1", "A2"):
            await client.publish_message("seal", "", {"applicationId": message_id}, message_id=message_id)
        assert {await sealed.get(), await sealed.get()} == {"A1", "A2"}
        await runner.stop()
        await working
    assert sealed.empty()
