"""An authenticator in software: makes passkeys and signs with them, soundly or not, as a test wants it."""

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from webauthn.helpers import encode_cbor

RP_ID, ORIGIN = "localhost", "http://localhost:8080"
USER_PRESENT, USER_VERIFIED, ATTESTED = 0x01, 0x04, 0x40
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | Ed25519PrivateKey


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass
class SoftPasskey:
    """One passkey. ``flags`` and ``sign_count`` are what it will say; ``counts`` whether it counts at all."""

    key: Key = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    rp_id: str = RP_ID
    origin: str = ORIGIN
    flags: int = USER_PRESENT | USER_VERIFIED
    sign_count: int = 0
    counts: bool = True

    @property
    def pem(self) -> str:
        return self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def attestation(self, challenge: str, /, **client_data: Any) -> dict[str, Any]:
        """The answer of ``navigator.credentials.create``; ``challenge`` is base64url, as the options have it."""
        told = self._client_data("webauthn.create", challenge, **client_data)
        attested = (
            bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id + encode_cbor(self._cose())
        )
        made = {"fmt": "none", "attStmt": {}, "authData": self._data(self.flags | ATTESTED) + attested}
        return {
            "credentialId": base64url(self.credential_id),
            "clientDataJSON": base64url(told),
            "attestationObject": base64url(encode_cbor(made)),
        }

    def assertion(self, challenge: str, /, **client_data: Any) -> dict[str, Any]:
        """The answer of ``navigator.credentials.get``."""
        if self.counts:
            self.sign_count += 1
        told = self._client_data("webauthn.get", challenge, **client_data)
        data = self._data(self.flags)
        return {
            "credentialId": base64url(self.credential_id),
            "clientDataJSON": base64url(told),
            "authenticatorData": base64url(data),
            "signature": base64url(self._sign(data + hashlib.sha256(told).digest())),
        }

    def kept(self, sha256: str, /, **client_data: Any) -> dict[str, Any]:
        """What is kept of a signature of the statement with this hash (hex)."""
        made = self.assertion(base64url(bytes.fromhex(sha256)), **client_data)
        return {**made, "publicKey": self.pem, "rpId": self.rp_id, "origin": self.origin}

    def _client_data(self, kind: str, challenge: str, /, **more: Any) -> bytes:
        told = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False, **more}
        return json.dumps(told, separators=(",", ":")).encode()

    def _data(self, flags: int) -> bytes:
        return hashlib.sha256(self.rp_id.encode()).digest() + bytes([flags]) + self.sign_count.to_bytes(4, "big")

    def _sign(self, data: bytes) -> bytes:
        if isinstance(self.key, ec.EllipticCurvePrivateKey):
            return self.key.sign(data, ec.ECDSA(SHA256()))
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(data, padding.PKCS1v15(), SHA256())
        return self.key.sign(data)

    def _cose(self) -> dict[int, Any]:
        public = self.key.public_key()
        if isinstance(public, ec.EllipticCurvePublicKey):
            numbers = public.public_numbers()
            return {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        if isinstance(public, rsa.RSAPublicKey):
            rsa_numbers = public.public_numbers()
            return {1: 3, 3: -257, -1: rsa_numbers.n.to_bytes(256, "big"), -2: rsa_numbers.e.to_bytes(3, "big")}
        return {1: 1, 3: -8, -1: 6, -2: public.public_bytes(Encoding.Raw, PublicFormat.Raw)}
