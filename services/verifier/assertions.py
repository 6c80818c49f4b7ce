"""Check a signature by passkey offline: a WebAuthn assertion over a statement's hash (Level 2, 7.2).

Needs no network and no database: the public key, the address and what the authenticator answered are kept beside the
statement.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from services.verifier.invalid import Invalid

FIELDS = ("authenticatorData", "clientDataJSON", "credentialId", "origin", "publicKey", "rpId", "signature")
MOST = 64 * 1024  # characters of a field; answers of authenticators have some hundreds
LEAST_RSA = 2048
USER_PRESENT, USER_VERIFIED = 0x01, 0x04
HEAD = 37  # bytes: hash of the relying party's name, flags, sign count


@dataclass(frozen=True)
class Assertion:
    """The content of a valid assertion. ``sign_count`` is 0 if the authenticator does not count."""

    credential_id: bytes
    rp_id: str
    origin: str
    sign_count: int


def check_assertion(
    passkey: Mapping[str, Any], sha256: str, *, rp_id: str | None = None, origin: str | None = None
) -> Assertion:
    """Return the assertion if it signs the statement with this hash (hex) at its address; else raise Invalid.

    ``passkey`` is what is kept: credentialId, publicKey (PEM), rpId, origin, and in base64url authenticatorData,
    clientDataJSON and signature. ``rp_id`` and ``origin`` are compared with what is kept where they are given.
    """
    texts = _texts(passkey)
    for name, expected in (("rpId", rp_id), ("origin", origin)):
        if expected is not None and texts[name] != expected:
            raise Invalid(f"the passkey signed for {name} {texts[name]!r} and not for {expected!r}")
    client_data = _binary(texts, "clientDataJSON")
    authenticator_data = _binary(texts, "authenticatorData")
    _check_client_data(client_data, sha256, texts["origin"])
    _check_origin(texts["rpId"], texts["origin"])
    sign_count = _check_authenticator_data(authenticator_data, texts["rpId"])
    signed = authenticator_data + hashlib.sha256(client_data).digest()
    _check_signature(texts["publicKey"], _binary(texts, "signature"), signed)
    return Assertion(_binary(texts, "credentialId"), texts["rpId"], texts["origin"], sign_count)


def _texts(passkey: Mapping[str, Any]) -> dict[str, str]:
    if not isinstance(passkey, Mapping) or set(passkey) != set(FIELDS):
        raise Invalid(f"a passkey's answer has exactly the fields {', '.join(FIELDS)}")
    texts: dict[str, str] = {}
    for name in FIELDS:
        value = passkey[name]
        if not isinstance(value, str) or not 0 < len(value) <= MOST:
            raise Invalid(f"the passkey's {name} is no text, empty, or too long")
        texts[name] = value
    return texts


def _binary(texts: Mapping[str, str], name: str) -> bytes:
    """Decode base64url without padding; only the canonical spelling is accepted."""
    text = texts[name]
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid(f"the passkey's {name} is no base64url") from error
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != text:
        raise Invalid(f"the passkey's {name} is no base64url without padding")
    return data


def _check_client_data(data: bytes, sha256: str, origin: str) -> None:
    try:
        client = json.loads(data.decode("utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"the passkey's clientDataJSON cannot be read: {error}") from error
    if not isinstance(client, dict):
        raise Invalid("the passkey's clientDataJSON is no object")
    if client.get("type") != "webauthn.get":
        raise Invalid(f"the passkey's answer is a {client.get('type')!r} and no signature (webauthn.get)")
    challenge = client.get("challenge")
    try:
        expected = bytes.fromhex(sha256)
    except ValueError as error:
        raise Invalid("the statement's hash is no SHA-256 in hex") from error
    if len(expected) != 32 or challenge != base64.urlsafe_b64encode(expected).rstrip(b"=").decode():
        raise Invalid("the passkey has signed another statement than this one")
    if client.get("origin") != origin:
        raise Invalid(f"the passkey's answer comes from {client.get('origin')!r} and not from {origin!r}")
    if client.get("crossOrigin", False) is not False:
        raise Invalid("the passkey was asked from within a page of another origin")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name occurs twice in one object")
    return members


def _check_origin(rp_id: str, origin: str) -> None:
    """Check that the relying party is the origin's host or a domain above it, with TLS except on localhost."""
    try:
        address = urlsplit(origin)
        host = address.hostname or ""
    except ValueError as error:
        raise Invalid(f"the passkey's origin {origin!r} is no address") from error
    if host != rp_id and not ("." in rp_id and host.endswith(f".{rp_id}")):
        raise Invalid(f"the origin {origin!r} does not belong to {rp_id!r}")
    if address.scheme != "https" and not (address.scheme == "http" and (host + ".").endswith("localhost.")):
        raise Invalid(f"the origin {origin!r} is not secure")


def _check_authenticator_data(data: bytes, rp_id: str) -> int:
    if len(data) < HEAD:
        raise Invalid("the authenticator's data is cut off")
    if data[:32] != hashlib.sha256(rp_id.encode()).digest():
        raise Invalid(f"the authenticator signed for another place than {rp_id!r}")
    flags = data[32]
    if not flags & USER_PRESENT:
        raise Invalid("the authenticator says that nobody was present")
    if not flags & USER_VERIFIED:
        raise Invalid("the authenticator did not verify who was present")
    return int.from_bytes(data[33:HEAD], "big")


def _check_signature(pem: str, signature: bytes, signed: bytes) -> None:
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Invalid("the passkey's public key cannot be read") from error
    try:
        match key:
            case ec.EllipticCurvePublicKey() if isinstance(key.curve, ec.SECP256R1):
                key.verify(signature, signed, ec.ECDSA(SHA256()))
            case rsa.RSAPublicKey() if key.key_size >= LEAST_RSA:
                key.verify(signature, signed, padding.PKCS1v15(), SHA256())
            case Ed25519PublicKey():
                key.verify(signature, signed)
            case _:
                raise Invalid("the passkey's public key is of no kind that is taken (ES256, RS256, EdDSA)")
    except InvalidSignature as error:
        raise Invalid("the passkey's signature is not of this statement by this key") from error
