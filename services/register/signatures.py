"""What a person gives to sign a decision: the password again, and the hash of the form that was read (R25)."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Proof:
    """``form_sha256`` is ``Revision.sha256`` of the form as the person saw it; another one is refused."""

    form_sha256: str
    password: str = field(repr=False)
