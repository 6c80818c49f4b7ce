"""What a person gives to sign: the password again, a one-time code, and the hash of the form that was read (R25)."""

from dataclasses import dataclass, field
from typing import Literal

Level = Literal["password", "password+totp"]


@dataclass(frozen=True)
class Proof:
    """``form_sha256`` is ``Revision.sha256`` of the form as the person saw it; another one is refused.

    ``code`` is the six digits of the person's authenticator, where the signature needs it.
    """

    form_sha256: str
    password: str = field(repr=False)
    code: str | None = field(default=None, repr=False)
