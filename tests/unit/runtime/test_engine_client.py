"""The engine client: what it sends, what it takes for success, and what its errors become."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from fake_gateway import FakeGateway

from services.runtime.channel import open_channel
from services.runtime.engine_client import PyzeebeEngineClient
from services.runtime.errors import Fatal, Retryable
from services.runtime.settings import Settings, SettingsError


@pytest.fixture
def client(channel: grpc.aio.Channel) -> PyzeebeEngineClient:
    return PyzeebeEngineClient(channel)


async def submit(client: PyzeebeEngineClient) -> None:
    await client.publish_message(
        "application-submitted", "A1", {"applicationId": "A1"}, message_id="A1", ttl=timedelta(minutes=5)
    )


async def test_a_message_carries_key_id_and_time_to_live(client: PyzeebeEngineClient, gateway: FakeGateway) -> None:
    await submit(client)

    sent = await gateway.call("PublishMessage")
    assert (sent.name, sent.correlationKey, sent.messageId) == ("application-submitted", "A1", "A1")
    assert (sent.timeToLive, sent.variables) == (300_000, '{"applicationId": "A1"}')


async def test_a_message_that_the_engine_has_is_published(client: PyzeebeEngineClient, gateway: FakeGateway) -> None:
    await submit(client)
    await submit(client)

    assert len(gateway.calls["PublishMessage"]) == 2


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED])
async def test_a_gateway_that_fails_twice_is_asked_a_third_time(
    client: PyzeebeEngineClient, gateway: FakeGateway, code: grpc.StatusCode
) -> None:
    gateway.fail("PublishMessage", code, times=2)

    await submit(client)

    assert len(gateway.calls["PublishMessage"]) == 3


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (grpc.StatusCode.INTERNAL, "cannot be reached"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "cannot be reached"),
        (grpc.StatusCode.CANCELLED, "cannot be reached"),
    ],
)
async def test_a_transport_error_can_be_tried_again(
    client: PyzeebeEngineClient, gateway: FakeGateway, code: grpc.StatusCode, words: str
) -> None:
    gateway.fail("PublishMessage", code)

    with pytest.raises(Retryable, match=f"could not publish message application-submitted: the engine {words}"):
        await submit(client)


async def test_an_engine_that_is_not_there_can_be_tried_again() -> None:
    async with open_channel(Settings.load(zeebe_address="127.0.0.1:1")) as channel:
        client = PyzeebeEngineClient(channel, call_seconds=0.3)

        with pytest.raises(Retryable, match="the engine"):
            await submit(client)
        assert not await client.healthy()


async def test_a_client_that_may_not_is_told_what_to_check(client: PyzeebeEngineClient, gateway: FakeGateway) -> None:
    gateway.fail("PublishMessage", grpc.StatusCode.PERMISSION_DENIED)

    with pytest.raises(Fatal, match=r"the engine refused the call \| PERMISSION_DENIED: as ordered \| check"):
        await submit(client)


async def test_more_connection_errors_than_pyzeebe_counts_leave_the_client_usable(
    client: PyzeebeEngineClient, gateway: FakeGateway
) -> None:
    gateway.fail("PublishMessage", grpc.StatusCode.INTERNAL, times=12)

    for _ in range(12):
        with pytest.raises(Retryable):
            await submit(client)
    await submit(client)


async def test_files_are_deployed_together(client: PyzeebeEngineClient, gateway: FakeGateway, tmp_path: Path) -> None:
    files = [tmp_path / "video-retrieval.bpmn", tmp_path / "classification.dmn"]
    for file in files:
        file.write_text("<definitions/>")

    deployed = await client.deploy(files)

    sent = await gateway.call("DeployResource")
    assert [resource.name for resource in sent.resources] == ["video-retrieval.bpmn", "classification.dmn"]
    assert (deployed.key, dict(deployed.versions)) == (5, {"video-retrieval": 2, "classification": 1})


async def test_a_file_that_the_engine_refuses_is_named_with_its_reason(
    client: PyzeebeEngineClient, tmp_path: Path
) -> None:
    file = tmp_path / "broken.bpmn"
    file.write_text("refuse me")

    with pytest.raises(Fatal, match=r"could not deploy broken\.bpmn \| .* the file has no process \| correct"):
        await client.deploy([file])


async def test_topology_and_health(client: PyzeebeEngineClient) -> None:
    topology = await client.topology()

    assert (topology.gateway_version, topology.cluster_size, topology.partitions) == ("8.8.0", 1, 1)
    assert await client.healthy()


async def test_oauth_over_an_open_line_is_refused() -> None:
    settings = Settings.load(
        zeebe_address="zeebe:26500",
        zeebe_insecure=True,
        camunda_client_id="desk",
        camunda_client_secret="shh",
        camunda_oauth_url="https://login.example/token",
    )

    with pytest.raises(SettingsError, match="OAuth needs TLS"):
        open_channel(settings)


@pytest.mark.parametrize(
    "overrides",
    [
        {"zeebe_address": "https://zeebe.example:443"},
        {"zeebe_address": "zeebe.example:443", "zeebe_insecure": False},
        {
            "zeebe_address": "zeebe.example:443",
            "camunda_client_id": "desk",
            "camunda_client_secret": "shh",
            "camunda_oauth_url": "https://login.example/token",
        },
    ],
)
async def test_tls_and_oauth_channels_open(overrides: dict[str, Any]) -> None:
    async with open_channel(Settings.load(**overrides)) as channel:
        assert channel.get_state() is grpc.ChannelConnectivity.IDLE


async def test_a_missing_authority_file_is_named(tmp_path: Path) -> None:
    settings = Settings.load(zeebe_address="zeebe:26500", zeebe_ca_file=tmp_path / "none.pem")

    with pytest.raises(SettingsError, match="ZEEBE_CA_CERTIFICATE_PATH cannot be read"):
        open_channel(settings)
