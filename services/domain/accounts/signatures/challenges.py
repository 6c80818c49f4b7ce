"""Store challenges for passkeys: enrolments, and statements to sign.

They are short-lived and used once. An act builds its statement and ends in ``Prepared`` without writing anything. When
the act is repeated with the passkey's answer, the statement is built again and has to equal the one that was shown.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any, Literal
from urllib.parse import urlsplit

import rfc8785
from sqlalchemy import delete
from webauthn import generate_authentication_options
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, options_to_json_dict
from webauthn.helpers.structs import PublicKeyCredentialDescriptor, UserVerificationRequirement

from services.database.tables.passkeys import PasskeyChallenge
from services.database.unit_of_work import UnitOfWork
from services.runtime.errors import Refused
from services.runtime.settings import Settings

DEFAULT_PORTS = {"https": 443, "http": 80}
LIFETIME = timedelta(minutes=5)
Kind = Literal["enrolment", "signature"]


@dataclass(frozen=True)
class RelyingParty:
    """The host that passkeys belong to, and the origin they answer at."""

    rp_id: str
    origin: str


class Prepared(Exception):
    """Ends an act before it writes; carries the statement to sign."""

    def __init__(self, pending: str, person_id: str, statement: dict[str, Any], stated_at: datetime) -> None:
        super().__init__("prepared to be signed, and not done")
        self.pending = pending
        self.person_id = person_id
        self.statement = statement
        self.stated_at = stated_at


@dataclass(frozen=True)
class SigningRequest:
    """What the browser needs to sign.

    The statement as it is hashed, its hash, and the options of ``credentials.get``.
    """

    pending: str
    statement: str
    sha256: str
    options: dict[str, Any]


def store(
    uow: UnitOfWork, prepared: Prepared, relying_party: RelyingParty, credential_ids: Sequence[str]
) -> SigningRequest:
    """Store a prepared statement and return the browser's options."""
    statement = rfc8785.dumps(prepared.statement)
    digest = hashlib.sha256(statement).digest()
    challenge = add(
        uow,
        prepared.pending,
        "signature",
        person_id=prepared.person_id,
        relying_party=relying_party,
        challenge=bytes_to_base64url(digest),
        statement=statement.decode(),
        stated_at=prepared.stated_at,
    )
    options = generate_authentication_options(
        rp_id=relying_party.rp_id,
        challenge=digest,
        timeout=LIFETIME // timedelta(milliseconds=1),
        allow_credentials=[
            PublicKeyCredentialDescriptor(id=base64url_to_bytes(credential_id)) for credential_id in credential_ids
        ],
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return SigningRequest(challenge.id, statement.decode(), digest.hex(), options_to_json_dict(options))


def add(
    uow: UnitOfWork,
    challenge_id: str,
    kind: Kind,
    *,
    person_id: str,
    relying_party: RelyingParty,
    challenge: str,
    **more: Any,
) -> PasskeyChallenge:
    """Add a challenge, and delete the person's expired ones."""
    uow.session.execute(
        delete(PasskeyChallenge).where(
            PasskeyChallenge.person_id == person_id, PasskeyChallenge.made_at <= uow.real_now - LIFETIME
        )
    )
    row = PasskeyChallenge(
        id=challenge_id,
        person_id=person_id,
        kind=kind,
        challenge=challenge,
        rp_id=relying_party.rp_id,
        origin=relying_party.origin,
        made_at=uow.real_now,
        **more,
    )
    uow.session.add(row)
    uow.session.flush()
    return row


def find(uow: UnitOfWork, challenge_id: str, kind: Kind) -> PasskeyChallenge | None:
    """Return the acting person's challenge, locked, while it is valid."""
    row = uow.session.get(PasskeyChallenge, challenge_id, with_for_update=True)
    if row is None or row.kind != kind or row.person_id != uow.actor.id or row.used_at is not None:
        return None
    return row if uow.real_now < row.made_at + LIFETIME else None


def consume(uow: UnitOfWork, challenge_id: str, kind: Kind) -> PasskeyChallenge:
    """Return a valid challenge and mark it used, or refuse."""
    row = find(uow, challenge_id, kind)
    if row is None:
        raise Refused(
            "challenge-over",
            "The passkey request has expired or was already used: try again.",
            field="passkey",
        )
    row.used_at = uow.real_now
    return row


def relying_party_of(settings: Settings) -> RelyingParty | None:
    """Return host and origin of the portal's public address.

    By default this machine's ``localhost``. None for a bare IP address, where browsers offer no passkeys.
    """
    origin = (settings.portal.public_url or f"http://localhost:{settings.portal.port}").rstrip("/")
    address = urlsplit(origin)
    host = address.hostname or ""
    try:
        ip_address(host)
    except ValueError:
        default_port = f":{DEFAULT_PORTS.get(address.scheme)}"  # browsers omit it
        return (
            RelyingParty(host, f"{address.scheme}://{address.netloc.lower().removesuffix(default_port)}")
            if host
            else None
        )
    return None


def require_relying_party(settings: Settings) -> RelyingParty:
    """Return the relying party. Refused where there is none."""
    relying_party = relying_party_of(settings)
    if relying_party is None:
        raise Refused(
            "passkeys-nowhere",
            "The portal was opened by its IP address, where browsers do not support passkeys: ask the "
            "administrator to set a host name (FOOTAGE_DESK_PORTAL__PUBLIC_URL).",
        )
    return relying_party
