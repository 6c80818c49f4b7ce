"""Seals that live in memory: one of this installation's, and as many strangers' as a test wants."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.x509 import Certificate

from services.vault.keys.signer import Signer, TrustedSigners
from services.vault.keys.signing_key import issue_chain


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def der(certificate: Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


@dataclass(frozen=True)
class MemorySigner:
    key: ec.EllipticCurvePrivateKey
    certificate_chain: tuple[bytes, ...]

    def sign(self, digest: bytes) -> bytes:
        r, s = decode_dss_signature(self.key.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256()))))
        return r.to_bytes(32) + s.to_bytes(32)


def signer(name: str = "本单位") -> MemorySigner:
    """The same for the same name."""
    return _made(name)


@cache
def _made(name: str) -> MemorySigner:
    key = new_key()
    chain = issue_chain(new_key(), key, name, datetime.now(UTC))
    return MemorySigner(key, tuple(der(one) for one in chain))


def seal(name: str = "本单位") -> Signer:
    return Signer(signer(name))


def own(name: str = "本单位") -> TrustedSigners:
    """What an installation takes for its own that has had this seal for a minute."""
    root = hashlib.sha256(signer(name).certificate_chain[-1]).hexdigest()
    return TrustedSigners(frozenset({root}), datetime.now(UTC) - timedelta(minutes=1))
