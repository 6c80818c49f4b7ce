"""Add, list and remove passkeys (WebAuthn, user verification required)."""

import hashlib
import secrets
from dataclasses import dataclass
from functools import partial
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import Select, select
from webauthn import generate_registration_options, verify_registration_response
from webauthn.helpers import (
    base64url_to_bytes,
    bytes_to_base64url,
    decode_credential_public_key,
    decoded_public_key_to_cryptography,
    options_to_json_dict,
)
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from services.database.base import new_id
from services.database.tables.passkeys import Passkey
from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts import own_notices
from services.domain.accounts.signatures import challenges as signature_challenges
from services.domain.accounts.signatures.challenges import RelyingParty
from services.domain.audit import trail as audit_trail
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message

ALGORITHMS = [
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
]
MAX_PASSKEYS = 20  # of one person


@dataclass(frozen=True)
class Enrolment:
    """The options for the browser; ``id`` comes back with its answer."""

    id: str
    options: dict[str, Any]


def list_passkeys(uow: UnitOfWork, person_id: str, relying_party: RelyingParty | None = None) -> list[Passkey]:
    """List a person's passkeys, oldest first.

    With ``relying_party`` those of that host.
    """
    return list(uow.session.scalars(select_passkeys(person_id, relying_party).order_by(Passkey.added_at)))


def select_passkeys(person_id: str, relying_party: RelyingParty | None = None) -> Select[Passkey]:
    """Select the same passkeys."""
    query = select(Passkey).where(Passkey.person_id == person_id, Passkey.ended_at.is_(None))
    return query if relying_party is None else query.where(Passkey.rp_id == relying_party.rp_id)


def begin_enrolment(uow: UnitOfWork, person_id: str, relying_party: RelyingParty, proved_by: str) -> Enrolment:
    """Return the options to create a passkey; known authenticators are excluded.

    Refused for a person with too many passkeys.
    """
    person = uow.session.get_one(Person, person_id)
    existing = _require_fewer(uow, person_id)
    challenge = secrets.token_bytes(32)
    row = signature_challenges.add(
        uow,
        new_id(),
        "enrolment",
        person_id=person_id,
        relying_party=relying_party,
        challenge=bytes_to_base64url(challenge),
        proved_by=proved_by,
    )
    options = generate_registration_options(
        rp_id=relying_party.rp_id,
        rp_name=uow.rules.organisation,
        user_id=person_id.encode(),
        user_name=person.login,
        user_display_name=person.name,
        challenge=challenge,
        timeout=int(signature_challenges.LIFETIME.total_seconds() * 1000),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=[
            PublicKeyCredentialDescriptor(id=base64url_to_bytes(passkey.credential_id))
            for passkey in existing
            if passkey.rp_id == relying_party.rp_id
        ],
        supported_pub_key_algs=ALGORITHMS,
    )
    audit_trail.record(uow, "passkey-enrolment-started", "person", person_id)
    return Enrolment(row.id, options_to_json_dict(options))


def finish_enrolment(
    uow: UnitOfWork, person_id: str, enrolment_id: str, attestation: dict[str, str], name: str
) -> Passkey:
    """Verify the browser's new passkey and add it.

    ``attestation``: credentialId, clientDataJSON and attestationObject, in base64url. Refused where verification fails,
    and for a person who has got too many passkeys since it was begun.
    """
    # of two that are finished at once, the second sees the first
    uow.session.get_one(Person, person_id, with_for_update={"key_share": True})
    _require_fewer(uow, person_id)
    challenge = signature_challenges.consume(uow, enrolment_id, "enrolment")
    credential = {
        "id": attestation["credentialId"],
        "rawId": attestation["credentialId"],
        "type": "public-key",
        "response": {
            "clientDataJSON": attestation["clientDataJSON"],
            "attestationObject": attestation["attestationObject"],
        },
    }
    try:
        registration = verify_registration_response(
            credential=credential,
            expected_challenge=base64url_to_bytes(challenge.challenge),
            expected_rp_id=challenge.rp_id,
            expected_origin=challenge.origin,
            require_user_verification=True,
            supported_pub_key_algs=ALGORITHMS,
        )
        key = decoded_public_key_to_cryptography(decode_credential_public_key(registration.credential_public_key))
        pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (WebAuthnException, ValueError) as error:
        raise Refused(
            "passkey-unsound",
            "The passkey was not added: the authenticator's response is not accepted. Try again with a device "
            "that asks for your PIN, fingerprint or face.",
            status=422,
            field="passkey",
        ) from error
    credential_id = bytes_to_base64url(registration.credential_id)
    if uow.session.scalar(select(Passkey.id).where(Passkey.credential_id == credential_id)) is not None:
        raise Refused("passkey-known", "This passkey has already been added.", field="passkey")
    passkey = Passkey(
        id=new_id(),
        person_id=person_id,
        credential_id=credential_id,
        public_key=pem,
        rp_id=challenge.rp_id,
        name=name,
        proved_by=challenge.proved_by or "password",
        added_at=uow.real_now,
        sign_count=registration.sign_count,
    )
    uow.session.add(passkey)
    audit_trail.record(
        uow,
        "passkey-added",
        "passkey",
        passkey.id,
        person=person_id,
        proved_by=passkey.proved_by,
        credential_id=credential_id,
        public_key_sha256=hashlib.sha256(der).hexdigest(),
    )
    own_notices.notify(uow, person_id, "own-account-changed")
    return passkey


def rename(uow: UnitOfWork, passkey_id: str, name: str) -> Passkey:
    """Rename one of the acting person's passkeys."""
    passkey = _get_own(uow, passkey_id)
    passkey.name = name
    audit_trail.record(uow, "passkey-renamed", "passkey", passkey.id, person=passkey.person_id)
    return passkey


def remove(uow: UnitOfWork, passkey_id: str) -> Passkey:
    """Remove one of the acting person's passkeys; its signatures stay valid."""
    passkey = _get_own(uow, passkey_id)
    passkey.ended_at = uow.real_now
    audit_trail.record(uow, "passkey-removed", "passkey", passkey.id, person=passkey.person_id)
    own_notices.notify(uow, passkey.person_id, "own-account-changed")
    return passkey


def end_all(uow: UnitOfWork, person_id: str, action: str) -> int:
    """End a person's passkeys and return how many there were.

    ``action`` is the audit action of each.
    """
    ended = list_passkeys(uow, person_id)
    for passkey in ended:
        passkey.ended_at = uow.real_now
        audit_trail.record(uow, action, "passkey", passkey.id, person=person_id)
    return len(ended)


def find_own(uow: UnitOfWork, credential_id: str, rp_id: str) -> Passkey | None:
    """Return the acting person's active passkey of this id, locked."""
    return uow.session.scalar(
        select(Passkey)
        .where(
            Passkey.credential_id == credential_id,
            Passkey.person_id == uow.actor.id,
            Passkey.rp_id == rp_id,
            Passkey.ended_at.is_(None),
        )
        .with_for_update()
    )


def record_use(uow: UnitOfWork, passkey: Passkey, sign_count: int) -> None:
    """Store a use of the passkey.

    Refused where the counter has not grown: then the authenticator may have been cloned.
    """
    if (sign_count or passkey.sign_count) and sign_count <= passkey.sign_count:
        uow.after_refusal.append(
            partial(_record_clone, passkey_id=passkey.id, reported=sign_count, known=passkey.sign_count)
        )
        raise Refused(
            "passkey-cloned",
            "Not signed: the passkey's counter went backwards, so it may have been copied. Remove it and inform "
            "an administrator.",
            status=403,
            field="passkey",
        )
    passkey.sign_count, passkey.last_used_at = sign_count, uow.real_now


def _record_clone(uow: UnitOfWork, passkey_id: str, reported: int, known: int) -> None:
    audit_trail.record(
        uow, "passkey-cloned", "passkey", passkey_id, person=uow.actor.id, reported=reported, known=known
    )


def _get_own(uow: UnitOfWork, passkey_id: str) -> Passkey:
    passkey = uow.session.get(Passkey, passkey_id, with_for_update=True)
    if passkey is None or passkey.person_id != uow.actor.id or passkey.ended_at is not None:
        raise NotFound(Message("passkey"), passkey_id)
    return passkey


def _require_fewer(uow: UnitOfWork, person_id: str) -> list[Passkey]:
    """Return the person's passkeys; Refused where there are ``MAX_PASSKEYS``."""
    existing = list_passkeys(uow, person_id)
    if len(existing) >= MAX_PASSKEYS:
        raise Refused(
            "passkeys-enough",
            "You already have {most} passkeys: remove one that you do not use.",
            most=MAX_PASSKEYS,
        )
    return existing
