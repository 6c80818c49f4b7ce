"""The portal's own key and that of the recorders, made when they first encrypt: for secrets in the database."""

import base64
import binascii
import hashlib
import hmac
import secrets
from functools import cached_property
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from services.runtime.translations import Message
from services.vault.keys.key_files import KeyUnusable, make_key_folder, read_key_file, write_key_file

KEY_BYTES = 32
NONCE_BYTES = 12


class KeyFileBox:
    """Encrypts with ChaCha20-Poly1305 under the 32 bytes of a key file, mode 0600, written as hexadecimal.

    Several portals share the file, as they share the loan keys. The purpose is authenticated with each text. A key that
    is missing is never made to decrypt: it would be another one.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def ensure(self) -> None:
        """Create the key unless it exists."""
        make_key_folder(self._path.parent)
        if not self._path.exists():
            write_key_file(self._path, secrets.token_bytes(KEY_BYTES).hex() + "\n")  # another portal may be first

    @property
    def fingerprint(self) -> str | None:
        """A hash that identifies the key and reveals nothing of it; None if there is no key."""
        if not self._path.exists():
            return None
        return "sha256:" + hmac.digest(self._key, b"footage-desk portal key", hashlib.sha256).hex()

    def encrypt(self, text: str, purpose: str) -> str:
        self.ensure()
        nonce = secrets.token_bytes(NONCE_BYTES)
        return base64.b64encode(nonce + self._cipher.encrypt(nonce, text.encode(), purpose.encode())).decode()

    def decrypt(self, sealed: str, purpose: str) -> str:
        try:
            raw = base64.b64decode(sealed, validate=True)
            return self._cipher.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], purpose.encode()).decode()
        except (InvalidTag, binascii.Error, ValueError) as error:
            raise KeyUnusable(
                f"could not decrypt | {purpose} | it was encrypted with another key than {self._path}, or was changed "
                "| restore that key file, or reset the second factors and enter the recorders' passwords anew"
            ) from error

    def digest(self, text: str, purpose: str) -> str:
        self.ensure()
        return hmac.digest(self._key, f"footage-desk digest | {purpose} | {text}".encode(), hashlib.sha256).hex()

    @cached_property
    def _cipher(self) -> ChaCha20Poly1305:
        return ChaCha20Poly1305(self._key)

    @cached_property
    def _key(self) -> bytes:
        try:
            key = bytes.fromhex(read_key_file(self._path).strip())
        except ValueError:
            key = b""
        if len(key) != KEY_BYTES:
            raise KeyUnusable(
                Message(
                    "the key file {file} holds no key of {count} bytes: restore it.",
                    file=str(self._path),
                    count=KEY_BYTES,
                )
            )
        return key
