"""Who can open an age file: X25519 keys and passphrases (scrypt)."""

import os
import re
from collections.abc import Sequence
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from services.vault.age import bech32
from services.vault.age.errors import HeaderInvalid, KeyInvalid, NotARecipient
from services.vault.age.header import FILE_KEY_BYTES, Stanza, decode64, derive, encode64

X25519_INFO = b"age-encryption.org/v1/X25519"
SCRYPT_INFO = b"age-encryption.org/v1/scrypt"
MAX_WORK_FACTOR = 18  # 2**18 rounds take 256 MiB; age itself writes 18
# What we write: 32 MiB, since several are made at once. A passphrase of ours is too long to be guessed at any speed.
WORK_FACTOR = 15
_SALT_BYTES = 16
_WRAPPED_BYTES = FILE_KEY_BYTES + 16
_WRAP_NONCE = bytes(12)  # each wrapping key is used once
_POSITIVE = re.compile(r"[1-9][0-9]*")


class Unwrapper(Protocol):
    """Something that holds a key: a file, a key service, a hardware module."""

    def unwrap(self, stanzas: Sequence[Stanza]) -> bytes:
        """The 16-byte file key. Raises NotARecipient when none of the stanzas is for this key, HeaderInvalid when one
        of its own kind breaks the format."""
        ...


class X25519Identity:
    """The key behind an ``age1…`` recipient."""

    def __init__(self, identity: str) -> None:
        """Raises KeyInvalid unless ``identity`` is ``AGE-SECRET-KEY-1…``."""
        self._key = X25519PrivateKey.from_private_bytes(_key_bytes(identity.strip(), "age-secret-key-", "identity"))

    @property
    def recipient(self) -> str:
        return bech32.encode("age", self._key.public_key().public_bytes_raw())

    def unwrap(self, stanzas: Sequence[Stanza]) -> bytes:
        for stanza in stanzas:
            if stanza.kind == "X25519" and (file_key := self._open(stanza)) is not None:
                return file_key
        raise NotARecipient(f"the file was not encrypted to {self.recipient}: open it with the key it was made for.")

    def _open(self, stanza: Stanza) -> bytes | None:
        if len(stanza.arguments) != 1:
            raise HeaderInvalid("the age header has an X25519 stanza without exactly one argument.")
        share = decode64(stanza.arguments[0].encode("ascii"))
        if len(share) != 32:
            raise HeaderInvalid(f"the age header has an X25519 share of {len(share)} bytes, not 32.")
        try:
            secret = self._key.exchange(X25519PublicKey.from_public_bytes(share))
        except ValueError as error:
            raise HeaderInvalid("the age header has an X25519 share of low order.") from error
        salt = share + self._key.public_key().public_bytes_raw()
        return _open_body(derive(secret, salt, X25519_INFO), stanza)


class PassphraseIdentity:
    """A passphrase; a file that asks for more than ``max_work_factor`` is refused, not computed."""

    def __init__(self, passphrase: str, *, max_work_factor: int = MAX_WORK_FACTOR) -> None:
        self._passphrase = passphrase.encode()
        self._max_work_factor = max_work_factor

    def unwrap(self, stanzas: Sequence[Stanza]) -> bytes:
        for stanza in stanzas:
            if stanza.kind == "scrypt" and (file_key := self._open(stanza)) is not None:
                return file_key
        raise NotARecipient("the passphrase does not open this file: check its spelling.")

    def _open(self, stanza: Stanza) -> bytes | None:
        if len(stanza.arguments) != 2:
            raise HeaderInvalid("the age header has a passphrase stanza without exactly two arguments.")
        salt, factor = decode64(stanza.arguments[0].encode("ascii")), stanza.arguments[1]
        if len(salt) != _SALT_BYTES:
            raise HeaderInvalid(f"the age header has a passphrase salt of {len(salt)} bytes, not 16.")
        # The length is bounded before int(): the text comes from the file.
        if not _POSITIVE.fullmatch(factor) or len(factor) > 3 or int(factor) > self._max_work_factor:
            raise HeaderInvalid(
                f"the age header asks for a passphrase work factor that is no number up to {self._max_work_factor}."
            )
        return _open_body(_scrypt(self._passphrase, salt, int(factor)), stanza)


def generate_identity() -> tuple[str, str]:
    """Generate a key pair: the identity ``AGE-SECRET-KEY-1…``, which is the secret, and its recipient ``age1…``."""
    identity = bech32.encode("age-secret-key-", X25519PrivateKey.generate().private_bytes_raw()).upper()
    return identity, X25519Identity(identity).recipient


def wrap(file_key: bytes, recipient: str) -> Stanza:
    """Wrap the file key for ``recipient`` (``age1…``); raises KeyInvalid."""
    their = _key_bytes(recipient.strip(), "age", "recipient")
    ephemeral = X25519PrivateKey.generate()
    share = ephemeral.public_key().public_bytes_raw()
    try:
        secret = ephemeral.exchange(X25519PublicKey.from_public_bytes(their))
    except ValueError as error:
        raise KeyInvalid("the recipient is a point of low order, which is no key.") from error
    body = ChaCha20Poly1305(derive(secret, share + their, X25519_INFO)).encrypt(_WRAP_NONCE, file_key, None)
    return Stanza("X25519", (encode64(share).decode("ascii"),), body)


def wrap_for_passphrase(file_key: bytes, passphrase: str) -> Stanza:
    """Wrap the file key for a passphrase, which has to be the only recipient of its file; takes 32 MiB and 0.1 s."""
    salt = os.urandom(_SALT_BYTES)
    key = _scrypt(passphrase.encode(), salt, WORK_FACTOR)
    body = ChaCha20Poly1305(key).encrypt(_WRAP_NONCE, file_key, None)
    return Stanza("scrypt", (encode64(salt).decode("ascii"), str(WORK_FACTOR)), body)


def new_file_key() -> bytes:
    return os.urandom(FILE_KEY_BYTES)


def _scrypt(passphrase: bytes, salt: bytes, work_factor: int) -> bytes:
    return Scrypt(salt=SCRYPT_INFO + salt, length=32, n=1 << work_factor, r=8, p=1).derive(passphrase)


def _open_body(key: bytes, stanza: Stanza) -> bytes | None:
    # Checked before decryption: a longer file key would make the wrapping ambiguous between keys (age spec).
    if len(stanza.body) != _WRAPPED_BYTES:
        raise HeaderInvalid(f"the age header wraps a file key of {len(stanza.body) - 16} bytes, not {FILE_KEY_BYTES}.")
    try:
        return ChaCha20Poly1305(key).decrypt(_WRAP_NONCE, stanza.body, None)
    except InvalidTag:
        return None


def _key_bytes(text: str, prefix: str, noun: str) -> bytes:
    found, data = bech32.decode(text)
    upper = prefix == "age-secret-key-"
    if found != prefix or len(data) != 32 or text != (text.upper() if upper else text.lower()):
        example = "AGE-SECRET-KEY-1…" if upper else "age1…"
        raise KeyInvalid(f"this is no X25519 {noun}: it has to look like {example}.")
    return data
