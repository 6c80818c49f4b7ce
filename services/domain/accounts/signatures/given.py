"""Define the proof of a signature: passkey, or password and code (R25)."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Assertion:
    """A passkey's answer to the statement stored under ``pending``.

    ``answer``: credentialId, authenticatorData, clientDataJSON and signature, in base64url.
    """

    pending: str
    answer: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True)
class Proof:
    """What proves the signature.

    ``form_sha256`` is ``Revision.sha256`` of the form that was read; another one is refused. ``code`` is the
    authenticator's, where the signature needs one. With ``preparing``, an id, nothing is signed: the act ends in
    ``Prepared`` with the statement that a passkey is to sign.
    """

    form_sha256: str = ""
    password: str = field(default="", repr=False)
    code: str | None = field(default=None, repr=False)
    passkey: Assertion | None = None
    preparing: str = ""

    @property
    def pending(self) -> str:
        """Return the id of the prepared statement; empty for a password."""
        return self.preparing or (self.passkey.pending if self.passkey else "")
