"""A person's signature over the hash of what is signed: by passkey, or by password and a one-time code (R25)."""

import hashlib
import json
import secrets
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import rfc8785

from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts import lockout, passkeys, passwords, second_factors, sessions
from services.domain.accounts.signatures import challenges
from services.domain.accounts.signatures.challenges import Prepared
from services.domain.accounts.signatures.given import Assertion, Proof
from services.domain.audit import checkpoints
from services.domain.stages.schema import Level
from services.runtime.errors import Refused
from services.verifier.assertions import check_assertion
from services.verifier.invalid import Invalid

METHODS = {"password": ("password",), "password+totp": ("password", "totp")}
ADDED_FIELDS = ("auditCheckpoint", "nonce")  # what a statement has besides what the act says


@dataclass(frozen=True)
class Signed:
    """``sha256`` is of the canonical ``statement``; ``signature`` says who signed it, when and how, and holds it."""

    sha256: str
    statement: dict[str, Any]
    signature: dict[str, Any]


def methods(uow: UnitOfWork, level: Level) -> tuple[str, ...]:
    """What the acting person gives to sign at this level: ``("password",)`` or ``("password", "totp")``.

    A code is wanted of those who have a second factor, or must have one.
    """
    if level == "password+totp" and (
        second_factors.get_factor(uow, uow.actor.id) or second_factors.is_required(uow, uow.actor.id)
    ):
        return METHODS["password+totp"]
    return METHODS["password"]


def signing_moment(uow: UnitOfWork, proof: Proof) -> datetime:
    """The moment that a statement names: now, or with a passkey when it was shown, so that it can be built anew."""
    if proof.passkey is not None:
        shown = challenges.find(uow, proof.passkey.pending, "signature")
        if shown is not None and shown.stated_at is not None:
            return shown.stated_at
    return uow.now


def sign(uow: UnitOfWork, statement: dict[str, Any], proof: Proof, *, level: Level = "password") -> Signed:
    """The acting person signs the statement, with the latest checkpoint of the audit trail in it.

    Refused when the passkey's answer, the password or the code is wrong, or the code is missing. Raises Prepared where
    the statement is to be shown only. The signature's ``method`` names what was given.
    """
    whole = {**statement, "auditCheckpoint": checkpoints.newest_as_json(uow)}
    if proof.preparing:
        nonce = secrets.token_hex(16)
        raise Prepared(proof.preparing, uow.actor.id, {**whole, "nonce": nonce}, uow.now)
    if proof.passkey is not None:
        return _sign_by_passkey(uow, statement, proof.passkey, level)
    given = authenticate(uow, proof.password, proof.code, level=level)
    return _signed(uow, whole, "+".join(given))


def _sign_by_passkey(uow: UnitOfWork, statement: dict[str, Any], assertion: Assertion, level: Level) -> Signed:
    """The statement, built anew, has to be the one that was shown; the passkey the acting person's own."""
    shown = challenges.consume(uow, assertion.pending, "signature")
    text = shown.statement or "{}"
    whole: dict[str, Any] = json.loads(text)
    if rfc8785.dumps({**statement, **{name: whole.get(name) for name in ADDED_FIELDS}}).decode() != text:
        raise Refused(
            "statement-changed",
            "What you sign is not what you were shown, because something has changed meanwhile: "
            "nothing was signed. Look at it again, then sign.",
            field="passkey",
        )
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    passkey = passkeys.find_own(uow, str(assertion.answer.get("credentialId")), shown.rp_id)
    if passkey is None:
        raise _wrong_passkey(uow)
    kept = {**assertion.answer, "publicKey": passkey.public_key, "rpId": shown.rp_id, "origin": shown.origin}
    try:
        sound = check_assertion(kept, sha256)
    except Invalid as error:
        raise _wrong_passkey(uow) from error
    if "totp" in methods(uow, level) and passkey.proved_by == "password":
        raise Refused(
            "passkey-weak",
            "This passkey was added with the password alone, which is too little here: set up a "
            "second factor, remove the passkey and add it again.",
            status=403,
            field="passkey",
        )
    passkeys.record_use(uow, passkey, sound.sign_count)
    return _signed(uow, whole, "passkey", passkey=kept)


def _signed(uow: UnitOfWork, statement: dict[str, Any], method: str, **more: Any) -> Signed:
    sha256 = hashlib.sha256(rfc8785.dumps(statement)).hexdigest()
    how = {"method": method, "person": uow.actor.id, "sha256": sha256, "signedAt": uow.now.isoformat(), **more}
    return Signed(sha256, statement, {**how, "statement": statement})


def _wrong_passkey(uow: UnitOfWork) -> Refused:
    uow.after_refusal.append(partial(_count_failure, person_id=uow.actor.id))
    return Refused(
        "passkey-wrong",
        "The passkey's signature does not hold, or it is none of your passkeys: nothing was signed.",
        status=403,
        field="passkey",
    )


def authenticate(
    uow: UnitOfWork, password: str, code: str | None = None, *, level: Level = "password"
) -> tuple[str, ...]:
    """The acting person proves to be the one; what was given for it, as ``methods``. Refused as in ``sign``.

    Whatever is wrong is counted like a wrong sign-in, in a transaction of its own: whoever took over a session must
    not find password or code by trying.
    """
    person = uow.session.get_one(Person, uow.actor.id)
    wanted = methods(uow, level)
    if not passwords.verify(person.password_hash, password):
        uow.after_refusal.append(partial(_count_failure, person_id=person.id))
        raise Refused(
            "password-wrong",
            "The password is wrong and nothing was signed: enter it again.",
            status=403,
            field="password",
        )
    if not code:
        if "totp" in wanted:
            raise _code_missing(uow)
        return METHODS["password"]
    try:
        second_factors.verify_code(uow, person.id, code)
    except Refused as refusal:
        if refusal.code == "code-wrong":
            uow.after_refusal.append(partial(_count_failure, person_id=person.id))
        raise
    return METHODS["password+totp"]


def _code_missing(uow: UnitOfWork) -> Refused:
    if second_factors.get_factor(uow, uow.actor.id) is None:
        return Refused(
            "second-factor-missing",
            "Your post signs with a second factor: set one up in your account first.",
            status=403,
            field="code",
        )
    return Refused(
        "code-missing",
        "Enter the six digits that your authenticator shows.",
        status=422,
        field="code",
    )


def _count_failure(uow: UnitOfWork, person_id: str) -> None:
    person = uow.session.get_one(Person, person_id, with_for_update=True)
    if lockout.count_failure(uow, person, "signature-refused"):
        sessions.end_all(uow, person_id)
