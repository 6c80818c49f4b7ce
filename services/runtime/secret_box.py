"""Where the books keep what is secret: sealed, so that a copy of the database opens nothing."""

from typing import Protocol

from services.runtime.errors import Fatal


class SecretBox(Protocol):
    """Seals a text for one purpose; what was sealed for another purpose does not open."""

    def seal(self, text: str, purpose: str) -> str:
        """The sealed text, as printable characters."""
        ...

    def open(self, sealed: str, purpose: str) -> str:
        """The text; raises Fatal where it was sealed with another key, for another purpose, or was changed."""
        ...


class NoSecretBox:
    """A house without a key of its own: raises Fatal as soon as something is to be sealed."""

    def seal(self, text: str, purpose: str) -> str:
        raise _no_key(f"could not seal | {purpose}")

    def open(self, sealed: str, purpose: str) -> str:
        raise _no_key(f"could not open | {purpose}")


def _no_key(what: str) -> Fatal:
    return Fatal(f"{what} | this process was given no key | build the register with a secret box")
