"""Passkeys: keys in a person's phone, computer or token that sign for them (WebAuthn, user verification required)."""

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
    """What the browser needs to make a passkey; ``id`` goes back with it."""

    id: str
    options: dict[str, Any]


def list_passkeys(uow: UnitOfWork, person_id: str, place: RelyingParty | None = None) -> list[Passkey]:
    """The passkeys that the person has, the oldest first; with ``place`` those that answer there."""
    return list(uow.session.scalars(select_passkeys(person_id, place).order_by(Passkey.added_at)))


def select_passkeys(person_id: str, place: RelyingParty | None = None) -> Select[Passkey]:
    """The query of those."""
    query = select(Passkey).where(Passkey.person_id == person_id, Passkey.ended_at.is_(None))
    return query if place is None else query.where(Passkey.rp_id == place.rp_id)


def begin_enrolment(uow: UnitOfWork, person_id: str, place: RelyingParty, proved_by: str) -> Enrolment:
    """Begin to add a passkey; one that is there already is not made again by the same authenticator."""
    person = uow.session.get_one(Person, person_id)
    there = list_passkeys(uow, person_id)
    if len(there) >= MAX_PASSKEYS:
        raise Refused(
            "passkeys-enough",
            "There are {most} passkeys already: remove one that you do not use.",
            most=MAX_PASSKEYS,
        )
    challenge = secrets.token_bytes(32)
    row = signature_challenges.add(
        uow,
        new_id(),
        "enrolment",
        person_id=person_id,
        place=place,
        challenge=bytes_to_base64url(challenge),
        proved_by=proved_by,
    )
    options = generate_registration_options(
        rp_id=place.rp_id,
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
            PublicKeyCredentialDescriptor(id=base64url_to_bytes(one.credential_id))
            for one in there
            if one.rp_id == place.rp_id
        ],
        supported_pub_key_algs=ALGORITHMS,
    )
    audit_trail.record(uow, "passkey-enrolment-started", "person", person_id)
    return Enrolment(row.id, options_to_json_dict(options))


def finish_enrolment(uow: UnitOfWork, person_id: str, enrolment_id: str, made: dict[str, str], name: str) -> Passkey:
    """The browser's new passkey becomes the person's. Refused where it is not sound.

    ``made``: credentialId, clientDataJSON and attestationObject, in base64url.
    """
    challenge = signature_challenges.consume(uow, enrolment_id, "enrolment")
    credential = {
        "id": made["credentialId"],
        "rawId": made["credentialId"],
        "type": "public-key",
        "response": {"clientDataJSON": made["clientDataJSON"], "attestationObject": made["attestationObject"]},
    }
    try:
        sound = verify_registration_response(
            credential=credential,
            expected_challenge=base64url_to_bytes(challenge.challenge),
            expected_rp_id=challenge.rp_id,
            expected_origin=challenge.origin,
            require_user_verification=True,
            supported_pub_key_algs=ALGORITHMS,
        )
        key = decoded_public_key_to_cryptography(decode_credential_public_key(sound.credential_public_key))
        pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (WebAuthnException, ValueError) as error:
        raise Refused(
            "passkey-unsound",
            "The passkey was not added: the authenticator's answer will not do. Try again with a "
            "device that asks for your PIN, finger or face.",
            status=422,
            field="passkey",
        ) from error
    credential_id = bytes_to_base64url(sound.credential_id)
    if uow.session.scalar(select(Passkey.id).where(Passkey.credential_id == credential_id)) is not None:
        raise Refused("passkey-known", "This passkey was added before.", field="passkey")
    passkey = Passkey(
        id=new_id(),
        person_id=person_id,
        credential_id=credential_id,
        public_key=pem,
        rp_id=challenge.rp_id,
        name=name,
        proved_by=challenge.proved_by or "password",
        added_at=uow.real_now,
        sign_count=sound.sign_count,
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
    return passkey


def rename(uow: UnitOfWork, passkey_id: str, name: str) -> Passkey:
    """Call one of one's own passkeys something else."""
    passkey = _get_own(uow, passkey_id)
    passkey.name = name
    audit_trail.record(uow, "passkey-renamed", "passkey", passkey.id, person=passkey.person_id)
    return passkey


def remove(uow: UnitOfWork, passkey_id: str) -> Passkey:
    """One of one's own passkeys signs nothing any more; what it has signed stays signed."""
    passkey = _get_own(uow, passkey_id)
    passkey.ended_at = uow.real_now
    audit_trail.record(uow, "passkey-removed", "passkey", passkey.id, person=passkey.person_id)
    return passkey


def end_all(uow: UnitOfWork, person_id: str, action: str) -> int:
    """The person's passkeys sign nothing any more; how many. ``action`` is audited for each."""
    there = list_passkeys(uow, person_id)
    for passkey in there:
        passkey.ended_at = uow.real_now
        audit_trail.record(uow, action, "passkey", passkey.id, person=person_id)
    return len(there)


def find_own(uow: UnitOfWork, credential_id: str, rp_id: str) -> Passkey | None:
    """The acting person's passkey with this id, locked; None where there is none, or none any more."""
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
    """Note a use. Refused where the count has not grown: then there are two of what should be one authenticator."""
    if (sign_count or passkey.sign_count) and sign_count <= passkey.sign_count:
        uow.after_refusal.append(
            partial(_record_clone, passkey_id=passkey.id, reported=sign_count, known=passkey.sign_count)
        )
        raise Refused(
            "passkey-cloned",
            "The passkey counts backwards and may have been cloned, so nothing was signed: "
            "remove it, and tell an administrator.",
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
