"""The channel to a gateway over TLS, with OAuth, and to several gateways, against servers that are really there."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
from broken_gateways import KeepingGateway, served
from fake_gateway import PATIENCE
from notice_servers import Certificate, certificate
from token_server import TokenDesk, token_desk

from services.runtime import oauth
from services.runtime.channel import open_channel
from services.runtime.engine_client import PyzeebeEngineClient, Topology, Unauthorized
from services.runtime.errors import Retryable
from services.runtime.oauth import Client, NoToken, Tokens
from services.runtime.settings import Settings, SettingsError


class BearerGateway(KeepingGateway):
    """Lets in who brings one of the desk's tokens that it has not struck off."""

    def __init__(self, desk: TokenDesk) -> None:
        super().__init__()
        self.desk = desk
        self.brought: list[str] = []
        self.struck_off: set[str] = set()

    async def _note(self, method: str, request: Any, context: Any, key: int | None = None) -> None:
        brought = dict(context.invocation_metadata()).get("authorization", "")
        self.brought.append(brought)
        if brought.removeprefix("Bearer ") not in set(self.desk.given) - self.struck_off:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "expected a token that is valid")
        await super()._note(method, request, context, key)


@pytest.fixture
def own(tmp_path: Path) -> Certificate:
    return certificate(tmp_path)


@pytest.fixture
def tls(own: Certificate) -> grpc.ServerCredentials:
    return server_side(own)


def server_side(own: Certificate) -> grpc.ServerCredentials:
    private = own.authority.with_suffix(".key").read_bytes()
    return grpc.ssl_server_credentials([(private, own.authority.read_bytes())])


@pytest.fixture
async def desk(own: Certificate) -> AsyncIterator[TokenDesk]:
    async with token_desk(own) as desk:
        yield desk


def known(desk: TokenDesk, port: int, own: Certificate, **more: Any) -> Settings:
    values: dict[str, Any] = {
        "zeebe_ca_file": own.authority,
        "camunda_client_id": "desk",
        "camunda_client_secret": "shh",
        "camunda_oauth_url": desk.url,
        "camunda_token_audience": "zeebe-api",
    }
    return Settings.load(zeebe_address=f"localhost:{port}", **(values | more))


async def ask(settings: Settings, times: int = 1) -> Topology:
    async with asyncio.timeout(PATIENCE), open_channel(settings) as channel:
        client = PyzeebeEngineClient(channel, call_seconds=5)
        return [await client.topology() for _ in range(times)][-1]


async def test_a_gateway_with_an_authority_of_the_sites_own_is_trusted_by_its_file_alone(
    own: Certificate, tls: grpc.ServerCredentials, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = certificate(tmp_path / "other")
    async with served(KeepingGateway(), tls=tls) as port:
        address = f"127.0.0.1:{port}"
        assert (await ask(Settings.load(zeebe_address=address, zeebe_ca_file=own.authority))).partitions == 1
        assert (await ask(Settings.load(zeebe_address=f"https://{address}", zeebe_ca_file=own.authority))).partitions
        for stranger in ({"zeebe_ca_file": other.authority}, {"zeebe_insecure": False}):
            with pytest.raises(Retryable, match=r"its certificate is not trusted, see ZEEBE_CA_CERTIFICATE_PATH"):
                await ask(Settings.load(zeebe_address=address, **stranger))
        with pytest.raises(Retryable, match="the engine"):
            await ask(Settings.load(zeebe_address=address))


async def test_a_certificate_for_another_name_is_refused(tmp_path: Path) -> None:
    elsewhere = certificate(tmp_path, name="elsewhere.example")
    async with served(KeepingGateway(), tls=server_side(elsewhere)) as port:
        with pytest.raises(Retryable, match="see ZEEBE_CA_CERTIFICATE_PATH and the name in"):
            await ask(Settings.load(zeebe_address=f"127.0.0.1:{port}", zeebe_ca_file=elsewhere.authority))


async def test_what_is_no_certificate_is_named(tmp_path: Path) -> None:
    nonsense = tmp_path / "ca.pem"
    nonsense.write_text("not a certificate")
    with pytest.raises(SettingsError, match="ZEEBE_CA_CERTIFICATE_PATH cannot be read"):
        open_channel(Settings.load(zeebe_address="zeebe:26500", zeebe_ca_file=nonsense))


async def test_a_client_brings_a_token_that_it_asks_for_once(
    own: Certificate, tls: grpc.ServerCredentials, desk: TokenDesk
) -> None:
    gateway = BearerGateway(desk)
    async with served(gateway, tls=tls) as port, open_channel(known(desk, port, own)) as channel:
        client = PyzeebeEngineClient(channel)
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
            for _ in range(8):
                group.create_task(client.topology())
    assert desk.asked == [
        {
            "grant_type": "client_credentials",
            "client_id": "desk",
            "client_secret": "shh",
            "audience": "zeebe-api",
        }
    ]
    assert gateway.brought == ["Bearer token-1"] * 8


async def test_a_scope_is_sent_where_it_is_set(own: Certificate, tls: grpc.ServerCredentials, desk: TokenDesk) -> None:
    async with served(BearerGateway(desk), tls=tls) as port:
        await ask(known(desk, port, own, camunda_token_scope="zeebe/.default", camunda_token_audience=None))
    assert desk.asked[0]["scope"] == "zeebe/.default"
    assert "audience" not in desk.asked[0]


async def test_a_client_that_is_refused_is_told_what_to_check_and_does_not_hammer(
    own: Certificate, tls: grpc.ServerCredentials, desk: TokenDesk
) -> None:
    desk.refusal = (401, {"error": "invalid_client", "error_description": "Invalid client secret"})
    gateway = BearerGateway(desk)
    async with served(gateway, tls=tls) as port:
        with pytest.raises(Unauthorized) as refused:
            await ask(known(desk, port, own))
    told = str(refused.value)
    assert "invalid_client Invalid client secret" in told
    assert "check CAMUNDA_CLIENT_ID, CAMUNDA_CLIENT_SECRET, CAMUNDA_TOKEN_AUDIENCE and CAMUNDA_TOKEN_SCOPE" in told
    assert "shh" not in told
    assert len(desk.asked) == 1  # gRPC itself tried five times
    assert gateway.brought == []


async def test_a_token_that_the_gateway_does_not_accept_is_told_too(
    own: Certificate, tls: grpc.ServerCredentials, desk: TokenDesk
) -> None:
    gateway = BearerGateway(desk)
    gateway.struck_off.add("token-1")
    async with served(gateway, tls=tls) as port:
        with pytest.raises(
            Unauthorized, match=r"UNAUTHENTICATED: expected a token that is valid \| check CAMUNDA_CLIENT_ID"
        ):
            await ask(known(desk, port, own))


class Watch:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def tokens(desk: TokenDesk, own: Certificate | None, watch: Watch | None = None) -> Tokens:
    trust = ssl.create_default_context(cafile=own.authority if own else None)
    return Tokens(Client(desk.url, "desk", "shh", None, None, trust), watch or Watch())


async def token(tokens: Tokens) -> str:
    return await asyncio.to_thread(tokens.token)


async def test_a_token_is_renewed_before_it_ends_and_kept_while_nobody_renews_it(
    own: Certificate, desk: TokenDesk
) -> None:
    watch = Watch()
    kept = tokens(desk, own, watch)
    desk.expires_in = 300
    assert await token(kept) == "token-1"
    watch.seconds += 269
    assert await token(kept) == "token-1"
    desk.refusal = (503, {})
    watch.seconds += 2  # a tenth of its life is left
    assert await token(kept) == "token-1"
    assert len(desk.asked) == 2
    watch.seconds += 4
    assert await token(kept) == "token-1"
    assert len(desk.asked) == 2  # the pause after a failure
    watch.seconds += 26
    with pytest.raises(NoToken, match="answered 503 and no token: check CAMUNDA_OAUTH_URL"):
        await token(kept)
    desk.refusal = None
    watch.seconds += 6
    assert await token(kept) == "token-2"


async def test_a_token_that_does_not_say_how_long_it_lives_is_kept_for_a_minute(
    own: Certificate, desk: TokenDesk
) -> None:
    watch = Watch()
    kept = tokens(desk, own, watch)
    desk.refusal = (200, {"access_token": "bare"})
    assert await token(kept) == "bare"
    watch.seconds += 53
    assert await token(kept) == "bare"
    assert len(desk.asked) == 1
    watch.seconds += 2
    await token(kept)
    assert len(desk.asked) == 2


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((404, {}), "answered 404 and no token: check CAMUNDA_OAUTH_URL"),
        ((200, b"<html>"), "answered 200 and no token: check CAMUNDA_OAUTH_URL"),
        *(
            ((200, {"access_token": "t", "expires_in": told}), "gave a token without an end: check CAMUNDA_OAUTH_URL")
            for told in ("soon", None, 0, -1, float("inf"), 10**400)
        ),
        ((400, {"error": "invalid_scope"}), oauth.REFUSED),
    ],
)
async def test_every_answer_without_a_token_is_a_sentence(
    own: Certificate, desk: TokenDesk, answer: tuple[int, object], words: str
) -> None:
    desk.refusal = answer
    with pytest.raises(NoToken, match=words):
        await token(tokens(desk, own))


async def test_a_token_address_that_nobody_vouches_for_is_named_with_the_setting(desk: TokenDesk) -> None:
    with pytest.raises(NoToken, match=r"is not trusted .* add its authority to the file of ZEEBE_CA_CERTIFICATE_PATH"):
        await token(tokens(desk, None))


async def test_a_token_address_that_is_silent_or_gone_ends_in_a_sentence(
    own: Certificate, desk: TokenDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oauth, "ASK_SECONDS", 0.2)
    desk.silent = True
    with pytest.raises(NoToken, match=r"did not answer within 0\.2 s: see that it runs"):
        await token(tokens(desk, own))
    desk.url = "https://127.0.0.1:1/token"
    with pytest.raises(NoToken, match=r"cannot be reached .* check CAMUNDA_OAUTH_URL"):
        await token(tokens(desk, own))


def test_a_token_address_in_the_open_is_refused() -> None:
    settings = Settings.load(
        zeebe_address="zeebe:443",
        camunda_client_id="desk",
        camunda_client_secret="shh",
        camunda_oauth_url="http://login.example/token",
    )
    with pytest.raises(SettingsError, match="CAMUNDA_OAUTH_URL does not begin with https://"):
        open_channel(settings)


async def test_calls_go_round_all_gateways_of_a_list_and_on_when_one_is_gone() -> None:
    first, second = KeepingGateway(), KeepingGateway()
    async with AsyncExitStack() as up, served(second) as other:
        one = await up.enter_async_context(served(first))
        settings = Settings.load(zeebe_address=f"127.0.0.1:{one}, 127.0.0.1:{other}")
        async with asyncio.timeout(PATIENCE), open_channel(settings) as channel:
            client = PyzeebeEngineClient(channel)
            while not (first.calls["Topology"] and second.calls["Topology"]):
                await client.topology()
            await up.aclose()
            before = len(second.calls["Topology"])
            for _ in range(4):
                await client.topology()
    assert len(second.calls["Topology"]) == before + 4


async def test_calls_go_round_all_gateways_behind_one_name_over_tls(
    tls: grpc.ServerCredentials, own: Certificate
) -> None:
    first, second = KeepingGateway(), KeepingGateway()
    async with served(first, tls=tls) as port, AsyncExitStack() as up:
        try:
            there = await up.enter_async_context(served(second, port, host="[::1]", tls=tls))
        except RuntimeError:
            pytest.skip("this machine has no IPv6 on its loopback, so localhost is one address")
        assert there == port
        settings = Settings.load(zeebe_address=f"dns:///localhost:{port}", zeebe_ca_file=own.authority)
        async with asyncio.timeout(PATIENCE), open_channel(settings) as channel:
            client = PyzeebeEngineClient(channel)
            while not (first.calls["Topology"] and second.calls["Topology"]):
                await client.topology()


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"zeebe_address": "zeebe-0:26500,zeebe-1:26500"}, "works for IP addresses of one kind"),
        ({"zeebe_address": "10.0.0.1:26500,[::1]:26500"}, "works for IP addresses of one kind"),
        ({"zeebe_address": "10.0.0.1:26500,"}, "works for IP addresses of one kind"),
        ({"zeebe_address": "https://10.0.0.1:26500,10.0.0.2:26500"}, "a list has no name for TLS to check"),
    ],
)
async def test_a_list_that_cannot_be_used_says_what_to_set(overrides: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=f"{words}.*dns:///zeebe-gateways:26500"):
        open_channel(Settings.load(**overrides))
