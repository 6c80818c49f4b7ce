"""Check time stamps offline (RFC 3161): an authority states that it has seen a hash, and when.

The token names the authority's certificate and carries it. Whether that authority is to be believed, the caller asks:
by certificates that came another way, or by the fingerprint of the last one that vouches for it.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from services.verifier.chains import SMALLEST_RSA, Chain, read_certificate, vouched_chain
from services.verifier.der import BOOLEAN, INTEGER, NULL, OCTETS, OID, SEQUENCE, SET, TIME, Element, only
from services.verifier.invalid import Invalid

LARGEST = 256 * 1024
_SIGNED_DATA, _TST_INFO = "1.2.840.113549.1.7.2", "1.2.840.113549.1.9.16.1.4"
_CONTENT_TYPE, _MESSAGE_DIGEST = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"
_SIGNING_CERTIFICATE, _SIGNING_CERTIFICATE_2 = "1.2.840.113549.1.9.16.2.12", "1.2.840.113549.1.9.16.2.47"
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "2.16.840.1.101.3.4.2.1": hashes.SHA256(),
    "2.16.840.1.101.3.4.2.2": hashes.SHA384(),
    "2.16.840.1.101.3.4.2.3": hashes.SHA512(),
}
_SHA256 = "2.16.840.1.101.3.4.2.1"
_RSA = "1.2.840.113549.1.1.1"
_WITH_HASH = {
    "1.2.840.113549.1.1.11": _SHA256,
    "1.2.840.113549.1.1.12": "2.16.840.1.101.3.4.2.2",
    "1.2.840.113549.1.1.13": "2.16.840.1.101.3.4.2.3",
    "1.2.840.10045.4.3.2": _SHA256,
    "1.2.840.10045.4.3.3": "2.16.840.1.101.3.4.2.2",
    "1.2.840.10045.4.3.4": "2.16.840.1.101.3.4.2.3",
}
_BY_RSA = frozenset({_RSA, *(name for name in _WITH_HASH if name.startswith("1.2.840.113549."))})
_BY_CURVE = frozenset(_WITH_HASH) - _BY_RSA
_MOMENT = re.compile(rb"(\d{14})(?:\.(\d{1,9}))?Z")
_CONTEXT_0, _CONTEXT_1, _KEY_IDENTIFIER = 0xA0, 0xA1, 0x80
_GRANTED = (0, 1)


@dataclass(frozen=True)
class TimeStamp:
    """The content of a time stamp; ``moment`` is by the authority's clock."""

    moment: datetime
    policy: str
    serial: int
    nonce: int | None
    chain: Chain

    @property
    def authority(self) -> str:
        """Return the authority's name by its certificate."""
        return self.chain.leaf.subject.rfc4514_string()

    @property
    def who(self) -> str:
        """Return the authority with the fingerprint that identifies it."""
        return f"{self.authority} (its chain ends at sha256:{self.chain.root_fingerprint})"


@dataclass(frozen=True)
class _Signer:
    sid: Element
    method: str
    attributes: Element
    signature_method: str
    signature: bytes


def check_token(token: bytes, data: bytes, trusted: Sequence[x509.Certificate] = ()) -> TimeStamp:
    """Return the time stamp over ``data``; raises Invalid unless all of it is valid.

    With ``trusted`` certificates one of them has to be, or to vouch for, the authority.
    """
    if len(token) > LARGEST:
        raise Invalid(f"the time stamp has {len(token)} bytes, more than one needs.")
    content, certificates, signer = _opened(token)
    info = _info(content, data)
    leaf = _certificate_of(signer, certificates)
    _check_attributes(signer, content, leaf)
    _check_signature(signer, leaf)
    _check_use(leaf)
    chain = vouched_chain(leaf, [*certificates, *trusted])
    if trusted and not any(certificate in trusted for certificate in chain.certificates):
        raise Invalid(f"the time stamp is by {leaf.subject.rfc4514_string()[:200]}, which is not trusted.")
    if not chain.valid_at(info.moment):
        raise Invalid("the time stamp was made outside the time of its authority's certificate.")
    return TimeStamp(info.moment, info.policy, info.serial, info.nonce, chain)


def token_of_reply(reply: bytes) -> bytes:
    """Return the token of an authority's reply (TimeStampResp); raises Invalid without one."""
    if len(reply) > LARGEST:
        raise Invalid(f"the authority's reply has {len(reply)} bytes, more than one needs.")
    parts = only(reply, SEQUENCE).parts()
    status = parts.require(SEQUENCE).parts().require(INTEGER).number()
    if status not in _GRANTED:
        raise Invalid(f"the authority has refused a time stamp (status {status}).")
    token = parts.require(SEQUENCE)
    parts.end()
    return token.raw


@dataclass(frozen=True)
class _Info:
    moment: datetime
    policy: str
    serial: int
    nonce: int | None


def _opened(token: bytes) -> tuple[bytes, list[x509.Certificate], _Signer]:
    """Return the signed content, the certificates and the one signer of a CMS SignedData (RFC 5652)."""
    outer = only(token, SEQUENCE).parts()
    if outer.require(OID).oid() != _SIGNED_DATA:
        raise Invalid("the time stamp is not signed.")
    signed = only(outer.require(_CONTEXT_0).content, SEQUENCE).parts()
    outer.end()
    if signed.require(INTEGER).number() != 3:
        raise Invalid("the time stamp is signed in a form that is not known.")
    methods = [_method(element) for element in signed.require(SET).parts()]
    inner = signed.require(SEQUENCE).parts()
    if inner.require(OID).oid() != _TST_INFO:
        raise Invalid("what is signed is no time stamp.")
    content = only(inner.require(_CONTEXT_0).content, OCTETS).content
    inner.end()
    held = signed.optional(_CONTEXT_0)
    certificates = (
        [read_certificate(element.raw, "a certificate of the time stamp") for element in held.parts()] if held else []
    )
    signers = list(signed.require(SET).parts())
    signed.end()
    if len(signers) != 1:
        raise Invalid(f"the time stamp has {len(signers)} signatures, and has to have one.")
    signer = _signer(signers[0])
    if methods != [signer.method]:
        raise Invalid("the time stamp names other hashes than it uses.")
    return content, certificates, signer


def _signer(element: Element) -> _Signer:
    parts = only(element.raw, SEQUENCE).parts()
    version = parts.require(INTEGER).number()
    sid = parts.require(SEQUENCE, _KEY_IDENTIFIER)
    if version != (3 if sid.tag == _KEY_IDENTIFIER else 1):
        raise Invalid("the time stamp is signed in a form that is not known.")
    method = _method(parts.require(SEQUENCE))
    attributes = parts.require(_CONTEXT_0)
    signature_method = _method(parts.require(SEQUENCE))
    signature = parts.require(OCTETS).content
    # What the authority has not signed along, anybody could have added.
    parts.end()
    return _Signer(sid, method, attributes, signature_method, signature)


def _method(element: Element) -> str:
    """Parse an AlgorithmIdentifier without parameters."""
    parts = only(element.raw, SEQUENCE).parts()
    name = parts.require(OID).oid()
    if (nothing := parts.optional(NULL)) is not None and nothing.content:
        raise Invalid("the time stamp uses a method in a way that is not known.")
    parts.end()
    return name


def _info(content: bytes, data: bytes) -> _Info:
    """Parse TSTInfo, whose imprint must be that of ``data``."""
    parts = only(content, SEQUENCE).parts()
    if parts.require(INTEGER).number() != 1:
        raise Invalid("the time stamp is of a version that is not known.")
    policy = parts.require(OID).oid()
    imprint = parts.require(SEQUENCE).parts()
    if _method(imprint.require(SEQUENCE)) != _SHA256:
        raise Invalid("the time stamp is over another hash than SHA-256.")
    if imprint.require(OCTETS).content != hashlib.sha256(data).digest():
        raise Invalid("the time stamp is over something else.")
    imprint.end()
    serial = parts.require(INTEGER).number()
    moment = _moment(parts.require(TIME).content)
    parts.optional(SEQUENCE)  # its accuracy
    parts.optional(BOOLEAN)
    nonce = parts.optional(INTEGER)
    parts.optional(_CONTEXT_0)
    parts.optional(_CONTEXT_1)
    parts.end()
    return _Info(moment, policy, serial, None if nonce is None else nonce.number())


def _moment(text: bytes) -> datetime:
    match = _MOMENT.fullmatch(text)
    if match is None:
        raise Invalid("the time stamp says no moment.")
    try:
        whole = datetime.strptime(match[1].decode(), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError as error:
        raise Invalid("the time stamp says no moment.") from error
    return whole + timedelta(microseconds=int((match[2] or b"0").ljust(6, b"0")[:6]))


def _certificate_of(signer: _Signer, certificates: Sequence[x509.Certificate]) -> x509.Certificate:
    for certificate in certificates:
        if _is_named(signer.sid, certificate):
            return certificate
    raise Invalid("the time stamp does not carry its authority's certificate.")


def _is_named(sid: Element, certificate: x509.Certificate) -> bool:
    if sid.tag == _KEY_IDENTIFIER:
        try:
            held = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
        except x509.ExtensionNotFound:
            return False
        return held == sid.content
    parts = sid.parts()
    issuer, serial = parts.require(SEQUENCE), parts.require(INTEGER)
    parts.end()
    return issuer.raw == certificate.issuer.public_bytes() and serial.number() == certificate.serial_number


def _check_attributes(signer: _Signer, content: bytes, leaf: x509.Certificate) -> None:
    """Check the signed attributes: content type, message digest, signing certificate."""
    attributes: dict[str, Element] = {}
    for attribute in signer.attributes.parts():
        parts = attribute.parts()
        name, values = parts.require(OID).oid(), list(parts.require(SET).parts())
        parts.end()
        if name in attributes or len(values) != 1:
            raise Invalid("the time stamp says something twice.")
        attributes[name] = values[0]
    for name in (_CONTENT_TYPE, _MESSAGE_DIGEST):
        if name not in attributes:
            raise Invalid("the time stamp's signature does not say what it is over.")
    if attributes[_CONTENT_TYPE].tag != OID or attributes[_CONTENT_TYPE].oid() != _TST_INFO:
        raise Invalid("the time stamp's signature is over another kind of thing.")
    if attributes[_MESSAGE_DIGEST].content != _digest(_hash(signer.method), content):
        raise Invalid("the time stamp's signature is over another content.")
    _check_signing_certificate(attributes, leaf)


def _check_signing_certificate(attributes: dict[str, Element], leaf: x509.Certificate) -> None:
    """Check the signing certificate: ESSCertID by SHA-1, ESSCertIDv2 by SHA-256 or a named hash (RFC 5816)."""
    newer = _SIGNING_CERTIFICATE_2 in attributes
    if not newer and _SIGNING_CERTIFICATE not in attributes:
        raise Invalid("the time stamp's signature does not name its certificate.")
    held = attributes[_SIGNING_CERTIFICATE_2 if newer else _SIGNING_CERTIFICATE]
    first = held.parts().require(SEQUENCE).parts().require(SEQUENCE).parts()
    method: hashes.HashAlgorithm = hashes.SHA1()  # noqa: S303  # of a name, which the signature below covers
    if newer:
        algorithm = first.optional(SEQUENCE)
        method = _hash(_method(algorithm) if algorithm is not None else _SHA256)
    if first.require(OCTETS).content != leaf.fingerprint(method):
        raise Invalid("the time stamp's signature names another certificate.")


def _check_signature(signer: _Signer, leaf: x509.Certificate) -> None:
    key, method = leaf.public_key(), _hash(_WITH_HASH.get(signer.signature_method, signer.method))
    # The signature is over a SET, which CMS writes as [0] where it keeps it.
    signed = bytes([SET]) + signer.attributes.raw[1:]
    try:
        if isinstance(key, rsa.RSAPublicKey) and key.key_size >= SMALLEST_RSA and signer.signature_method in _BY_RSA:
            key.verify(signer.signature, signed, padding.PKCS1v15(), method)
            return
        if isinstance(key, ec.EllipticCurvePublicKey) and signer.signature_method in _BY_CURVE:
            key.verify(signer.signature, signed, ec.ECDSA(method))
            return
    except (InvalidSignature, ValueError) as error:
        raise Invalid("the signature of the time stamp is wrong.") from error
    raise Invalid("the time stamp is signed in a way that is not known here.")


def _check_use(leaf: x509.Certificate) -> None:
    """Check that the certificate is for time stamps only, by a critical extension (RFC 3161, 2.3)."""
    try:
        use = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        use = None
    if use is None or not use.critical or list(use.value) != [ExtendedKeyUsageOID.TIME_STAMPING]:
        raise Invalid("the certificate behind the time stamp is not one for time stamps alone.")
    try:
        keys = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return
    if not (keys.digital_signature or keys.content_commitment):
        raise Invalid("the certificate behind the time stamp is not one for signatures.")


def _hash(method: str) -> hashes.HashAlgorithm:
    if method not in _HASHES:
        raise Invalid("the time stamp uses a hash that is too weak or not known.")
    return _HASHES[method]


def _digest(method: hashes.HashAlgorithm, data: bytes) -> bytes:
    return hashlib.new(method.name, data).digest()
