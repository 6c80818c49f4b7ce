"""The log key (Ed25519): signs the heads of the audit trail; only the portal has it (docs/sealing.md)."""

from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.runtime.translations import Message
from services.vault.keys.key_files import (
    KeyUnusable,
    make_key_folder,
    read_key_file,
    remove_second_names,
    replace_key_file,
    shred,
    write_key_file,
)
from services.verifier.invalid import Invalid
from services.verifier.notes import Checkpoint, VerifierKey, keys_of, signed

FOLDER = "log"
KEY_FILE = "log-key.pem"
PUBLIC_FILE = "log-vkeys.txt"


class LogKey:
    """The key, and the name of the log in its checkpoints."""

    def __init__(
        self, private: Ed25519PrivateKey, origin: str | None = None, before: Sequence[VerifierKey] = ()
    ) -> None:
        """``origin``: without one, a name derived from the key; ``before``: keys that have signed for the log."""
        self._private = private
        public = private.public_key().public_bytes_raw()
        fingerprint = VerifierKey("", public).fingerprint.removeprefix("sha256:")
        self.public = VerifierKey(origin or f"footage-desk.local/{fingerprint[:16]}", public)
        self.known = (self.public, *(key for key in before if key != self.public))

    @property
    def origin(self) -> str:
        return self.public.name

    def sign(self, checkpoint: Checkpoint) -> str:
        """Sign a checkpoint of this log; return the note."""
        return signed(checkpoint.body, self.public, self._private.sign(checkpoint.body.encode()))


def ensure_log_key(folder: Path, origin: str | None = None) -> LogKey:
    """Read or create the key in ``folder``; list its public half beside it.

    Without an ``origin`` the log has the name of its first key.
    Raises Fatal for a key that others may read or that is broken: a log never continues silently under another key.
    """
    make_key_folder(folder)
    path = folder / KEY_FILE
    remove_second_names(path)
    if not path.exists():
        pem = Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_key_file(path, pem.decode())
    known = public_keys(folder)
    key = LogKey(_read(path), origin or (known[-1].name if known else None), known)
    _list(folder / PUBLIC_FILE, key.public)
    return key


def read_log_key(folder: Path) -> LogKey:
    """Read the key in ``folder``; raises KeyUnusable if it is missing or broken."""
    known = public_keys(folder)
    return LogKey(_read(folder / KEY_FILE), known[-1].name if known else None, known)


def rotate_log(folder: Path, origin: str | None = None) -> tuple[VerifierKey, VerifierKey]:
    """Replace the key, destroy the old one; return both public keys, which are listed."""
    before = ensure_log_key(folder, origin).public
    shred(folder / KEY_FILE)
    return before, ensure_log_key(folder, origin).public


def public_keys(folder: Path) -> list[VerifierKey]:
    """List all keys that have signed for this log, newest first; may be empty. Raises Fatal."""
    path = folder / PUBLIC_FILE
    try:
        return keys_of(path.read_text())
    except FileNotFoundError:
        return []
    except (Invalid, OSError, UnicodeDecodeError) as error:
        raise KeyUnusable(
            Message(
                "the log's public keys in {file} cannot be used ({error}): restore the file.",
                file=str(path),
                error=str(error),
            )
        ) from error


def _read(path: Path) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(read_key_file(path).encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyUnusable(
            Message("the key file {file} holds no private key: restore it from its backup.", file=str(path))
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyUnusable(Message("the key file {file} is no Ed25519 key: restore it from its backup.", file=str(path)))
    return key


def _list(path: Path, key: VerifierKey) -> None:
    """Add the key at the top of the list, atomically."""
    known = [listed.vkey for listed in public_keys(path.parent)]
    if known[:1] == [key.vkey]:
        return
    lines = [key.vkey, *(vkey for vkey in known if vkey != key.vkey)]
    replace_key_file(path, "".join(f"{line}\n" for line in lines), mode=0o644)
