"""Certificate chains of signers: a leaf, its issuers, and a self-signed root.

Whether the root is to be trusted is not said here: its fingerprint is compared with one that came another way.
"""

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtensionOID, NameOID

from services.verifier.invalid import Invalid

LONGEST = 5
_UNREADABLE = (
    *(ValueError, TypeError, UnsupportedAlgorithm),
    *(x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType),
)
LARGEST = 16 * 1024
_HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_PADDINGS = (padding.PKCS1v15, padding.PSS)
SMALLEST_RSA = 2048
# Extensions that are checked below; an unknown critical one would be ignored, so it is refused.
_HEEDED = {ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE, ExtensionOID.EXTENDED_KEY_USAGE}


@dataclass(frozen=True)
class Chain:
    """A valid chain, the leaf first and the root last; a single certificate is both."""

    certificates: tuple[x509.Certificate, ...]

    @property
    def leaf(self) -> x509.Certificate:
        return self.certificates[0]

    @property
    def root(self) -> x509.Certificate:
        return self.certificates[-1]

    @property
    def seal_fingerprint(self) -> str:
        """Return the SHA-256 of the leaf's DER, in hexadecimal."""
        return fingerprint(self.leaf)

    @property
    def root_fingerprint(self) -> str:
        return fingerprint(self.root)

    @property
    def key_id(self) -> str:
        """SHA-256 of the leaf's SubjectPublicKeyInfo, in hexadecimal."""
        return key_id(self.leaf)

    @property
    def organisation(self) -> str | None:
        """Return the leaf's subject, which only the root vouches for."""
        for kind in (NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME):
            for name in self.leaf.subject.get_attributes_for_oid(kind):
                return str(name.value)
        return None

    def valid_at(self, moment: datetime) -> bool:
        """Whether every certificate is valid at an aware moment."""
        return all(member.not_valid_before_utc <= moment <= member.not_valid_after_utc for member in self.certificates)


def fingerprint(certificate: x509.Certificate) -> str:
    return hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).hexdigest()


def key_id(certificate: x509.Certificate) -> str:
    spki = certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(spki).hexdigest()


def read_certificate(der: bytes, name: str = "a certificate") -> x509.Certificate:
    """Parse a certificate; raises Invalid for an invalid one, or for trailing bytes."""
    if len(der) > LARGEST:
        raise Invalid(f"{name} has {len(der)} bytes, more than a certificate needs.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            certificate = x509.load_der_x509_certificate(der)
            encoded = certificate.public_bytes(serialization.Encoding.DER)
            # What is checked later is readable from here on.
            _ = certificate.public_key(), certificate.signature_hash_algorithm, certificate.extensions
            _ = certificate.subject.rfc4514_string(), certificate.issuer.rfc4514_string()
    except _UNREADABLE as error:
        raise Invalid(f"{name} cannot be read ({str(error)[:200]}).") from error
    if encoded != der:
        raise Invalid(f"{name} is not in DER.")
    return certificate


def seal_chain(ders: Sequence[bytes]) -> Chain:
    """Return the chain of a seal key: ECDSA on P-256 throughout, a leaf that may sign and is no authority.

    Raises Invalid. Times are not asked: without a time stamp nobody knows when something was signed.
    """
    chain = _linked([read_certificate(der, f"certificate {position}") for position, der in enumerate(ders, 1)])
    for position, certificate in enumerate(chain.certificates, 1):
        key = certificate.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            raise Invalid(f"certificate {position} of the seal key has no key on P-256.")
    usage = _usage(chain.leaf, "the seal key's certificate")
    if not usage.digital_signature or usage.key_cert_sign:
        raise Invalid("the seal key's certificate is not one for signatures alone.")
    return chain


def vouched_chain(leaf: x509.Certificate, others: Sequence[x509.Certificate]) -> Chain:
    """Return the leaf with its issuers among the others, as far as they go; raises Invalid for a broken link.

    For authorities that are not ours: RSA from 2048 bits and ECDSA, SHA-256 and better. The last one need be no root.
    """
    chain = [leaf]
    while not _is_root(chain[-1]) and len(chain) < LONGEST:
        issuers = [other for other in others if other.subject == chain[-1].issuer and other not in chain]
        vouching = [issuer for issuer in issuers if _vouches(issuer, chain[-1]) is None]
        if not vouching:
            if issuers:
                raise Invalid(_vouches(issuers[0], chain[-1]) or "")
            break
        chain.append(vouching[0])
    if _is_root(chain[-1]):
        _check_signature(chain[-1], chain[-1])
    _check_lengths(chain)
    return Chain(tuple(chain))


def _linked(certificates: Sequence[x509.Certificate]) -> Chain:
    if not 2 <= len(certificates) <= LONGEST:
        raise Invalid(f"the seal key has {len(certificates)} certificates, and 2 to {LONGEST} are allowed.")
    for below, above in pairwise(certificates):
        if (fault := _vouches(above, below)) is not None:
            raise Invalid(fault)
    if not _is_root(certificates[-1]):
        raise Invalid("the last certificate is no root: another one would have to vouch for it.")
    if (fault := _vouches(certificates[-1], certificates[-1])) is not None:
        raise Invalid(fault)
    if _constraints(certificates[0]).ca:
        raise Invalid("the seal key's certificate is that of an authority.")
    _check_lengths(certificates)
    return Chain(tuple(certificates))


def _is_root(certificate: x509.Certificate) -> bool:
    return certificate.subject == certificate.issuer


def _vouches(above: x509.Certificate, below: x509.Certificate) -> str | None:
    """Return why ``above`` does not vouch for ``below``, or None if it does."""
    name = _name(above)
    if below.issuer != above.subject:
        return f"the certificate of {_name(below)} was not issued by {name}."
    try:
        if not _constraints(above).ca:
            return f"{name} has issued a certificate and is no authority."
        if not _usage(above, f"the certificate of {name}").key_cert_sign:
            return f"{name} has issued a certificate and may not."
        _heeded(above)
        _heeded(below)
        _check_signature(above, below)
    except Invalid as error:
        return str(error)
    if not (
        above.not_valid_before_utc <= below.not_valid_before_utc <= above.not_valid_after_utc
        and below.not_valid_before_utc < below.not_valid_after_utc
    ):
        return f"the certificate of {_name(below)} begins outside the time of that of {name}."
    return None


def _check_signature(above: x509.Certificate, below: x509.Certificate) -> None:
    key, method = above.public_key(), below.signature_hash_algorithm
    broken = f"the signature of {_name(above)} under the certificate of {_name(below)} is wrong."
    if not isinstance(method, _HASHES):
        raise Invalid(f"the certificate of {_name(below)} is signed over a hash that is too weak or not known.")
    try:
        chosen = below.signature_algorithm_parameters
        if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES):
            key.verify(below.signature, below.tbs_certificate_bytes, ec.ECDSA(method))
            return
        if isinstance(key, rsa.RSAPublicKey) and key.key_size >= SMALLEST_RSA and isinstance(chosen, _PADDINGS):
            key.verify(below.signature, below.tbs_certificate_bytes, chosen, method)
            return
    except (InvalidSignature, ValueError, UnsupportedAlgorithm) as error:
        raise Invalid(broken) from error
    raise Invalid(f"{_name(above)} signs with a kind of key that is too weak or not known.")


def _check_lengths(certificates: Sequence[x509.Certificate]) -> None:
    for between, certificate in enumerate(certificates[1:]):
        most = _constraints(certificate).path_length
        if most is not None and between > most:
            raise Invalid(f"{_name(certificate)} vouches for more authorities below it than it may.")


def _constraints(certificate: x509.Certificate) -> x509.BasicConstraints:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    except x509.ExtensionNotFound:
        return x509.BasicConstraints(ca=False, path_length=None)
    if extension.value.ca and not extension.critical:
        raise Invalid(f"the certificate of {_name(certificate)} calls it an authority and not critically so.")
    return extension.value


def _usage(certificate: x509.Certificate, name: str) -> x509.KeyUsage:
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound as error:
        raise Invalid(f"{name} does not say what its key is for.") from error


def _heeded(certificate: x509.Certificate) -> None:
    strange = [entry.oid for entry in certificate.extensions if entry.critical and entry.oid not in _HEEDED]
    if strange:
        raise Invalid(
            f"the certificate of {_name(certificate)} has the critical extension {strange[0].dotted_string}, which "
            "nobody here knows."
        )


def _name(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string()[:200] or "a nameless certificate"
