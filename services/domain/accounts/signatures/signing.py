"""Sign statements by passkey, or by password and one-time code (R25)."""

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
from services.domain.change_requests import holds
from services.domain.stages.schema import Level
from services.runtime.canonical_json import hash_of
from services.runtime.errors import Refused
from services.verifier.assertions import check_assertion
from services.verifier.bindings import signature_fields
from services.verifier.invalid import Invalid

METHODS = {"password": ("password",), "password+totp": ("password", "totp")}
ADDED_FIELDS = ("auditCheckpoint", "nonce")  # of a statement, beside those of the act


@dataclass(frozen=True)
class Signed:
    """A signature.

    ``sha256`` is of the canonical ``statement``; ``signature`` has signer, time, method and the statement.
    """

    sha256: str
    statement: dict[str, Any]
    signature: dict[str, Any]

    @property
    def event_fields(self) -> dict[str, str]:
        """Return what the audit event of the act names of the signature."""
        return {"statement_sha256": self.sha256, **signature_fields(self.signature)}


def methods(uow: UnitOfWork, level: Level) -> tuple[str, ...]:
    """Return what the acting person gives to sign at this level.

    ``("password",)`` or ``("password", "totp")``: people who have a second factor or must have one give a code.
    """
    if level == "password+totp" and (
        second_factors.get_factor(uow, uow.actor.id) or second_factors.is_required(uow, uow.actor.id)
    ):
        return METHODS["password+totp"]
    return METHODS["password"]


def signing_moment(uow: UnitOfWork, proof: Proof) -> datetime:
    """Return the time of the statement.

    Now, or with a passkey when it was prepared, so that it can be built again.
    """
    if proof.passkey is not None:
        challenge = challenges.find(uow, proof.passkey.pending, "signature")
        if challenge is not None and challenge.stated_at is not None:
            return challenge.stated_at
    return uow.now


def sign(
    uow: UnitOfWork, statement: dict[str, Any], proof: Proof, *, level: Level = "password", while_held: bool = False
) -> Signed:
    """Sign a statement with the audit trail's latest checkpoint in it.

    Refused when the passkey's answer, the password or the code is wrong, or the code is missing, and for 24 hours after
    an administrator's reset unless ``while_held``: for what gives footage back, which must not come too late. Raises
    Prepared where the statement is only to be shown. The signature's ``method`` names what was given.
    """
    if not while_held:
        holds.check(uow, uow.actor.id)
    full_statement = {**statement, "auditCheckpoint": checkpoints.newest_as_json(uow)}
    if proof.preparing:
        nonce = secrets.token_hex(16)
        raise Prepared(proof.preparing, uow.actor.id, {**full_statement, "nonce": nonce}, uow.now)
    if proof.passkey is not None:
        lockout.check_signature(uow, _lock_person(uow))
        return _sign_by_passkey(uow, statement, proof.passkey, level)
    used_methods = authenticate(uow, proof.password, proof.code, level=level)
    return _signed(uow, full_statement, "+".join(used_methods))


def _sign_by_passkey(uow: UnitOfWork, statement: dict[str, Any], assertion: Assertion, level: Level) -> Signed:
    """Check that the rebuilt statement equals the prepared one, and sign it."""
    challenge = challenges.consume(uow, assertion.pending, "signature")
    text = challenge.statement or "{}"
    full_statement: dict[str, Any] = json.loads(text)
    if rfc8785.dumps({**statement, **{name: full_statement.get(name) for name in ADDED_FIELDS}}).decode() != text:
        raise Refused(
            "statement-changed",
            "Not signed: the content has changed since it was shown to you. Check it again, then sign.",
            field="passkey",
        )
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    passkey = passkeys.find_own(uow, str(assertion.answer.get("credentialId")), challenge.rp_id)
    if passkey is None:
        raise _wrong_passkey(uow)
    answer = {**assertion.answer, "publicKey": passkey.public_key, "rpId": challenge.rp_id, "origin": challenge.origin}
    try:
        verified = check_assertion(answer, sha256)
    except Invalid as error:
        raise _wrong_passkey(uow) from error
    if "totp" in methods(uow, level) and passkey.proved_by == "password":
        raise Refused(
            "passkey-weak",
            "This passkey was added with a password only, which is not sufficient here: set up a second factor, "
            "remove the passkey and add it again.",
            status=403,
            field="passkey",
        )
    passkeys.record_use(uow, passkey, verified.sign_count)
    return _signed(uow, full_statement, "passkey", passkey=answer)


def _signed(uow: UnitOfWork, statement: dict[str, Any], method: str, **more: Any) -> Signed:
    sha256 = hash_of(statement)
    signature = {"method": method, "person": uow.actor.id, "sha256": sha256, "signedAt": uow.now.isoformat(), **more}
    return Signed(sha256, statement, {**signature, "statement": statement})


def _wrong_passkey(uow: UnitOfWork) -> Refused:
    _count_after_refusal(uow)
    return Refused(
        "passkey-wrong",
        "Not signed: the passkey's signature is not valid, or the passkey is not yours.",
        status=403,
        field="passkey",
    )


def authenticate(
    uow: UnitOfWork, password: str, code: str | None = None, *, level: Level = "password"
) -> tuple[str, ...]:
    """Check password and code of the acting person; return the methods used.

    Refused as in ``sign``, and while the account is locked. Failures count like failed logins, in a transaction of
    their own: the thief of a session must not find password or code by trying.
    """
    person = _lock_person(uow)
    lockout.check_signature(uow, person)
    required = methods(uow, level)
    if not passwords.verify(person.password_hash, password):
        _count_after_refusal(uow)
        raise Refused(
            "password-wrong",
            "The password is wrong: nothing was signed or changed. Enter it again.",
            status=403,
            field="password",
        )
    if not code:
        if "totp" in required:
            raise _code_missing(uow)
        return METHODS["password"]
    try:
        second_factors.verify_code(uow, person.id, code)
    except Refused as refusal:
        if refusal.code == "code-wrong":
            _count_after_refusal(uow)
        raise
    return METHODS["password+totp"]


def _code_missing(uow: UnitOfWork) -> Refused:
    if second_factors.get_factor(uow, uow.actor.id) is None:
        return Refused(
            "second-factor-missing",
            "Your post requires a second factor to sign: set it up in your account first.",
            status=403,
            field="code",
        )
    return Refused(
        "code-missing",
        "Enter the six digits that your authenticator app shows.",
        status=422,
        field="code",
    )


def _lock_person(uow: UnitOfWork) -> Person:
    """Lock the acting person's row, so that of several guesses at once each sees those before it.

    Rows that refer to the person may be written meanwhile.
    """
    return uow.session.get_one(Person, uow.actor.id, with_for_update={"key_share": True}, populate_existing=True)


def _count_after_refusal(uow: UnitOfWork) -> None:
    count, lock = lockout.count_wrong_signature, _lock_guessed
    uow.after_refusal += [partial(count, person_id=uow.actor.id), partial(lock, person_id=uow.actor.id)]


def _lock_guessed(uow: UnitOfWork, person_id: str) -> None:
    person = uow.session.get_one(Person, person_id, with_for_update=True)
    if lockout.lock_after_signatures(uow, person):
        sessions.end_all(uow, person_id)
