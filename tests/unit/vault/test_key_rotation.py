"""New keys take the place of old ones, and what was sealed and signed before is opened and checked as before."""

import hashlib
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.runtime.clock import FixedClock
from services.runtime.errors import Fatal
from services.vault.age import Encryptor, NotARecipient, Reader, generate_identity
from services.vault.envelopes import open_envelope, statement
from services.vault.keys import signing_key
from services.vault.keys.key_files import KeyUnusable
from services.vault.keys.log_key import KEY_FILE as LOG_KEY_FILE
from services.vault.keys.log_key import ensure_log_key, public_keys, rotate_log
from services.vault.keys.signer import Signer, trusted_signers
from services.vault.keys.signing_key import (
    CHAIN_FILE,
    KEY_FILE,
    NEXT_FILE,
    ROOT_FILE,
    FileSigningKey,
    ensure_signing_key,
    rotate_signing_key,
)
from services.vault.keys.vault_keys import VAULT_FILE, VAULT_RECIPIENT_FILE, Unwrapper, ensure_keys, rotate_vault
from services.verifier.notes import Checkpoint, open_checkpoint

NOW = datetime.now(UTC)
TOLD = statement({"a.pdf": "0" * 64}, "urn:footage-desk:document:v1", {})


def sealed(*recipients: str) -> bytes:
    encryptor = Encryptor(recipients)
    return encryptor.header + encryptor.update(b"footage") + encryptor.finish()


def opened(data: bytes, unwrapper: Unwrapper) -> bytes:
    return Reader(lambda at, length: data[at : at + length], len(data), unwrapper).read()


@pytest.fixture
def seal_folder(tmp_path: Path) -> Path:
    ensure_signing_key(tmp_path / "seal", "某某局", NOW)
    return tmp_path / "seal"


@pytest.mark.requirement("R54", refuses=True)
@pytest.mark.requirement("R6")
def test_masters_sealed_to_the_vault_key_of_before_still_open(tmp_path: Path) -> None:
    keys = ensure_keys(tmp_path)
    before = sealed(*keys.recipients)

    old, new = rotate_vault(tmp_path)
    again = ensure_keys(tmp_path)

    assert (old, new) == (keys.vault_recipient, again.vault_recipient)
    assert old != new
    for data in (before, sealed(*again.recipients)):
        assert opened(data, again.unwrapper()) == b"footage"
    assert again.escrow_recipient == keys.escrow_recipient
    with pytest.raises(NotARecipient, match="not encrypted to any key"):
        opened(sealed(generate_identity()[1]), again.unwrapper())
    assert stat.S_IMODE((tmp_path / VAULT_FILE).stat().st_mode) == 0o600


def test_a_rotation_of_the_vault_key_that_died_between_leaves_both_usable(tmp_path: Path) -> None:
    before = ensure_keys(tmp_path)
    recipient = (tmp_path / VAULT_RECIPIENT_FILE).read_text()
    rotate_vault(tmp_path)
    (tmp_path / VAULT_RECIPIENT_FILE).write_text(recipient)  # as it was before

    keys = ensure_keys(tmp_path)

    assert keys.vault_recipient == before.vault_recipient
    assert opened(sealed(keys.vault_recipient), keys.unwrapper()) == b"footage"


@pytest.mark.requirement("R37")
def test_labels_sealed_by_the_key_of_before_lead_to_the_same_root(seal_folder: Path) -> None:
    signer = FileSigningKey(seal_folder)
    old = Signer(signer).sign(TOLD)
    key = (seal_folder / KEY_FILE).read_bytes()

    before, after = rotate_signing_key(seal_folder, seal_folder / ROOT_FILE, NOW + timedelta(days=400))
    new = Signer(signer).sign(TOLD)  # who had the signer before signs with the new key

    assert before.seal_fingerprint != after.seal_fingerprint
    assert before.root_fingerprint == after.root_fingerprint
    assert open_envelope(old).chain == before
    assert open_envelope(new).chain == after
    assert all(trusted_signers(seal_folder).include(open_envelope(one).chain) for one in (old, new))
    assert (seal_folder / KEY_FILE).read_bytes() != key
    assert not (seal_folder / NEXT_FILE).exists()
    assert after.organisation == "某某局"


def test_the_root_comes_from_the_safe_and_has_to_be_the_right_one(seal_folder: Path, tmp_path: Path) -> None:
    safe = tmp_path / "root.pem"
    (seal_folder / ROOT_FILE).rename(safe)
    ensure_signing_key(tmp_path / "other", "某某局", NOW)

    with pytest.raises(Fatal, match="is not the key of the root"):
        rotate_signing_key(seal_folder, tmp_path / "other" / ROOT_FILE, NOW)
    with pytest.raises(Fatal, match="cannot be read"):
        rotate_signing_key(seal_folder, seal_folder / ROOT_FILE, NOW)
    before, after = rotate_signing_key(seal_folder, safe, NOW)

    assert before.seal_fingerprint != after.seal_fingerprint
    assert not (seal_folder / ROOT_FILE).exists()


@pytest.mark.parametrize("died", ["write_chain", "replace_key_file", "shred"])
def test_a_rotation_of_the_seal_that_died_signs_on_and_is_finished(
    seal_folder: Path, monkeypatch: pytest.MonkeyPatch, died: str
) -> None:
    class Died(Exception):
        pass

    def die(*_: object, **__: object) -> None:
        raise Died

    with monkeypatch.context() as patched:
        patched.setattr(signing_key, died, die)
        with pytest.raises(Died):
            rotate_signing_key(seal_folder, seal_folder / ROOT_FILE, NOW)
        assert open_envelope(Signer(FileSigningKey(seal_folder)).sign(TOLD))

    ensure_signing_key(seal_folder, "某某局", NOW)
    assert open_envelope(Signer(FileSigningKey(seal_folder)).sign(TOLD))
    rotate_signing_key(seal_folder, seal_folder / ROOT_FILE, NOW)
    assert not (seal_folder / NEXT_FILE).exists()
    assert open_envelope(Signer(FileSigningKey(seal_folder)).sign(TOLD))


@pytest.mark.requirement("R37", refuses=True)
def test_nothing_is_sealed_once_the_certificate_is_over_until_the_key_is_replaced(seal_folder: Path) -> None:
    clock = FixedClock(FileSigningKey(seal_folder).chain.leaf.not_valid_after_utc)
    seal = Signer(FileSigningKey(seal_folder), real=clock)
    seal.sign(TOLD)

    clock.turn(timedelta(seconds=1))
    with pytest.raises(KeyUnusable, match="footage-desk keys rotate seal"):
        seal.sign(TOLD)
    rotate_signing_key(seal_folder, seal_folder / ROOT_FILE, clock.now())

    assert open_envelope(seal.sign(TOLD))


def test_a_seal_under_another_root_is_ours_where_its_chain_was_kept(seal_folder: Path, tmp_path: Path) -> None:
    old = open_envelope(Signer(FileSigningKey(seal_folder)).sign(TOLD)).chain
    rotate_signing_key(seal_folder, seal_folder / ROOT_FILE, NOW)
    other = ensure_signing_key(tmp_path / "other", "某某局", NOW)
    (seal_folder / CHAIN_FILE).write_bytes((tmp_path / "other" / CHAIN_FILE).read_bytes())

    assert trusted_signers(seal_folder).roots == {old.root_fingerprint, other.chain.root_fingerprint}


@pytest.mark.requirement("R52")
@pytest.mark.parametrize("origin", [None, "footage.example/audit"])
def test_heads_that_the_log_key_of_before_has_signed_are_checked_as_before(tmp_path: Path, origin: str | None) -> None:
    first = ensure_log_key(tmp_path / "log", origin)
    note = first.sign(Checkpoint(first.origin, 3, hashlib.sha256(b"root").digest()))
    secret = (tmp_path / "log" / LOG_KEY_FILE).read_bytes()

    before, after = rotate_log(tmp_path / "log", origin)
    second = ensure_log_key(tmp_path / "log", origin)

    assert (before, after) == (first.public, second.public)
    assert before.fingerprint != after.fingerprint
    assert second.origin == first.origin, "the log keeps its name"
    assert public_keys(tmp_path / "log") == [after, before]
    assert open_checkpoint(note, public_keys(tmp_path / "log"))[1] == before
    assert (tmp_path / "log" / LOG_KEY_FILE).read_bytes() != secret
