"""The seal key lies in files for one account alone, under a root that is taken offline."""

import hashlib
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from seals import new_key, signer

from services.runtime.errors import Fatal, Retryable
from services.vault.keys.signer import trusted_signers
from services.vault.keys.signing_key import (
    CHAIN_FILE,
    KEY_FILE,
    ROOT_FILE,
    FileSigningKey,
    ensure_signing_key,
    key_id_of,
    read_key,
)
from services.verifier.chains import seal_chain

NOW = datetime.now(UTC)
DIGEST = hashlib.sha256(b"what is signed").digest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    ensure_signing_key(tmp_path / "seal", "某某局", NOW)
    return tmp_path / "seal"


@pytest.mark.requirement("R37")
def test_the_first_start_makes_key_root_and_chain_for_this_account_alone(folder: Path) -> None:
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}

    assert modes == {KEY_FILE: 0o600, ROOT_FILE: 0o600, CHAIN_FILE: 0o644}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    chain = FileSigningKey(folder).chain
    assert chain.organisation == "某某局"
    assert chain.key_id == key_id_of(read_key(folder / KEY_FILE))


def test_a_second_start_signs_with_the_same_key(folder: Path) -> None:
    before = FileSigningKey(folder).certificate_chain

    again = ensure_signing_key(folder, "another name", NOW + timedelta(days=400))

    assert again.certificate_chain == before
    assert len(again.sign(DIGEST)) == 64


def test_the_root_is_taken_away_and_nothing_needs_it(folder: Path) -> None:
    (folder / ROOT_FILE).unlink()

    ensure_signing_key(folder, "某某局", NOW).sign(DIGEST)


def test_who_only_checks_has_the_chain_and_no_key(folder: Path) -> None:
    (folder / ROOT_FILE).unlink()
    (folder / KEY_FILE).unlink()

    signing = ensure_signing_key(folder, "某某局", NOW)

    assert trusted_signers(folder).include(seal_chain(signing.certificate_chain))
    assert not trusted_signers(folder).include(seal_chain(signer().certificate_chain))
    with pytest.raises(Fatal, match="cannot be read"):
        signing.sign(DIGEST)


def test_before_the_first_start_nobody_knows_whose_seals_are_ours(tmp_path: Path) -> None:
    with pytest.raises(Retryable, match="no worker has made them yet"):
        trusted_signers(tmp_path)


def test_a_start_that_died_between_is_finished_with_the_keys_that_are_there(folder: Path) -> None:
    key, root = ((folder / name).read_text() for name in (KEY_FILE, ROOT_FILE))
    (folder / CHAIN_FILE).unlink()

    ensure_signing_key(folder, "某某局", NOW).sign(DIGEST)

    assert ((folder / KEY_FILE).read_text(), (folder / ROOT_FILE).read_text()) == (key, root)


def test_two_names_of_the_root_are_not_left_behind(folder: Path) -> None:
    (folder / f".{ROOT_FILE}.0123").hardlink_to(folder / ROOT_FILE)

    ensure_signing_key(folder, "某某局", NOW)

    assert [path for path in folder.iterdir() if path.name.startswith(".")] == []


@pytest.mark.requirement("R54", refuses=True)
def test_a_key_that_others_may_read_signs_nothing(folder: Path) -> None:
    (folder / KEY_FILE).chmod(0o640)

    with pytest.raises(Fatal, match="run `chmod 600"):
        FileSigningKey(folder).sign(DIGEST)


def test_a_chain_that_is_lost_is_not_made_anew_behind_a_key_that_has_signed(folder: Path) -> None:
    (folder / ROOT_FILE).unlink()
    (folder / CHAIN_FILE).unlink()

    with pytest.raises(Fatal, match="restore it from its backup"):
        ensure_signing_key(folder, "某某局", NOW)


def test_a_chain_of_another_key_is_named(folder: Path, tmp_path: Path) -> None:
    ensure_signing_key(tmp_path / "other", "某某局", NOW)
    (folder / CHAIN_FILE).write_bytes((tmp_path / "other" / CHAIN_FILE).read_bytes())

    with pytest.raises(Fatal, match="restore both files from the same backup"):
        ensure_signing_key(folder, "某某局", NOW)


@pytest.mark.parametrize("text", ["", "not a key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_file_without_a_key_is_named(folder: Path, text: str) -> None:
    (folder / KEY_FILE).write_text(text)

    with pytest.raises(Fatal, match="holds no private key"):
        FileSigningKey(folder).sign(DIGEST)


def test_a_name_that_is_too_long_for_a_certificate_is_shortened(tmp_path: Path) -> None:
    made = ensure_signing_key(tmp_path / "seal", "局" * 100, NOW)

    assert made.chain.organisation == "局" * 64
    assert key_id_of(new_key()) != made.chain.key_id
