"""The portal's own key: made when it is needed, for this account alone; what it sealed opens for its purpose only."""

import stat
from pathlib import Path

import pytest

from services.runtime.errors import Fatal
from services.runtime.secret_box import NoSecretBox
from services.vault.keys.secret_box import KeyFileBox


@pytest.mark.requirement("R54")
def test_the_key_is_made_when_it_is_first_needed_and_is_nobody_elses(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "secrets.key"
    box = KeyFileBox(path)
    assert not path.exists()

    sealed = box.encrypt("JBSWY3DP", "second-factor 1")

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert "JBSWY3DP" not in sealed
    assert KeyFileBox(path).decrypt(sealed, "second-factor 1") == "JBSWY3DP"


def test_the_same_text_is_sealed_differently_each_time(tmp_path: Path) -> None:
    box = KeyFileBox(tmp_path / "keys" / "secrets.key")

    assert box.encrypt("a", "p") != box.encrypt("a", "p")


def test_what_was_sealed_for_another_purpose_or_was_changed_does_not_open(tmp_path: Path) -> None:
    box = KeyFileBox(tmp_path / "keys" / "secrets.key")
    sealed = box.encrypt("a secret", "second-factor 1")
    changed = ("B" if sealed[0] == "A" else "A") + sealed[1:]

    for text, purpose in ((sealed, "second-factor 2"), (changed, "second-factor 1"), ("no base64!", "second-factor 1")):
        with pytest.raises(Fatal, match="restore that key file"):
            box.decrypt(text, purpose)


def test_another_key_opens_nothing(tmp_path: Path) -> None:
    sealed = KeyFileBox(tmp_path / "one" / "secrets.key").encrypt("a secret", "p")
    KeyFileBox(tmp_path / "two" / "secrets.key").ensure()

    with pytest.raises(Fatal, match="encrypted with another key"):
        KeyFileBox(tmp_path / "two" / "secrets.key").decrypt(sealed, "p")


def test_a_digest_is_the_same_wherever_the_key_is_and_of_one_purpose(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "secrets.key"
    digest = KeyFileBox(path).digest("nobody", "unknown login")

    assert KeyFileBox(path).digest("nobody", "unknown login") == digest
    assert KeyFileBox(path).digest("nobody", "another purpose") != digest
    assert KeyFileBox(tmp_path / "other" / "secrets.key").digest("nobody", "unknown login") != digest


@pytest.mark.parametrize("content", ["", "00ff\n", "no hexadecimal"])
def test_a_key_file_without_a_key_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "secrets.key"
    path.write_text(content)
    path.chmod(0o600)
    tmp_path.chmod(0o700)

    with pytest.raises(Fatal, match="holds no key of 32 bytes: restore it"):
        KeyFileBox(path).encrypt("a", "p")


def test_an_installation_without_a_key_says_so() -> None:
    for act in (NoSecretBox().encrypt, NoSecretBox().decrypt):
        with pytest.raises(Fatal, match="has no key"):
            act("a", "second-factor 1")


def test_no_key_is_made_to_decrypt(tmp_path: Path) -> None:
    sealed = KeyFileBox(tmp_path / "one" / "secrets.key").encrypt("a secret", "p")

    with pytest.raises(Fatal, match="restore it"):
        KeyFileBox(tmp_path / "two" / "secrets.key").decrypt(sealed, "p")
    assert not (tmp_path / "two").exists()
    assert KeyFileBox(tmp_path / "two" / "secrets.key").fingerprint is None
