"""Calls to the provider over TLS: by the authority of the settings, and by no other."""

from pathlib import Path

import pytest
from notice_servers import certificate
from token_server import token_desk

from services.domain.accounts.single_sign_on.errors import ProviderRefused
from services.domain.accounts.single_sign_on.http_client import ProviderHttpClient, ProviderResponse
from services.runtime.settings import Settings

LOOPBACK = "127.0.0.0/8,::1/128"


async def test_a_provider_with_an_authority_of_its_own_is_believed_where_it_is_set(tmp_path: Path) -> None:
    made = certificate(tmp_path)
    async with token_desk(made) as desk:
        trusting = ProviderHttpClient(Settings.load(oidc={"ca_file": made.authority}, allowed_networks=LOOPBACK))
        told = await trusting.post(desk.url, {}, "grant_type=authorization_code")
        assert told == ProviderResponse(200, {"access_token": "token-1", "token_type": "Bearer", "expires_in": 3600})

        with pytest.raises(ProviderRefused) as refused:
            await ProviderHttpClient(Settings.load(allowed_networks=LOOPBACK)).post(
                desk.url, {}, "grant_type=authorization_code"
            )
        assert (refused.value.code, refused.value.status) == ("provider-unreachable", 503)
        assert "set its authority in FOOTAGE_DESK_OIDC__CA_FILE" in refused.value.detail
    assert len(desk.asked) == 1


async def test_nobody_at_the_address_is_told_as_that() -> None:
    with pytest.raises(ProviderRefused) as refused:
        await ProviderHttpClient(Settings.load(allowed_networks=LOOPBACK)).get("http://127.0.0.1:1/keys?x=1")
    assert refused.value.code == "provider-unreachable"
