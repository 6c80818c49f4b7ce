"""Keys lie in files for one account alone, and a destroyed loan key opens nothing any more."""

import os
import stat
from pathlib import Path

import pytest

from services.runtime.errors import Fatal
from services.vault.age import Encryptor, NotARecipient, Reader, generate_identity
from services.vault.keys.vault_keys import (
    ESCROW_FILE,
    VAULT_FILE,
    FileIdentity,
    KeyGone,
    LoanKeys,
    Unwrapper,
    ensure_keys,
)


def seal(*recipients: str) -> bytes:
    encryptor = Encryptor(recipients)
    return encryptor.header + encryptor.update(b"footage") + encryptor.finish()


def opened(sealed: bytes, unwrapper: Unwrapper) -> bytes:
    return Reader(lambda at, length: sealed[at : at + length], len(sealed), unwrapper).read()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def identity_file(tmp_path: Path) -> Path:
    path = tmp_path / "identity.txt"
    path.write_text(f"# a note\n\n{generate_identity()[0]}\n")
    path.chmod(0o600)
    return path


def test_a_key_file_opens_what_was_sealed_to_it(identity_file: Path) -> None:
    identity = FileIdentity(identity_file)
    assert opened(seal(identity.recipient), identity) == b"footage"


@pytest.mark.requirement("R54", refuses=True)
@pytest.mark.parametrize("wider", [0o640, 0o604, 0o660, 0o601, 0o700])
def test_a_key_file_that_others_may_touch_is_refused(identity_file: Path, wider: int) -> None:
    identity_file.chmod(wider)
    with pytest.raises(Fatal, match=f"mode {wider:04o}.*chmod 600"):
        FileIdentity(identity_file)


def test_a_key_file_opened_to_others_later_is_refused_at_its_use(identity_file: Path) -> None:
    identity = FileIdentity(identity_file)
    sealed = seal(identity.recipient)
    identity_file.chmod(0o644)
    with pytest.raises(Fatal, match="chmod 600"):
        opened(sealed, identity)


def test_a_read_only_key_file_is_good(identity_file: Path) -> None:
    identity_file.chmod(0o400)
    assert FileIdentity(identity_file).recipient.startswith("age1")


@pytest.mark.parametrize("content", ["", "# only a note\n", "AGE-SECRET-KEY-1WRONG\n", "one\ntwo\n"])
def test_a_file_without_one_key_is_refused_and_its_content_not_shown(identity_file: Path, content: str) -> None:
    identity_file.write_text(content)
    with pytest.raises(Fatal) as refused:
        FileIdentity(identity_file)
    assert "WRONG" not in str(refused.value)


def test_a_missing_or_linked_key_file_is_refused(identity_file: Path, tmp_path: Path) -> None:
    with pytest.raises(Fatal, match="cannot be read"):
        FileIdentity(tmp_path / "none.txt")
    (tmp_path / "link.txt").symlink_to(identity_file)
    with pytest.raises(Fatal, match="cannot be read"):
        FileIdentity(tmp_path / "link.txt")


def test_a_loan_key_opens_its_copy_alone(tmp_path: Path) -> None:
    keys = LoanKeys(tmp_path / "loans")
    sealed = seal(keys.create("copy-1"))
    keys.create("copy-2")
    assert opened(sealed, keys.unwrapper("copy-1")) == b"footage"
    with pytest.raises(NotARecipient):
        opened(sealed, keys.unwrapper("copy-2"))
    assert mode(tmp_path / "loans") == 0o700
    assert {mode(path) for path in (tmp_path / "loans").iterdir()} == {0o600}


def test_a_loan_key_is_made_once(tmp_path: Path) -> None:
    assert LoanKeys(tmp_path / "loans").create("copy-1") == LoanKeys(tmp_path / "loans").create("copy-1")


def test_a_destroyed_loan_key_is_overwritten_and_gone_for_good(tmp_path: Path) -> None:
    keys = LoanKeys(tmp_path / "loans")
    sealed = seal(keys.create("copy-1"))
    before = keys.unwrapper("copy-1")
    witness = tmp_path / "witness"
    os.link(tmp_path / "loans" / "copy-1.key", witness)
    assert keys.destroy("copy-1")
    assert b"AGE-SECRET-KEY" not in witness.read_bytes()
    assert not (tmp_path / "loans" / "copy-1.key").exists()
    with pytest.raises(Fatal):
        opened(sealed, before)
    with pytest.raises(KeyGone, match="copy-1"):
        keys.unwrapper("copy-1")
    with pytest.raises(KeyGone, match="not made again"):
        keys.create("copy-1")
    assert not keys.destroy("copy-1")


def test_a_loan_key_whose_destruction_broke_off_is_gone_all_the_same(tmp_path: Path) -> None:
    keys = LoanKeys(tmp_path / "loans")
    keys.create("copy-1")
    (tmp_path / "loans" / "copy-1.destroyed").touch()
    with pytest.raises(KeyGone):
        keys.unwrapper("copy-1")
    assert keys.destroy("copy-1")


@pytest.mark.parametrize("wrong", ["", "../a", "a/b", "a.b", "-a", "a\n"])
def test_an_id_that_could_leave_the_folder_is_refused(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(Fatal, match="cannot name a loan key"):
        LoanKeys(tmp_path / "loans").create(wrong)


def test_a_key_folder_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    (tmp_path / "loans").mkdir()
    (tmp_path / "loans").chmod(0o755)
    with pytest.raises(Fatal, match="chmod 700"):
        LoanKeys(tmp_path / "loans").create("copy-1")


@pytest.mark.requirement("R54")
def test_the_vaults_keys_are_made_on_the_first_start_and_kept(tmp_path: Path) -> None:
    keys = ensure_keys(tmp_path / "keys")
    sealed = seal(*keys.recipients)
    again = ensure_keys(tmp_path / "keys")
    assert again == keys
    assert opened(sealed, again.unwrapper()) == b"footage"
    assert opened(sealed, FileIdentity(tmp_path / "keys" / ESCROW_FILE)) == b"footage"
    assert "belongs offline" in (tmp_path / "keys" / ESCROW_FILE).read_text()
    assert mode(tmp_path / "keys") == 0o700
    assert mode(tmp_path / "keys" / ESCROW_FILE) == mode(tmp_path / "keys" / VAULT_FILE) == 0o600


def test_the_escrow_key_is_not_made_again_when_it_was_taken_offline(tmp_path: Path) -> None:
    keys = ensure_keys(tmp_path / "keys")
    (tmp_path / "keys" / ESCROW_FILE).unlink()
    assert ensure_keys(tmp_path / "keys") == keys
    assert not (tmp_path / "keys" / ESCROW_FILE).exists()


def test_a_service_that_only_encrypts_needs_no_identity(tmp_path: Path) -> None:
    keys = ensure_keys(tmp_path / "keys")
    (tmp_path / "keys" / VAULT_FILE).unlink()
    assert ensure_keys(tmp_path / "keys").recipients == keys.recipients
    with pytest.raises(Fatal, match="cannot be read"):
        keys.unwrapper()


def test_a_recipient_of_another_key_is_refused(tmp_path: Path) -> None:
    ensure_keys(tmp_path / "keys")
    (tmp_path / "keys" / "vault-recipient.txt").write_text(generate_identity()[1])
    with pytest.raises(Fatal, match="does not belong"):
        ensure_keys(tmp_path / "keys")
