"""Files of certificates to trust: each is read where it is set, and nothing is where it is not."""

from pathlib import Path
from typing import Any

import pytest
from notice_servers import certificate

from services.runtime import ca_file
from services.runtime.settings import Settings, SettingsError, variable

FILES = (
    "store.ca_file",
    "replica.ca_file",
    "notices.mail.ca_file",
    "notices.webhook.ca_file",
    "oidc.ca_file",
    "time_stamp.trusted_file",
)


def test_without_a_file_no_certificates_are_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[Any] = []
    monkeypatch.setattr(ca_file.ssl, "create_default_context", lambda **given: loaded.append(given))

    Settings.load()

    assert loaded == []


@pytest.mark.parametrize("name", FILES)
def test_a_file_with_certificates_is_taken(name: str, tmp_path: Path) -> None:
    file = certificate(tmp_path).authority
    assert Settings.load(**{name: file}).needed(name) == file


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("content", [None, b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n"], ids=repr)
def test_a_file_without_certificates_is_refused_by_its_variable(
    name: str, content: bytes | None, tmp_path: Path
) -> None:
    file = tmp_path / "trusted.pem"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(SettingsError, match=rf"^{variable(name)} cannot be used \(it cannot be read: .*: set it to "):
        Settings.load(**{name: file})


def test_a_folder_is_no_file_of_certificates(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="FOOTAGE_DESK_NOTICES__MAIL__CA_FILE cannot be used"):
        Settings.load(notices={"mail": {"ca_file": tmp_path}})
