"""Signed statements: in-toto Statement v1 in a DSSE envelope, ES256, with the key's certificate chain.

The envelope is canonical JSON, and so is the statement inside: one act of signing has one text. A signature that the
key's holder did not make is Invalid; whether the key's root is to be trusted, the caller asks by its fingerprint.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from services.verifier.canonical import read
from services.verifier.chains import Chain, seal_chain
from services.verifier.invalid import Invalid
from services.verifier.timestamps import TimeStamp, check_token

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
LARGEST = 64 * 1024 * 1024
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Opened:
    """A statement with a valid signature; ``time_stamp`` if an authority has stamped the signature."""

    statement: dict[str, Any]
    chain: Chain
    payload: bytes
    signature: bytes
    token: bytes | None
    time_stamp: TimeStamp | None

    @property
    def signed_at(self) -> datetime | None:
        """Return when an authority stamped the signature, or None."""
        return None if self.time_stamp is None else self.time_stamp.moment

    @property
    def payload_sha256(self) -> str:
        """Return the SHA-256 of the signed text."""
        return hashlib.sha256(self.payload).hexdigest()

    @property
    def leaf(self) -> x509.Certificate:
        return self.chain.leaf

    @property
    def predicate(self) -> dict[str, Any]:
        predicate: dict[str, Any] = self.statement["predicate"]
        return predicate

    @property
    def subjects(self) -> dict[str, str]:
        """Return the SHA-256 of each subject, by name."""
        return {subject["name"]: subject["digest"]["sha256"] for subject in self.statement["subject"]}


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return what is signed: DSSE's pre-authentication encoding of type and payload."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def is_envelope(value: object) -> bool:
    """Whether parsed JSON looks like an envelope, valid or not."""
    return isinstance(value, Mapping) and "payloadType" in value and "signatures" in value


def open_envelope(data: bytes) -> Opened:
    """Return the statement of an envelope; raises Invalid for anything that is wrong with it."""
    if len(data) > LARGEST:
        raise Invalid(f"the envelope has {len(data)} bytes, more than {LARGEST}.")
    envelope = read(data, "the envelope")
    _keys(envelope, {"payload", "payloadType", "signatures"}, set(), "the envelope")
    if envelope["payloadType"] != PAYLOAD_TYPE:
        raise Invalid(f"the envelope holds {envelope['payloadType']!r:.80}, and {PAYLOAD_TYPE} is wanted.")
    payload = _decoded(envelope["payload"], "the payload")
    signatures = envelope["signatures"]
    if not isinstance(signatures, list) or len(signatures) != 1:
        raise Invalid("the envelope has to have one signature.")
    signed = signatures[0]
    _keys(signed, {"keyid", "sig", "x5c"}, {"rfc3161"}, "the signature")
    if not isinstance(signed["x5c"], list):
        raise Invalid("the signature has no list of certificates.")
    certificates = [_decoded(text, f"certificate {number}") for number, text in enumerate(signed["x5c"], 1)]
    chain = seal_chain(certificates)
    if signed["keyid"] != chain.key_id:
        raise Invalid("the signature names another key than its certificate holds.")
    signature = _decoded(signed["sig"], "the signature")
    check_signature(chain, pae(PAYLOAD_TYPE, payload), signature)
    statement = _statement(payload)
    token = _decoded(signed["rfc3161"], "the time stamp") if "rfc3161" in signed else None
    return Opened(statement, chain, payload, signature, token, _stamped(token, signature, chain))


def check_type(opened: Opened, expected: str, what: str) -> None:
    """Raise Invalid unless the statement has the predicate type ``expected``, which ends with its version."""
    found = opened.statement["predicateType"]
    if found == expected:
        return
    kind, _, version = expected.rpartition(":")
    if found.startswith(f"{kind}:"):
        raise Invalid(f"it is {what} of the version {found[len(kind) + 1 :]!r:.40}, and this verifier reads {version}")
    raise Invalid(f"it is signed as something else than {what}")


def check_signature(chain: Chain, signed: bytes, signature: bytes) -> None:
    """Raise Invalid unless the leaf's key made this signature (ES256, DER) over these bytes."""
    key = chain.leaf.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise Invalid("the seal key's certificate has no key on P-256.")
    try:
        key.verify(signature, signed, ec.ECDSA(hashes.SHA256()))
        encoded = encode_dss_signature(*decode_dss_signature(signature))
    except (InvalidSignature, ValueError) as error:
        raise Invalid("the signature does not belong to this text and this key: one of the two is another.") from error
    if encoded != signature:
        raise Invalid("the signature is not in DER.")


def _stamped(token: bytes | None, signature: bytes, chain: Chain) -> TimeStamp | None:
    if token is None:
        return None
    stamp = check_token(token, signature)
    if not chain.valid_at(stamp.moment):
        raise Invalid("the envelope was sealed outside the time of the seal key's certificate.")
    return stamp


def _statement(payload: bytes) -> dict[str, Any]:
    statement = read(payload, "the statement")
    _keys(statement, {"_type", "subject", "predicateType", "predicate"}, set(), "the statement")
    if statement["_type"] != STATEMENT:
        raise Invalid(f"the statement is of the type {statement['_type']!r:.80}, and {STATEMENT} is wanted.")
    if not isinstance(statement["predicateType"], str) or not isinstance(statement["predicate"], dict):
        raise Invalid("the statement says nothing of its subjects.")
    subjects = statement["subject"]
    if not isinstance(subjects, list) or not subjects:
        raise Invalid("the statement has no subject.")
    names = set()
    for subject in subjects:
        _keys(subject, {"name", "digest"}, set(), "a subject")
        _keys(subject["digest"], {"sha256"}, set(), "a subject's digest")
        if not isinstance(subject["name"], str) or subject["name"] in names:
            raise Invalid("the statement's subjects need a name each, and no name twice.")
        if not isinstance(subject["digest"]["sha256"], str) or not _HASH.fullmatch(subject["digest"]["sha256"]):
            raise Invalid(f"the subject {subject['name']!r:.80} has no SHA-256 in hexadecimal.")
        names.add(subject["name"])
    checked: dict[str, Any] = statement
    return checked


def _keys(value: object, needed: set[str], allowed: set[str], name: str) -> None:
    if not isinstance(value, dict):
        raise Invalid(f"{name} is no object.")
    if missing := needed - set(value):
        raise Invalid(f"{name} has no {', '.join(sorted(missing))}.")
    if strange := set(value) - needed - allowed:
        raise Invalid(f"{name} has {min(strange)!r:.40}, which does not belong there.")


def _decoded(text: object, name: str) -> bytes:
    """Decode base64 with padding; only the canonical spelling is accepted."""
    try:
        data = base64.b64decode(text, validate=True) if isinstance(text, str) else None
    except (binascii.Error, ValueError):
        data = None
    if data is None or base64.b64encode(data).decode() != text:
        raise Invalid(f"{name} is not in base64.")
    return data
