"""A gateway that lets in only who brings a certificate, against a server that really asks for one."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from broken_gateways import KeepingGateway, served
from fake_gateway import PATIENCE
from notice_servers import Certificate, certificate
from typer.testing import CliRunner

from services.cli import main as cli_main
from services.runtime.channel import open_channel
from services.runtime.engine_client import PyzeebeEngineClient, Topology
from services.runtime.errors import Retryable
from services.runtime.settings import Settings, SettingsError


@pytest.fixture
def gateways(tmp_path: Path) -> Certificate:
    return made(tmp_path, "gateway", "localhost")


@pytest.fixture
def desks(tmp_path: Path) -> Certificate:
    return made(tmp_path, "desk", "footage-desk")


def made(tmp_path: Path, folder: str, name: str) -> Certificate:
    (tmp_path / folder).mkdir()
    return certificate(tmp_path / folder, name=name)


def key_of(one: Certificate) -> Path:
    return one.authority.with_suffix(".key")


@pytest.fixture
async def port(gateways: Certificate, desks: Certificate) -> AsyncIterator[int]:
    pair = (key_of(gateways).read_bytes(), gateways.authority.read_bytes())
    asks = grpc.ssl_server_credentials([pair], desks.authority.read_bytes(), require_client_auth=True)
    async with served(KeepingGateway(), tls=asks) as port:
        yield port


async def ask(port: int, gateways: Certificate, **more: Any) -> Topology:
    settings = Settings.load(zeebe_address=f"127.0.0.1:{port}", zeebe_ca_file=gateways.authority, **more)
    async with asyncio.timeout(PATIENCE), open_channel(settings) as channel:
        return await PyzeebeEngineClient(channel, call_seconds=10).topology()


async def test_who_brings_the_certificate_is_let_in(port: int, gateways: Certificate, desks: Certificate) -> None:
    answer = await ask(port, gateways, mtls_certificate=desks.authority, mtls_key=key_of(desks))
    assert answer.partitions == 1


async def test_who_brings_none_or_a_strangers_is_told_what_to_look_at(
    port: int, gateways: Certificate, tmp_path: Path
) -> None:
    stranger = made(tmp_path, "stranger", "footage-desk")
    for brought in ({}, {"mtls_certificate": stranger.authority, "mtls_key": key_of(stranger)}):
        with pytest.raises(Retryable, match=r"or for our certificate \(CAMUNDA_MTLS_CERT_PATH\)"):
            await ask(port, gateways, **brought)


def test_a_certificate_alone_asks_for_tls_and_for_its_key(desks: Certificate) -> None:
    with pytest.raises(SettingsError, match="CAMUNDA_MTLS_KEY_PATH is not set"):
        open_channel(Settings.load(zeebe_address="zeebe:26500", mtls_certificate=desks.authority))
    with pytest.raises(SettingsError, match="CAMUNDA_MTLS_CERT_PATH is not set"):
        open_channel(Settings.load(zeebe_address="zeebe:26500", mtls_key=key_of(desks)))


def test_a_pair_that_cannot_be_used_is_named_before_anybody_is_called(
    desks: Certificate, gateways: Certificate, tmp_path: Path
) -> None:
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("not a certificate")
    pairs = [
        (desks.authority, key_of(gateways), "KEY_VALUES_MISMATCH"),
        (nonsense, key_of(desks), "cannot be used"),
        (desks.authority, tmp_path / "absent.key", "No such file"),
    ]
    for mine, key, why in pairs:
        with pytest.raises(SettingsError, match=f"CAMUNDA_MTLS_KEY_PATH cannot be used.*{why}|{why}"):
            open_channel(Settings.load(zeebe_address="zeebe:26500", mtls_certificate=mine, mtls_key=key))


async def test_the_doctor_says_so_too(
    port: int, gateways: Certificate, desks: Certificate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FOOTAGE_DESK_DATA_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("ZEEBE_ADDRESS", f"127.0.0.1:{port}")
    monkeypatch.setenv("ZEEBE_CA_CERTIFICATE_PATH", str(gateways.authority))
    monkeypatch.setenv("CAMUNDA_MTLS_CERT_PATH", str(desks.authority))
    monkeypatch.setenv("CAMUNDA_MTLS_KEY_PATH", str(key_of(gateways)))
    mismatched = await asyncio.to_thread(CliRunner().invoke, cli_main.app, ["doctor"])
    monkeypatch.setenv("CAMUNDA_MTLS_KEY_PATH", str(key_of(desks)))
    right = await asyncio.to_thread(CliRunner().invoke, cli_main.app, ["doctor"])

    assert "CAMUNDA_MTLS_KEY_PATH cannot be used (KEY_VALUES_MISMATCH)" in " ".join(mismatched.output.split())
    assert "gateway 8.8.0, 1 partition(s)" in " ".join(right.output.split())
