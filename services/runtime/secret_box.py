"""Encryption of secrets in the database, so that a copy of it reveals none."""

from typing import Protocol

from services.runtime.errors import Fatal


class SecretBox(Protocol):
    """Encrypt a text for one purpose; it can be decrypted for that purpose only."""

    def encrypt(self, text: str, purpose: str) -> str:
        """Return the ciphertext, as printable characters."""
        ...

    def decrypt(self, sealed: str, purpose: str) -> str:
        """Return the text; raises Fatal if key or purpose is another one, or the text was changed."""
        ...

    def digest(self, text: str, purpose: str) -> str:
        """Return a keyed hash in hexadecimal, the same in every process that has the key."""
        ...


class NoSecretBox:
    """A process without a key: raises Fatal as soon as something is to be encrypted."""

    def encrypt(self, text: str, purpose: str) -> str:
        raise _no_key(f"could not encrypt | {purpose}")

    def decrypt(self, sealed: str, purpose: str) -> str:
        raise _no_key(f"could not decrypt | {purpose}")

    def digest(self, text: str, purpose: str) -> str:
        raise _no_key(f"could not hash | {purpose}")


def _no_key(what: str) -> Fatal:
    return Fatal(f"{what} | this process has no key | open the database with a secret box")
