"""The log key: made once, kept for its owner alone, and its public halves in a list that only gets longer."""

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from services.vault.keys.key_files import KeyUnusable
from services.vault.keys.log_key import KEY_FILE, PUBLIC_FILE, ensure_log_key, public_keys
from services.verifier import merkle, notes
from services.verifier.notes import Checkpoint


def test_the_key_is_made_once_and_what_it_signs_is_known_by_the_list(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    key = ensure_log_key(folder)
    assert ensure_log_key(folder).public == key.public
    assert key.origin == f"footage-desk.local/{key.public.fingerprint.removeprefix('sha256:')[:16]}"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / KEY_FILE).stat().st_mode) == 0o600

    head = Checkpoint(key.origin, 3, merkle.EMPTY)
    assert notes.open_checkpoint(key.sign(head), public_keys(folder)) == (head, key.public)


def test_a_new_key_and_a_new_name_come_first_in_the_list_and_the_old_ones_stay(tmp_path: Path) -> None:
    first = ensure_log_key(tmp_path / "log")
    named = ensure_log_key(tmp_path / "log", "desk.example/audit")
    (tmp_path / "log" / KEY_FILE).unlink()
    second = ensure_log_key(tmp_path / "log", "desk.example/audit")

    assert public_keys(tmp_path / "log") == [second.public, named.public, first.public]
    assert not list((tmp_path / "log").glob(".*"))


def test_where_no_key_was_there_is_no_list(tmp_path: Path) -> None:
    assert public_keys(tmp_path) == []


@pytest.mark.parametrize("text", ["nonsense", "another kind"])
def test_what_is_no_log_key_is_refused(tmp_path: Path, text: str) -> None:
    folder = tmp_path / "log"
    ensure_log_key(folder)
    if text == "another kind":
        kind = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        text = ec.generate_private_key(ec.SECP256R1()).private_bytes(serialization.Encoding.PEM, *kind).decode()
    (folder / KEY_FILE).write_text(text)
    with pytest.raises(KeyUnusable, match=KEY_FILE):
        ensure_log_key(folder)


def test_a_key_that_others_may_read_and_a_list_that_is_broken_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    ensure_log_key(folder)
    (folder / KEY_FILE).chmod(0o640)
    with pytest.raises(KeyUnusable, match="0640"):
        ensure_log_key(folder)
    (folder / PUBLIC_FILE).write_text("nonsense\n")
    with pytest.raises(KeyUnusable, match=PUBLIC_FILE):
        public_keys(folder)
