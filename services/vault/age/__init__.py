"""age v1 files (age-encryption.org/v1): a push-style encryptor and a seekable reader on ``cryptography``.

Stock ``age`` and ``rage`` open what this writes and the reverse. age does not sign: that a file opens says nothing
about who wrote it.
"""

from services.vault.age.errors import (
    AgeError,
    Corrupt,
    HeaderInvalid,
    KeyInvalid,
    MacMismatch,
    NotARecipient,
    Truncated,
)
from services.vault.age.header import Stanza
from services.vault.age.identities import PassphraseIdentity, Unwrapper, X25519Identity, generate_identity
from services.vault.age.reader import Reader
from services.vault.age.stream import SEALED_CHUNK, Encryptor

__all__ = [
    "SEALED_CHUNK",
    "AgeError",
    "Corrupt",
    "Encryptor",
    "HeaderInvalid",
    "KeyInvalid",
    "MacMismatch",
    "NotARecipient",
    "PassphraseIdentity",
    "Reader",
    "Stanza",
    "Truncated",
    "Unwrapper",
    "X25519Identity",
    "generate_identity",
]
