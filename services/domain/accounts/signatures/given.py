"""What a person gives to sign: a passkey, or password and one-time code; and the form that was read (R25)."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Assertion:
    """A passkey's answer to the statement that is kept under ``pending`` (``signing_challenges``).

    ``answer``: credentialId, authenticatorData, clientDataJSON and signature, in base64url.
    """

    pending: str
    answer: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True)
class Proof:
    """``form_sha256`` is ``Revision.sha256`` of the form as the person saw it; another one is refused.

    ``code`` is the six digits of the person's authenticator, where the signature needs it. With ``preparing``, an id,
    nothing is signed: the act ends in ``Prepared`` with the statement that a passkey is to sign.
    """

    form_sha256: str = ""
    password: str = field(default="", repr=False)
    code: str | None = field(default=None, repr=False)
    passkey: Assertion | None = None
    preparing: str = ""

    @property
    def pending(self) -> str:
        """The id of the statement that was prepared, or is being; empty where the password signs."""
        return self.preparing or (self.passkey.pending if self.passkey else "")
