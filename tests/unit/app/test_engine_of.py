"""The engine of ``footage-desk run``: on its socket alone, unless a port is set, which then wants the token."""

import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from pyzeebe.proto import gateway_pb2 as pb
from pyzeebe.proto import gateway_pb2_grpc as rpc

from services.app.server import engine_of
from services.runtime.channel import open_channel, socket_answers
from services.runtime.clock import SystemClock
from services.runtime.engine_client import PyzeebeEngineClient
from services.runtime.errors import Fatal
from services.runtime.settings import Settings


def container(root: Path, **settings: Any) -> Any:
    return SimpleNamespace(
        settings=Settings.load(data_dir=root, **settings), clock=SystemClock(), on_turn=[], engine=None
    )


def modes(*paths: Path) -> list[int]:
    return [stat.S_IMODE(path.stat().st_mode) for path in paths]


async def test_it_is_reached_by_the_settings_alone_and_an_installation_that_was_open_is_closed(tmp_path: Path) -> None:
    (tmp_path / "engine").mkdir(mode=0o755)
    (tmp_path / "engine").chmod(0o755)
    desk = container(tmp_path)
    assert not socket_answers(desk.settings.gateway_address)
    async with engine_of(desk) as address, open_channel(desk.settings) as channel:
        assert address == f"unix:{tmp_path}/engine/gateway.socket"
        assert socket_answers(address)
        assert modes(tmp_path / "engine", tmp_path / "engine" / "gateway.socket") == [0o700, 0o600]
        assert (await PyzeebeEngineClient(channel).topology()).partitions == 1
    assert not (tmp_path / "engine" / "gateway.token").exists()


async def test_a_port_that_is_set_stays_and_wants_the_token(tmp_path: Path, unused_tcp_port: int) -> None:
    desk = container(tmp_path, **{"engine.port": unused_tcp_port})
    port = f"127.0.0.1:{unused_tcp_port}"
    async with engine_of(desk) as address, grpc.aio.insecure_channel(port) as channel:
        assert address.startswith("unix:")
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await rpc.GatewayStub(channel).Topology(pb.TopologyRequest())
        async with open_channel(Settings.load(data_dir=tmp_path, zeebe_address=port)) as ours:
            assert (await PyzeebeEngineClient(ours).topology()).partitions == 1
    assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED
    assert modes(tmp_path / "engine" / "gateway.token") == [0o600]


def test_one_of_the_two_settings_asks_for_the_port() -> None:
    given = {
        "127.0.0.1:26501": {"engine.port": 26501},
        "127.0.0.1:0": {"engine.host": "127.0.0.1", "engine.port": 0},
        "[::1]:26500": {"engine.host": "::1"},
    }
    assert {address: Settings.load(**settings).engine.tcp_address for address, settings in given.items()} == {
        address: address for address in given
    }


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "::"])
async def test_a_port_that_other_machines_reach_is_refused(host: str, tmp_path: Path) -> None:
    with pytest.raises(Fatal, match=r"FOOTAGE_DESK_ENGINE__HOST is .* other machines could reach it.*--certificate"):
        async with engine_of(container(tmp_path, **{"engine.host": host})):
            pass


async def test_a_second_engine_does_not_take_the_place_of_one_that_lives(tmp_path: Path) -> None:
    async with engine_of(container(tmp_path)) as address:
        with pytest.raises(Fatal, match="could not start the engine"):
            async with engine_of(container(tmp_path)):
                pass
        assert socket_answers(address)
