"""A person's signature over the hash of what is signed: by password again, and a one-time code where it is wanted."""

import hashlib
from dataclasses import dataclass
from functools import partial
from typing import Any

import rfc8785

from services.register import lock_out, passwords, second_factors, sign_ins
from services.register.people import Person
from services.register.signatures import Level
from services.register.unit import Unit
from services.runtime.errors import Refused

METHODS = {"password": ("password",), "password+totp": ("password", "totp")}


@dataclass(frozen=True)
class Signed:
    """``sha256`` is of the canonical statement; ``signature`` says who signed it, when and how."""

    sha256: str
    signature: dict[str, Any]


def methods(unit: Unit, level: Level) -> tuple[str, ...]:
    """What the acting person gives to sign at this level: ``("password",)`` or ``("password", "totp")``.

    A code is wanted of those who have a second factor, or must have one.
    """
    if level == "password+totp" and (
        second_factors.enrolled(unit, unit.actor.id) or second_factors.required(unit, unit.actor.id)
    ):
        return METHODS["password+totp"]
    return METHODS["password"]


def sign(
    unit: Unit, statement: dict[str, Any], password: str, code: str | None = None, *, level: Level = "password"
) -> Signed:
    """The acting person signs the statement; Refused when the password or the code is wrong, or the code is missing.

    The signature's ``method`` names what was given, joined by a plus.
    """
    given = prove(unit, password, code, level=level)
    sha256 = hashlib.sha256(rfc8785.dumps(statement)).hexdigest()
    return Signed(
        sha256,
        {"method": "+".join(given), "person": unit.actor.id, "sha256": sha256, "signedAt": unit.now.isoformat()},
    )


def prove(unit: Unit, password: str, code: str | None = None, *, level: Level = "password") -> tuple[str, ...]:
    """The acting person proves to be the one; what was given for it, as ``methods``. Refused as in ``sign``.

    Whatever is wrong is counted like a wrong sign-in, in a transaction of its own: whoever took over a session must
    not find password or code by trying.
    """
    person = unit.session.get_one(Person, unit.actor.id)
    wanted = methods(unit, level)
    if not passwords.verify(person.password_hash, password):
        unit.after_refusal.append(partial(_count, person_id=person.id))
        raise Refused(
            "password-wrong",
            "密码不正确，未签字，请重新输入。",
            "The password is wrong and nothing was signed: enter it again.",
            status=403,
            field="password",
        )
    if not code:
        if "totp" in wanted:
            raise _code_missing(unit)
        return METHODS["password"]
    try:
        second_factors.take(unit, person.id, code)
    except Refused as refusal:
        if refusal.code == "code-wrong":
            unit.after_refusal.append(partial(_count, person_id=person.id))
        raise
    return METHODS["password+totp"]


def _code_missing(unit: Unit) -> Refused:
    if second_factors.enrolled(unit, unit.actor.id) is None:
        return Refused(
            "second-factor-missing",
            "您的岗位签字须用二次验证，请先在“我的账户”中绑定。",
            "Your post signs with a second factor: set one up in your account first.",
            status=403,
            field="code",
        )
    return Refused(
        "code-missing",
        "请输入验证器显示的 6 位验证码。",
        "Enter the six digits that your authenticator shows.",
        status=422,
        field="code",
    )


def _count(unit: Unit, person_id: str) -> None:
    person = unit.session.get_one(Person, person_id, with_for_update=True)
    if lock_out.count(unit, person, "signature-refused"):
        sign_ins.end_all(unit, person_id)
