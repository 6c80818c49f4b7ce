"""Statements under the organisation's seal: how they are signed, and how what was signed is read again.

The format is checked by `services.verifier.envelopes`, which knows nothing of us.
"""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any, Protocol

import rfc8785
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from services.vault.keys.vault_keys import Signer
from services.verifier.chains import seal_chain
from services.verifier.envelopes import PAYLOAD_TYPE, STATEMENT, Opened, open_envelope, pae

__all__ = ["CONTENT_TYPE", "Opened", "TimeStamper", "open_envelope", "seal_statement", "statement"]

CONTENT_TYPE = "application/vnd.dsse+json"


class TimeStamper(Protocol):
    """An authority that says when it saw something (RFC 3161)."""

    def stamp(self, data: bytes) -> bytes | None:
        """A DER TimeStampToken over SHA-256 of ``data``; None where the authority gave none. Blocks."""
        ...


def statement(subjects: Mapping[str, str], predicate_type: str, predicate: Mapping[str, Any]) -> dict[str, Any]:
    """An in-toto statement; ``subjects`` are the SHA-256 in hexadecimal by name."""
    return {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in subjects.items()],
        "predicateType": predicate_type,
        "predicate": dict(predicate),
    }


def seal_statement(told: Mapping[str, Any], signer: Signer, time_stamper: TimeStamper | None = None) -> bytes:
    """The statement in its signed envelope, canonical. Blocks: call it in a thread.

    What comes out has been opened again as a stranger would: raises Invalid for a statement that nobody could check,
    KeyUnusable where the seal key is not here.
    """
    payload = rfc8785.dumps(dict(told))
    chain = signer.certificate_chain
    raw = signer.sign(hashlib.sha256(pae(PAYLOAD_TYPE, payload)).digest())
    signature = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    made: dict[str, Any] = {
        "keyid": seal_chain(chain).key_id,
        "sig": _base64(signature),
        "x5c": [_base64(der) for der in chain],
    }
    token = time_stamper.stamp(signature) if time_stamper is not None else None
    if token is not None:
        made["rfc3161"] = _base64(token)
    envelope = rfc8785.dumps({"payload": _base64(payload), "payloadType": PAYLOAD_TYPE, "signatures": [made]})
    open_envelope(envelope)
    return envelope


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
