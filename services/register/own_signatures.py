"""A person's signature by password again, over the hash of what is signed; for statements that are no review."""

import hashlib
from dataclasses import dataclass
from typing import Any

import rfc8785
from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from services.register.people import Person
from services.register.unit import Unit
from services.runtime.errors import Refused


@dataclass(frozen=True)
class Signed:
    """``sha256`` is of the canonical statement; ``signature`` says who signed it, when and how."""

    sha256: str
    signature: dict[str, Any]


def sign(unit: Unit, statement: dict[str, Any], password: str) -> Signed:
    """The acting person signs the statement with the password; Refused when it is wrong."""
    person = unit.session.get_one(Person, unit.actor.id)
    try:
        PasswordHasher().verify(person.password_hash, password)
    except VerificationError as error:
        raise Refused(
            "password-wrong",
            "密码不正确，未签字，请重新输入。",
            "The password is wrong and nothing was signed: enter it again.",
            status=403,
            field="password",
        ) from error
    sha256 = hashlib.sha256(rfc8785.dumps(statement)).hexdigest()
    return Signed(
        sha256, {"method": "password", "person": person.id, "sha256": sha256, "signedAt": unit.now.isoformat()}
    )
