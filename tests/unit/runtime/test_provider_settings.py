"""The settings of the provider: each half that is missing, and each that is unsafe, is named in a sentence."""

from typing import Any

import pytest

from services.runtime.settings import Settings, SettingsError

WHOLE = {
    "public_url": "https://footage.example",
    "oidc_issuer": "https://login.example/realms/staff",
    "oidc_client_id": "footage-desk",
    "oidc_client_secret": "a secret",
}


def test_people_are_led_nowhere_unless_it_is_set() -> None:
    assert Settings.load().oidc_issuer is None
    settings = Settings.load(**WHOLE)
    assert (settings.oidc_scopes, settings.oidc_claim) == ("openid profile", "preferred_username")
    assert "a secret" not in repr(settings)


@pytest.mark.parametrize("issuer", ["http://localhost:8080/realms/staff", "http://127.0.0.1:9", "http://[::1]:9"])
def test_a_trial_on_one_machine_needs_no_certificate(issuer: str) -> None:
    assert Settings.load(**{**WHOLE, "oidc_issuer": issuer}).oidc_issuer == issuer


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"oidc_client_id": None}, "set FOOTAGE_DESK_OIDC_CLIENT_ID too"),
        (
            {"oidc_client_secret": None, "public_url": None},
            "FOOTAGE_DESK_OIDC_CLIENT_SECRET and FOOTAGE_DESK_PUBLIC_URL",
        ),
        ({"oidc_issuer": "http://login.example"}, "does not begin with https://"),
        ({"oidc_issuer": "http://localhost.example"}, "does not begin with https://"),
        ({"oidc_issuer": "https://user:x@login.example"}, "it is no address of an issuer"),
        ({"oidc_issuer": "https://login.example?x"}, "it is no address of an issuer"),
        ({"oidc_issuer": "login.example"}, "it is no address of an issuer"),
        ({"oidc_scopes": "profile"}, "openid is missing"),
        ({"oidc_claim": "a b"}, "FOOTAGE_DESK_OIDC_CLAIM"),
        ({"oidc_ca_file": "/nowhere.pem"}, "FOOTAGE_DESK_OIDC_CA_FILE"),
        ({"oidc_name": "x" * 41}, "FOOTAGE_DESK_OIDC_NAME"),
    ],
    ids=str,
)
def test_what_is_half_or_unsafe_is_told(given: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.load(**{**WHOLE, **given})

    assert told in str(refused.value)
    assert "a secret" not in str(refused.value)
