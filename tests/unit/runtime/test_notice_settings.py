"""The settings of mail and webhook: each half that is missing, and each that is unsafe, is named in a sentence."""

import base64
from typing import Any

import pytest

from services.runtime.settings import Settings, SettingsError

SECRET = base64.b64encode(b"s" * 32).decode()


def test_nothing_leaves_the_portal_unless_it_is_set() -> None:
    assert Settings.load().notices.channels == ()
    mail = Settings.load(notices={"mail": {"host": "mail.example", "sender": "desk@footage.example"}})
    assert mail.notices.channels == ("mail",)
    both = Settings.load(
        notices={
            "mail": {"host": "mail.example", "sender": "desk@footage.example"},
            "webhook": {"url": "https://chat.example/notices", "secret": SECRET},
        }
    )
    assert both.notices.channels == ("mail", "webhook")


def test_the_secret_may_have_the_published_prefix() -> None:
    given = {"notices.webhook.url": "https://chat.example/", "notices.webhook.secret": f"whsec_{SECRET}"}
    assert Settings.load(**given).notices.webhook.key == b"s" * 32
    assert Settings.load().notices.webhook.key == b""


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"notices.mail.host": "mail.example"}, "set FOOTAGE_DESK_NOTICES__MAIL__SENDER"),
        ({"notices.mail.sender": "Desk <desk@footage.example>"}, "FOOTAGE_DESK_NOTICES__MAIL__SENDER"),
        ({"notices.mail.sender": "desk@footage.example\r\nBcc: x@y.example"}, "FOOTAGE_DESK_NOTICES__MAIL__SENDER"),
        (
            {"notices.mail.user": "desk"},
            "set both FOOTAGE_DESK_NOTICES__MAIL__USER and FOOTAGE_DESK_NOTICES__MAIL__PASSWORD",
        ),
        (
            {"notices.mail.user": "desk", "notices.mail.password": "x", "notices.mail.security": "none"},
            "would travel in the clear",
        ),
        ({"notices.mail.ca_file": "/nowhere.pem"}, "FOOTAGE_DESK_NOTICES__MAIL__CA_FILE"),
        ({"notices.webhook.url": "https://chat.example/"}, "set FOOTAGE_DESK_NOTICES__WEBHOOK__SECRET"),
        (
            {"notices.webhook.url": "chat.example", "notices.webhook.secret": SECRET},
            "FOOTAGE_DESK_NOTICES__WEBHOOK__URL",
        ),
        ({"notices.webhook.secret": "short"}, "FOOTAGE_DESK_NOTICES__WEBHOOK__SECRET"),
        ({"notices.webhook.secret": base64.b64encode(b"short").decode()}, "FOOTAGE_DESK_NOTICES__WEBHOOK__SECRET"),
        ({"notices.timeout_seconds": 0}, "FOOTAGE_DESK_NOTICES__TIMEOUT_SECONDS"),
        ({"notices.mail.security": "maybe"}, "FOOTAGE_DESK_NOTICES__MAIL__SECURITY"),
    ],
)
def test_what_is_missing_or_unsafe_is_refused_by_name(given: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError, match=told) as refused:
        Settings.load(**given)
    assert SECRET not in str(refused.value)
