"""Signed statements: how they are signed, and how they are read again.

`services.verifier.envelopes` checks the format independently of this package.
"""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any, Protocol

import rfc8785
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from services.vault.keys.signing_key import SigningKey
from services.verifier.chains import seal_chain
from services.verifier.envelopes import PAYLOAD_TYPE, STATEMENT, Opened, open_envelope, pae

__all__ = ["CONTENT_TYPE", "Opened", "TimeStamper", "open_envelope", "sign_statement", "statement"]

CONTENT_TYPE = "application/vnd.dsse+json"


class TimeStamper(Protocol):
    """An authority that says when it saw something (RFC 3161)."""

    def stamp(self, data: bytes) -> bytes | None:
        """A DER TimeStampToken over SHA-256 of ``data``; None where the authority gave none. Blocks."""
        ...


def statement(subjects: Mapping[str, str], predicate_type: str, predicate: Mapping[str, Any]) -> dict[str, Any]:
    """Build an in-toto statement; ``subjects`` maps names to SHA-256 in hexadecimal."""
    return {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in subjects.items()],
        "predicateType": predicate_type,
        "predicate": dict(predicate),
    }


def sign_statement(content: Mapping[str, Any], key: SigningKey, time_stamper: TimeStamper | None = None) -> bytes:
    """Sign a statement and return its envelope as canonical JSON. Blocks: call it in a thread.

    The envelope is opened again before it is returned, as a verifier would: raises Invalid for a statement that
    cannot be checked, and KeyUnusable where the seal key is not here.
    """
    payload = rfc8785.dumps(dict(content))
    chain = key.certificate_chain
    raw = key.sign(hashlib.sha256(pae(PAYLOAD_TYPE, payload)).digest())
    signature = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    signed: dict[str, Any] = {
        "keyid": seal_chain(chain).key_id,
        "sig": _base64(signature),
        "x5c": [_base64(der) for der in chain],
    }
    token = time_stamper.stamp(signature) if time_stamper is not None else None
    if token is not None:
        signed["rfc3161"] = _base64(token)
    envelope = rfc8785.dumps({"payload": _base64(payload), "payloadType": PAYLOAD_TYPE, "signatures": [signed]})
    open_envelope(envelope)
    return envelope


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
