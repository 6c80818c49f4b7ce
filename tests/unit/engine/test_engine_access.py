"""Who reaches the gateway: on its socket this account alone, on a port whoever has the token, elsewhere over TLS."""

import asyncio
import os
import shutil
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import grpc
import httpx
import pytest
from bpmn_makers import ONE_JOB
from engine_harness import ManualClock, Running
from grpc_health.v1 import health_pb2, health_pb2_grpc
from notice_servers import certificate
from pyzeebe import ZeebeClient, ZeebeWorker, create_insecure_channel
from pyzeebe.proto import gateway_pb2 as pb
from pyzeebe.proto import gateway_pb2_grpc as rpc
from typer.testing import CliRunner

from services.cli import main as cli_main
from services.engine.access import TOKEN_FILE, Credentials
from services.engine.clock import SystemClock
from services.engine.errors import GatewayError
from services.engine.server import EngineServer
from services.engine.socket_file import SocketFile
from services.runtime.channel import open_channel, socket_answers
from services.runtime.engine_client import PyzeebeEngineClient, Unauthorized
from services.runtime.errors import Retryable
from services.runtime.settings import Settings, SettingsError

PORT = "127.0.0.1:0"
METHODS = pb.DESCRIPTOR.services_by_name["Gateway"].methods
ANOTHER_USER = """
import os, socket, sys
os.setgroups([]); os.setegid(65534); os.seteuid(65534)
try:
    socket.socket(socket.AF_UNIX).connect(sys.argv[1])
except PermissionError:
    print("refused")
"""


@asynccontextmanager
async def engine(data: Path | None, *addresses: str, **more: Any) -> AsyncIterator[Running]:
    server = EngineServer(data, ManualClock(), *addresses, **more)
    address = await server.start()
    async with grpc.aio.insecure_channel(address) as channel:
        try:
            yield Running(server, ManualClock(), address, rpc.GatewayStub(channel))
        finally:
            await server.stop()


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def as_another_user(path: Path) -> str:
    ran = subprocess.run([sys.executable, "-c", ANOTHER_USER, path], capture_output=True, text=True, check=True)
    return ran.stdout


def address_of(path: Path) -> str:
    """As docs/designers.md has it."""
    return "unix:" + os.path.realpath(path)


def socket_at(address: str) -> Path:
    return Path(address.removeprefix("unix:"))


def token_in(folder: Path) -> str:
    return (folder / TOKEN_FILE).read_text().strip()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every account may enter, on a path that every account may walk."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


async def test_no_other_account_opens_the_socket_even_where_it_may_enter_the_folder(open_folder: Path) -> None:
    path = open_folder / "gateway.socket"
    async with engine(None, f"unix:{path}"):
        assert mode_of(path) == 0o600
        if os.geteuid() == 0:
            assert await asyncio.to_thread(as_another_user, path) == "refused\n"
    assert not path.exists()


async def test_a_folder_that_is_made_for_the_socket_or_the_state_is_this_accounts_alone(tmp_path: Path) -> None:
    async with engine(tmp_path / "data", f"unix:{tmp_path}/own/gateway.socket"):
        assert (mode_of(tmp_path / "own"), mode_of(tmp_path / "data")) == (0o700, 0o700)


def test_the_socket_is_closed_to_others_from_its_first_moment(tmp_path: Path) -> None:
    first: list[int] = []
    with socket.socket(socket.AF_UNIX) as listening:

        def add_port(address: str) -> None:
            listening.bind(address.removeprefix("unix:"))
            listening.listen()
            first.append(mode_of(tmp_path / "s"))

        mask = os.umask(0)
        try:
            SocketFile(tmp_path / "s").bind(add_port)
        finally:
            assert os.umask(mask) == 0

    assert first[0] & 0o077 == 0


def test_a_disk_without_sockets_is_named_and_the_umask_is_as_before(tmp_path: Path) -> None:
    def add_port(_address: str) -> None:
        raise RuntimeError("Failed to bind")

    before = os.umask(0o027)
    try:
        with pytest.raises(
            GatewayError, match=r"no socket can be made at .* \(Failed to bind\); name a path on a local disk"
        ):
            SocketFile(tmp_path / "s").bind(add_port)
    finally:
        assert os.umask(before) == 0o027


async def test_the_socket_of_a_dead_process_is_replaced_and_that_of_a_living_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "gateway.socket"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with engine(None, f"unix:{path}") as living:
        with pytest.raises(GatewayError, match=f"another process listens on {path}; stop it"):
            await EngineServer(None, ManualClock(), f"unix:{path}").start()
        await living.stub.Topology(pb.TopologyRequest())


async def test_what_is_no_socket_is_not_removed_and_a_folder_that_others_write_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("keep")
    with pytest.raises(GatewayError, match="precious is no socket; name another path"):
        await EngineServer(None, ManualClock(), f"unix:{tmp_path}/precious").start()
    assert (tmp_path / "precious").read_text() == "keep"

    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o777)
    with pytest.raises(GatewayError, match="has mode 0777, so others could replace the socket; run chmod go-w"):
        await EngineServer(None, ManualClock(), f"unix:{tmp_path}/shared/s").start()
    if os.geteuid() == 0:
        (tmp_path / "shared").chmod(0o755)
        os.chown(tmp_path / "shared", 65534, 65534)
        with pytest.raises(GatewayError, match="belongs to another account"):
            await EngineServer(None, ManualClock(), f"unix:{tmp_path}/shared/s").start()


@pytest.mark.parametrize("name", ["engine", "录像 调取/engine", "long" * 30])
async def test_unmodified_pyzeebe_works_over_the_socket_however_long_its_path_is(name: str, tmp_path: Path) -> None:
    path = tmp_path / name / "gateway.socket"
    async with engine(tmp_path / name, f"unix:{path}"):
        address = address_of(path)
        assert len(os.fsencode(socket_at(address))) <= 107
        assert (mode_of(socket_at(address)), mode_of(socket_at(address).parent)) == (0o600, 0o700)
        (tmp_path / "p.bpmn").write_bytes(ONE_JOB)
        client, worker = (
            kind(create_insecure_channel(grpc_address=address), **more)
            for kind, more in ((ZeebeClient, {}), (ZeebeWorker, {"request_timeout": 1000}))
        )
        done: list[int] = []

        @worker.task(task_type="work")
        async def work() -> None:
            done.append(1)

        await client.deploy_resource(str(tmp_path / "p.bpmn"))
        working = asyncio.create_task(worker.work())
        await client.run_process_with_result("one-job", {}, timeout=10_000)
        assert done == [1]
        await worker.stop()
        await working
        async with open_channel(Settings.load(zeebe_address=f"unix:{path}")) as channel:
            assert await PyzeebeEngineClient(channel).healthy()
    assert not socket_at(address).exists()
    if socket_at(address).parent != path.parent:
        socket_at(address).parent.rmdir()


async def test_a_long_path_leads_to_the_same_short_one_again_and_to_none_of_somebody_elses(tmp_path: Path) -> None:
    path = tmp_path / ("long" * 30) / "gateway.socket"
    async with engine(None, f"unix:{path}") as first:
        pass
    async with engine(None, f"unix:{path}") as second:
        assert first.address == second.address
    short = socket_at(first.address).parent
    assert mode_of(short) == 0o700  # it stays, so that nobody else takes its name
    short.chmod(0o755)
    try:
        with pytest.raises(GatewayError, match=f"{short} is not this account's alone; remove it"):
            await EngineServer(None, ManualClock(), f"unix:{path}").start()
    finally:
        short.rmdir()
    short.symlink_to(tmp_path / "nowhere")
    try:
        with pytest.raises(GatewayError, match=f"{short} is not this account's alone; remove it"):
            await EngineServer(None, ManualClock(), f"unix:{path}").start()
    finally:
        short.unlink()


@pytest.mark.parametrize("taken", ["gone", "of another account", "open to others", "with another account's socket"])
async def test_a_client_follows_no_link_to_a_socket_that_another_account_may_have_made(
    taken: str, tmp_path: Path
) -> None:
    if "account" in taken and os.geteuid() != 0:
        pytest.skip("only root gives a file to another account")
    path = tmp_path / ("long" * 30) / "gateway.socket"
    settings = Settings.load(zeebe_address=f"unix:{path}")
    async with engine(None, f"unix:{path}") as first:
        await open_channel(settings).close()
        assert socket_answers(f"unix:{path}")
    place = socket_at(first.address)
    await open_channel(settings).close()  # the engine is away, and nobody else can take its place
    try:
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(place))
            other.listen()
            match taken:
                case "gone":
                    shutil.rmtree(place.parent)
                case "of another account":
                    os.chown(place.parent, 65534, 65534)
                case "open to others":
                    place.parent.chmod(0o777)
                case _:
                    os.chown(place, 65534, 65534)

            with pytest.raises(SettingsError, match=f"{path} leads to {place}, which is missing or not the engine's"):
                open_channel(settings)
            assert not socket_answers(f"unix:{path}")
    finally:
        shutil.rmtree(place.parent, ignore_errors=True)


@pytest.mark.parametrize("brought", [None, "Bearer wrong", "Bearer ", "Basic {token}", "{token}", "Bearer {token}x"])
async def test_every_call_on_a_port_wants_the_token(
    brought: str | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with engine(tmp_path, PORT) as port, grpc.aio.insecure_channel(port.address) as channel:
        metadata = [] if brought is None else [("authorization", brought.format(token=token_in(tmp_path)))]
        for name in [*(method.name for method in METHODS), "OfALaterVersion"]:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await channel.unary_unary(f"/gateway_protocol.Gateway/{name}")(b"", metadata=metadata)
            assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED, name
        for method in (method for method in METHODS if method.server_streaming):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await channel.unary_stream(f"/gateway_protocol.Gateway/{method.name}")(b"", metadata=metadata).read()
            assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED, method.name
        stub = health_pb2_grpc.HealthStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.Watch(health_pb2.HealthCheckRequest(), metadata=metadata, timeout=5).read()
        assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED  # no stranger keeps a stream open
        health = await stub.Check(health_pb2.HealthCheckRequest())
        figures = port.server.metrics.exposition().decode()

    refusals = len(METHODS) + 2 + sum(method.server_streaming for method in METHODS)
    assert f"footage_desk_engine_unauthenticated_calls_total {refusals}.0" in figures
    assert [line for line in caplog.messages if "refused a call without the engine's token from ipv4:127.0.0.1" in line]
    assert token_in(tmp_path) not in caplog.text
    assert health.status == health_pb2.HealthCheckResponse.SERVING


async def test_with_the_token_every_call_is_answered(tmp_path: Path) -> None:
    async with engine(tmp_path, PORT) as port, grpc.aio.insecure_channel(port.address) as channel:
        assert mode_of(tmp_path / TOKEN_FILE) == 0o600
        for method in METHODS:
            call = channel.unary_stream if method.server_streaming else channel.unary_unary
            answer = call(f"/gateway_protocol.Gateway/{method.name}")(
                b"", metadata=[("authorization", f"bearer {token_in(tmp_path)}")], timeout=5
            )
            await answer.initial_metadata()
            if method.server_streaming:
                answer.cancel()
            assert await answer.code() != grpc.StatusCode.UNAUTHENTICATED, method.name


async def test_our_clients_find_the_token_beside_the_engines_data_or_in_the_file_that_is_set(tmp_path: Path) -> None:
    async with engine(tmp_path / "engine", PORT) as port:
        given = {"zeebe_address": port.address}
        token = tmp_path / "engine" / TOKEN_FILE
        for found in ({"data_dir": tmp_path}, {"engine.token_file": token, "data_dir": tmp_path / "other"}):
            async with open_channel(Settings.load(**given, **found)) as channel:
                assert (await PyzeebeEngineClient(channel).topology()).partitions == 1
        async with open_channel(Settings.load(**given, data_dir=tmp_path / "other")) as channel:
            with pytest.raises(Unauthorized, match="FOOTAGE_DESK_ENGINE__TOKEN_FILE"):
                await PyzeebeEngineClient(channel).topology()


async def test_a_client_that_is_there_before_the_engines_first_start_finds_its_token(
    tmp_path: Path, unused_tcp_port: int
) -> None:
    address = f"127.0.0.1:{unused_tcp_port}"
    async with open_channel(Settings.load(zeebe_address=address, data_dir=tmp_path)) as channel:
        with pytest.raises(Retryable):
            await PyzeebeEngineClient(channel, call_seconds=0.05).topology()
        async with engine(tmp_path / "engine", address):
            assert (await PyzeebeEngineClient(channel).topology()).partitions == 1


async def test_a_call_that_began_before_the_engines_first_start_finds_its_token(
    tmp_path: Path, unused_tcp_port: int
) -> None:
    address = f"127.0.0.1:{unused_tcp_port}"
    async with open_channel(Settings.load(zeebe_address=address, data_dir=tmp_path)) as channel:
        call = asyncio.create_task(PyzeebeEngineClient(channel).topology())
        while (state := channel.get_state()) is not grpc.ChannelConnectivity.TRANSIENT_FAILURE:
            await channel.wait_for_state_change(state)
        async with engine(tmp_path / "engine", address):
            assert (await call).partitions == 1


async def test_a_client_goes_on_where_the_engines_token_was_lost_and_made_anew(
    tmp_path: Path, unused_tcp_port: int
) -> None:
    address = f"127.0.0.1:{unused_tcp_port}"
    async with open_channel(Settings.load(zeebe_address=address, data_dir=tmp_path)) as channel:
        client = PyzeebeEngineClient(channel)
        async with engine(tmp_path / "engine", address):
            assert (await client.topology()).partitions == 1
        (tmp_path / "engine" / "gateway.token").unlink()
        async with engine(tmp_path / "engine", address):
            assert (await client.topology()).partitions == 1


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"zeebe_address": "engine.example:26500"}, r"would travel in the open: begin ZEEBE_ADDRESS with https://"),
        ({"zeebe_address": "127.0.0.1:1", "mode": 0o640}, r"it has mode 0640, so others can read it"),
        ({"zeebe_address": "127.0.0.1:1", "text": ""}, r"it is empty"),
        ({"zeebe_address": "127.0.0.1:1", "name": "none"}, r"No such file"),
        (
            {
                "zeebe_address": "https://127.0.0.1:1",
                "camunda_client_id": "a",
                "camunda_client_secret": "b",
                "camunda_oauth_url": "https://login.example",
            },
            "and CAMUNDA_CLIENT_ID are both set",
        ),
    ],
)
def test_a_token_that_cannot_be_used_is_refused_with_a_sentence(
    more: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text(more.pop("text", "t" * 40))
    (tmp_path / "token").chmod(more.pop("mode", 0o600))
    with pytest.raises(SettingsError, match=f"FOOTAGE_DESK_ENGINE__TOKEN_FILE.*{sentence}"):
        open_channel(Settings.load(**{"engine.token_file": tmp_path / more.pop("name", "token")}, **more))


async def test_a_controlled_clock_wants_no_token_on_this_machine(tmp_path: Path) -> None:
    async with engine(tmp_path, PORT, controlled_clock=True, management=PORT) as port, httpx.AsyncClient() as client:
        assert (await port.stub.Topology(pb.TopologyRequest())).partitionsCount == 1
        at = f"http://{port.server.management_address}"
        assert (await client.post(f"{at}/actuator/clock/add", json={"offsetMilli": 1})).status_code == 200
    assert not (tmp_path / TOKEN_FILE).exists()


async def test_the_management_port_says_texts_of_incidents_for_the_token_alone(tmp_path: Path) -> None:
    async with engine(tmp_path, f"unix:{tmp_path}/s", management=PORT) as port, httpx.AsyncClient() as client:
        at = f"http://{port.server.management_address}"
        public = [(await client.get(at + path)).status_code for path in ("/livez", "/readyz", "/metrics")]
        refused = [
            (await client.get(f"{at}/incidents", headers=headers)).status_code
            for headers in ({}, {"authorization": "Bearer wrong"})
        ]
        clock = await client.post(f"{at}/actuator/clock/add", json={"offsetMilli": 1})
        bearer = {"Authorization": f"Bearer {token_in(tmp_path)}"}
        incidents = await client.get(f"{at}/incidents", headers=bearer)
        figures = (await client.get(f"{at}/metrics")).text

    assert (public, refused, clock.status_code) == ([200] * 3, [401] * 2, 401)
    assert (incidents.status_code, incidents.json()) == (200, [])
    assert "footage_desk_engine_unauthenticated_calls_total 3.0" in figures


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"POST /actuator/clock/add HTTP/1.1\r\nContent-Length: 1000000000\r\n\r\n", 401),  # asked before it is read
        (b"GET /livez HTTP/1.1\r\nContent-Length: 1000000000\r\n\r\n", 200),
        (b"POST /actuator/clock/add HTTP/1.1\r\n{bearer}Content-Length: 4097\r\n\r\n", 413),
        (b"POST /actuator/clock/add HTTP/1.1\r\n{bearer}Content-Length: " + b"9" * 5000 + b"\r\n\r\n", 413),
        (b"POST /actuator/clock/add HTTP/1.1\r\n{bearer}Content-Length: -1\r\n\r\n", 400),
        (b"POST /actuator/clock/add HTTP/1.1\r\n{bearer}Content-Length: x\r\n\r\n", 400),
        (b"POST /actuator/clock/add HTTP/1.1\r\n{bearer}Content-Length: \xb2\r\n\r\n", 400),
        (b"GET\r\n\r\n", 400),
        (b"\r\n\r\n", 400),
        (b"POST /actuator/clock/add HTTP/1.1\r\n{bearer}Content-Length: 3000\r\n\r\n" + b"[" * 3000, 400),
        (
            b"POST /actuator/clock/pin HTTP/1.1\r\n{bearer}Content-Length: 32\r\n\r\n"
            + b'{"epochMilli": %016d}' % (10**16 - 1),
            400,
        ),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_the_management_port_reads_a_short_body_and_only_of_who_has_the_token(
    sent: bytes, status: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    credentials = Credentials(token=tmp_path / "token")
    given = {"credentials": credentials, "controlled_clock": True, "management": PORT}
    with patch.object(EngineServer, "_needs_token", lambda *_: True):
        async with engine(None, f"unix:{tmp_path}/s", **given) as port:
            host, _, number = str(port.server.management_address).rpartition(":")
            reader, writer = await asyncio.open_connection(host, int(number))
            bearer = f"Authorization: Bearer {(tmp_path / 'token').read_text().strip()}\r\n".encode()
            writer.write(sent.replace(b"{bearer}", bearer))
            async with asyncio.timeout(5):  # less than it waits for a body
                answer = await reader.readline()
            writer.close()

    assert answer.split()[1] == str(status).encode()
    assert "Unhandled" not in caplog.text


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", ":0", "desk.example:26500", "unix-abstract:x"])
@pytest.mark.parametrize("controlled_clock", [True, False])
async def test_an_address_that_others_reach_wants_tls(address: str, controlled_clock: bool, tmp_path: Path) -> None:
    given = {"credentials": Credentials(token=tmp_path / "t"), "controlled_clock": controlled_clock}
    with pytest.raises(GatewayError, match="in the open; name a certificate and its key"):
        await EngineServer(None, ManualClock(), address, **given).start()
    if address != ":0":
        with pytest.raises(GatewayError, match="in the open; name a certificate and its key"):
            await EngineServer(None, ManualClock(), f"unix:{tmp_path}/s", management=address, **given).start()


def test_the_command_says_so_and_ends(tmp_path: Path) -> None:
    command = ["engine", "--data", str(tmp_path / "data")]
    ended = CliRunner().invoke(cli_main.app, [*command, "--address", "0.0.0.0:0"])
    assert (ended.exit_code, "name a certificate and its key (--certificate and --key)" in ended.stderr) == (1, True)

    in_memory = CliRunner().invoke(cli_main.app, ["engine", "--address", PORT])
    assert (in_memory.exit_code, "name one with --token-file" in in_memory.stderr) == (1, True)


@pytest.mark.parametrize("controlled_clock", [True, False])
async def test_over_tls_it_is_reached_from_elsewhere_with_the_token(controlled_clock: bool, tmp_path: Path) -> None:
    own = certificate(tmp_path)
    files = Credentials(certificate=own.authority, key=own.authority.with_suffix(".key"))
    server = EngineServer(
        tmp_path / "engine",
        SystemClock(),
        "0.0.0.0:0",
        credentials=files,
        management="0.0.0.0:0",
        controlled_clock=controlled_clock,
    )
    address = (await server.start()).replace("0.0.0.0", "localhost")
    try:
        given = {"zeebe_address": f"https://{address}", "zeebe_ca_file": own.authority, "data_dir": tmp_path / "none"}
        token = {"engine.token_file": tmp_path / "engine" / TOKEN_FILE}
        async with open_channel(Settings.load(**given, **token)) as channel:
            assert (await PyzeebeEngineClient(channel).topology()).partitions == 1
        async with open_channel(Settings.load(**given)) as channel:
            with pytest.raises(Unauthorized):
                await PyzeebeEngineClient(channel).topology()
        management = f"https://{(server.management_address or '').replace('0.0.0.0', 'localhost')}"
        async with httpx.AsyncClient(verify=ssl.create_default_context(cafile=own.authority)) as client:
            assert (await client.get(f"{management}/livez")).status_code == 200
            assert (await client.get(f"{management}/incidents")).status_code == 401
            assert (await client.delete(f"{management}/actuator/clock")).status_code == 401
    finally:
        await server.stop()


@pytest.mark.parametrize(
    ("token", "mode", "sentence"),
    [("t" * 43, 0o644, "has mode 0644, so others can read it; run chmod 600"), ("short", 0o600, "is too short")],
)
async def test_a_token_file_that_is_no_secret_is_refused(token: str, mode: int, sentence: str, tmp_path: Path) -> None:
    (tmp_path / TOKEN_FILE).write_text(token)
    (tmp_path / TOKEN_FILE).chmod(mode)
    with pytest.raises(GatewayError, match=sentence):
        await EngineServer(tmp_path, ManualClock(), PORT).start()


async def test_certificate_and_key_have_to_fit(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    pair = Credentials(
        certificate=certificate(tmp_path).authority, key=certificate(other).authority.with_suffix(".key")
    )
    for files, sentence in ((pair, "cannot be used"), (Credentials(certificate=pair.certificate), "name both")):
        with pytest.raises(GatewayError, match=sentence):
            await EngineServer(tmp_path / "engine", ManualClock(), "0.0.0.0:0", credentials=files).start()
