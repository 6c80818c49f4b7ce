"""The settings of the provider: each half that is missing, and each that is unsafe, is named in a sentence."""

from typing import Any

import pytest

from services.runtime.settings import Settings, SettingsError

WHOLE = {
    "portal.public_url": "https://footage.example",
    "oidc.issuer": "https://login.example/realms/staff",
    "oidc.client_id": "footage-desk",
    "oidc.client_secret": "a secret",
}


def test_people_are_led_nowhere_unless_it_is_set() -> None:
    assert Settings.load().oidc.issuer is None
    settings = Settings.load(**WHOLE)
    assert (settings.oidc.scopes, settings.oidc.claim) == ("openid profile", "preferred_username")
    assert "a secret" not in repr(settings)


@pytest.mark.parametrize("issuer", ["http://localhost:8080/realms/staff", "http://127.0.0.1:9", "http://[::1]:9"])
def test_a_trial_on_one_machine_needs_no_certificate(issuer: str) -> None:
    assert Settings.load(**{**WHOLE, "oidc.issuer": issuer}).oidc.issuer == issuer


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"oidc.client_id": None}, "set FOOTAGE_DESK_OIDC__CLIENT_ID too"),
        (
            {"oidc.client_secret": None, "portal.public_url": None},
            "FOOTAGE_DESK_OIDC__CLIENT_SECRET and FOOTAGE_DESK_PORTAL__PUBLIC_URL",
        ),
        ({"oidc.issuer": "http://login.example"}, "does not begin with https://"),
        ({"oidc.issuer": "http://localhost.example"}, "does not begin with https://"),
        ({"oidc.issuer": "https://user:x@login.example"}, "it is no address of an issuer"),
        ({"oidc.issuer": "https://login.example?x"}, "it is no address of an issuer"),
        ({"oidc.issuer": "login.example"}, "it is no address of an issuer"),
        ({"oidc.scopes": "profile"}, "openid is missing"),
        ({"oidc.claim": "a b"}, "FOOTAGE_DESK_OIDC__CLAIM"),
        ({"oidc.ca_file": "/nowhere.pem"}, "FOOTAGE_DESK_OIDC__CA_FILE"),
        ({"oidc.name": "x" * 41}, "FOOTAGE_DESK_OIDC__NAME"),
    ],
    ids=str,
)
def test_what_is_half_or_unsafe_is_told(given: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.load(**{**WHOLE, **given})

    assert told in str(refused.value)
    assert "a secret" not in str(refused.value)
