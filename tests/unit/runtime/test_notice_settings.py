"""The settings of mail and webhook: each half that is missing, and each that is unsafe, is named in a sentence."""

import base64
from typing import Any

import pytest

from services.runtime.settings import Settings, SettingsError

SECRET = base64.b64encode(b"s" * 32).decode()


def test_nothing_leaves_the_portal_unless_it_is_set() -> None:
    assert Settings.load().notice_channels == ()
    mail = Settings.load(smtp_host="mail.example", smtp_sender="desk@footage.example")
    assert mail.notice_channels == ("mail",)
    both = Settings.load(
        smtp_host="mail.example",
        smtp_sender="desk@footage.example",
        webhook_url="https://chat.example/notices",
        webhook_secret=SECRET,
    )
    assert both.notice_channels == ("mail", "webhook")


def test_the_secret_may_have_the_published_prefix() -> None:
    given = {"webhook_url": "https://chat.example/", "webhook_secret": f"whsec_{SECRET}"}
    assert Settings.load(**given).webhook_key == b"s" * 32
    assert Settings.load().webhook_key == b""


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"smtp_host": "mail.example"}, "set FOOTAGE_DESK_SMTP_SENDER"),
        ({"smtp_sender": "Desk <desk@footage.example>"}, "FOOTAGE_DESK_SMTP_SENDER"),
        ({"smtp_sender": "desk@footage.example\r\nBcc: x@y.example"}, "FOOTAGE_DESK_SMTP_SENDER"),
        ({"smtp_user": "desk"}, "set both FOOTAGE_DESK_SMTP_USER and FOOTAGE_DESK_SMTP_PASSWORD"),
        ({"smtp_user": "desk", "smtp_password": "x", "smtp_security": "none"}, "would travel in the clear"),
        ({"smtp_ca_file": "/nowhere.pem"}, "FOOTAGE_DESK_SMTP_CA_FILE"),
        ({"webhook_url": "https://chat.example/"}, "set FOOTAGE_DESK_WEBHOOK_SECRET"),
        ({"webhook_url": "chat.example", "webhook_secret": SECRET}, "FOOTAGE_DESK_WEBHOOK_URL"),
        ({"webhook_secret": "short"}, "FOOTAGE_DESK_WEBHOOK_SECRET"),
        ({"webhook_secret": base64.b64encode(b"short").decode()}, "FOOTAGE_DESK_WEBHOOK_SECRET"),
        ({"notice_seconds": 0}, "FOOTAGE_DESK_NOTICE_SECONDS"),
        ({"smtp_security": "maybe"}, "FOOTAGE_DESK_SMTP_SECURITY"),
    ],
)
def test_what_is_missing_or_unsafe_is_refused_by_name(given: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError, match=told) as refused:
        Settings.load(**given)
    assert SECRET not in str(refused.value)
