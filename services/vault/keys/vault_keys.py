"""The vault's keys and the loan keys (docs/sealing.md, "Encryption").

Labels and documents are signed by a `SigningKey` (`signing_key.py`), the audit trail by the log key (`log_key.py`).
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from services.runtime.errors import Fatal, Retryable
from services.runtime.translations import Message
from services.vault.age import KeyInvalid, NotARecipient, Stanza, Unwrapper, X25519Identity, generate_identity
from services.vault.keys.key_files import (
    KeyUnusable,
    leftovers,
    make_key_folder,
    read_key_file,
    remove_second_names,
    replace_key_file,
    shred,
    write_key_file,
)

__all__ = ["FileIdentity", "KeyGone", "LoanKeys", "Unwrapper", "VaultKeys", "ensure_keys", "recipients_in"]

VAULT_FILE = "vault-identity.txt"
VAULT_RECIPIENT_FILE = "vault-recipient.txt"
ESCROW_FILE = "escrow-identity-TAKE-OFFLINE.txt"
ESCROW_RECIPIENT_FILE = "escrow-recipient.txt"

_COPY_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_VAULT_NOTE = (
    "# The vault's key: it opens every master. It belongs to the services that issue copies, never to the portal.\n"
)
_ESCROW_NOTE = (
    "# The escrow key: it opens every master when the vault's key is lost. It belongs offline: print it or take it\n"
    "# away on a medium that lies in a safe, check that it can be read, and delete this file. Nothing here needs it.\n"
)


class KeyGone(Fatal):
    """The loan key does not exist (any more): nobody can open the copy."""

    runbook = "incidents-pending#keys"


class FileIdentity:
    """An age identity in a file of mode 0600, read when it is used; an `Unwrapper`."""

    def __init__(self, path: Path) -> None:
        """Raises Fatal if the file is missing, open to others, or without an identity."""
        self._path = path
        self._load()

    @property
    def recipient(self) -> str:
        return self._load().recipient

    def unwrap(self, stanzas: Sequence[Stanza]) -> bytes:
        return self._load().unwrap(stanzas)

    def _load(self) -> X25519Identity:
        keys = key_lines(self._path)
        if len(keys) != 1:
            raise KeyUnusable(
                f"the key file {self._path} holds {len(keys)} keys: it has to hold one AGE-SECRET-KEY-1… line."
            )
        return _identity(keys[0], self._path)


class FileIdentities:
    """The identities in a file of mode 0600, the newest first, read on each use; an `Unwrapper`.

    Objects that were sealed to a replaced identity open as well.
    """

    def __init__(self, path: Path) -> None:
        """Raises Fatal if the file is missing, open to others, or without an identity."""
        self._path = path
        self._load()

    @property
    def recipients(self) -> tuple[str, ...]:
        return tuple(identity.recipient for identity in self._load())

    def unwrap(self, stanzas: Sequence[Stanza]) -> bytes:
        for identity in self._load():
            with suppress(NotARecipient):
                return identity.unwrap(stanzas)
        raise NotARecipient(
            f"the file was not encrypted to any key in {self._path}: open it with the one it was made for."
        )

    def _load(self) -> list[X25519Identity]:
        return [_identity(line, self._path) for line in key_lines(self._path)]


class LoanKeys:
    """One key for each issued copy, in a folder outside backups, destroyed when the loan ends.

    Overwriting does not reach the copies of a journal or a flash controller, so the folder belongs on an encrypted
    disk.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def create(self, copy_id: str) -> str:
        """Create the copy's key unless it has one; return its recipient. Raises KeyGone once destroyed."""
        path = self._path(copy_id)
        make_key_folder(self._directory)
        if self._tombstone(copy_id).exists():
            raise KeyGone(f"the loan key of copy {copy_id} was destroyed and is not made again: issue another copy.")
        identity, _ = generate_identity()
        # A second call returns the first one's key, so that a job may run twice.
        write_key_file(path, f"{identity}\n")
        return FileIdentity(path).recipient

    def unwrapper(self, copy_id: str) -> Unwrapper:
        """Return the key that opens the copy; raises KeyGone once destroyed."""
        path = self._path(copy_id)
        if self._tombstone(copy_id).exists() or not path.exists():
            raise KeyGone(f"the loan key of copy {copy_id} is destroyed or never was: issue another copy.")
        return FileIdentity(path)

    def destroy(self, copy_id: str) -> bool:
        """Overwrite and remove the key, synced; return False if there was none.

        A tombstone stays, so that a late job creates no new key for a loan that has ended.
        """
        path = self._path(copy_id)
        make_key_folder(self._directory)
        tombstone = self._tombstone(copy_id)
        write_key_file(tombstone, "destroyed\n")
        destroyed = shred(path)
        for leftover in (*leftovers(path), *leftovers(tombstone)):
            shred(leftover)
        return destroyed

    def _path(self, copy_id: str) -> Path:
        if not _COPY_ID.fullmatch(copy_id):
            raise KeyUnusable(f"{copy_id!r} cannot name a loan key: a copy's id has letters, digits, - and _ only.")
        return self._directory / f"{copy_id}.key"

    def _tombstone(self, copy_id: str) -> Path:
        return self._directory / f"{copy_id}.destroyed"


@dataclass(frozen=True)
class VaultKeys:
    """The recipients of masters, and the file of the vault's own key."""

    vault_recipient: str
    escrow_recipient: str
    identity_file: Path

    @property
    def recipients(self) -> tuple[str, str]:
        """The vault and the escrow, for `Encryptor`."""
        return self.vault_recipient, self.escrow_recipient

    def unwrapper(self) -> Unwrapper:
        """Return the vault's key, which opens masters; raises Fatal if it is not on this machine."""
        return FileIdentities(self.identity_file)


def ensure_keys(directory: Path) -> VaultKeys:
    """Read or create the keys in ``directory`` (mode 0700, identities 0600).

    Later only the recipients have to be there: a process that only encrypts gets a folder without identities. Raises
    Fatal if a recipient is missing beside its identity, or does not belong to it.
    """
    make_key_folder(directory)
    if not (directory / VAULT_RECIPIENT_FILE).exists():
        _make_pair(directory / VAULT_FILE, directory / VAULT_RECIPIENT_FILE, _VAULT_NOTE)
    if not (directory / ESCROW_RECIPIENT_FILE).exists():
        _make_pair(directory / ESCROW_FILE, directory / ESCROW_RECIPIENT_FILE, _ESCROW_NOTE)
    for name in (VAULT_FILE, ESCROW_FILE):
        # The escrow key is moved offline by this name, so no other hard link may be left.
        remove_second_names(directory / name)
    return read_vault_keys(directory)


def read_vault_keys(directory: Path) -> VaultKeys:
    """Read the keys in ``directory``; raises Fatal if a recipient does not belong to its identity."""
    keys = VaultKeys(
        (directory / VAULT_RECIPIENT_FILE).read_text().strip(),
        (directory / ESCROW_RECIPIENT_FILE).read_text().strip(),
        directory / VAULT_FILE,
    )
    # An interrupted rotation has added the new identity and not its recipient: what is sealed then opens as well.
    if keys.identity_file.exists() and keys.vault_recipient not in FileIdentities(keys.identity_file).recipients:
        raise KeyUnusable(
            Message(
                "{recipient} does not belong to {identity}: restore both files from the same backup, or masters would "
                "be encrypted to a key that is not here.",
                recipient=str(directory / VAULT_RECIPIENT_FILE),
                identity=str(keys.identity_file),
            )
        )
    return keys


def rotate_vault(directory: Path) -> tuple[str, str]:
    """Add a new vault key for new masters; return the recipients before and after.

    Older masters open as before. Raises KeyUnusable if the vault's key is missing.
    """
    path = directory / VAULT_FILE
    before = FileIdentities(path).recipients[0]
    identity, recipient = generate_identity()
    notes = [line for line in read_key_file(path).splitlines() if line.startswith("#")]
    replace_key_file(path, "\n".join([*notes, identity, *key_lines(path)]) + "\n")
    replace_key_file(directory / VAULT_RECIPIENT_FILE, f"{recipient}\n", mode=0o644)
    return before, recipient


def key_lines(path: Path) -> list[str]:
    """Return the key lines of an identity file; raises KeyUnusable if it has none."""
    lines = [line.strip() for line in read_key_file(path).splitlines()]
    keys = [line for line in lines if line and not line.startswith("#")]
    if not keys:
        raise KeyUnusable(
            Message("the key file {file} holds 0 keys: it has to hold one AGE-SECRET-KEY-1… line.", file=str(path))
        )
    return keys


def recipients_in(directory: Path) -> tuple[str, str]:
    """Read the recipients of masters, the vault and the escrow, without making keys.

    Raises Retryable before they are created.
    """
    try:
        vault, escrow = (
            (directory / name).read_text().strip() for name in (VAULT_RECIPIENT_FILE, ESCROW_RECIPIENT_FILE)
        )
    except FileNotFoundError as error:
        raise Retryable(
            f"the vault's recipients are not here | {error.filename} | no worker has made them yet | start a worker "
            f"with the same keys folder, or copy {VAULT_RECIPIENT_FILE} and {ESCROW_RECIPIENT_FILE} there",
            runbook=KeyUnusable.runbook,
        ) from error
    return vault, escrow


def _identity(line: str, path: Path) -> X25519Identity:
    try:
        return X25519Identity(line)
    except KeyInvalid as error:
        raise KeyUnusable(
            Message(
                "the key file {file} cannot be used ({error}): restore it from its backup.",
                file=str(path),
                error=str(error),
            )
        ) from error


def _make_pair(identity_file: Path, recipient_file: Path, note: str) -> None:
    identity, _ = generate_identity()
    # The identity is synced before its recipient: nothing is encrypted to a key that a crash has lost.
    write_key_file(identity_file, f"{note}{identity}\n")
    write_key_file(recipient_file, f"{FileIdentity(identity_file).recipient}\n", mode=0o644)
