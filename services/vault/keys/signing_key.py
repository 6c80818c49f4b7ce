"""The seal key (ES256): signs labels, documents and packages; an offline root certifies it.

The root is created beside the key at the first start. Its fingerprint is enough to verify everything that any seal key
under it has ever signed (docs/sealing.md, "Who signs").
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.x509.oid import NameOID

from services.runtime.translations import Message
from services.vault.keys.key_files import (
    KeyUnusable,
    make_key_folder,
    read_key_file,
    remove_second_names,
    replace_key_file,
    shred,
    write_key_file,
)
from services.verifier.chains import Chain, key_id, seal_chain
from services.verifier.invalid import Invalid

KEY_FILE = "seal-key.pem"
CHAIN_FILE = "seal-chain.pem"
NEXT_FILE = "seal-key-next.pem"
ROOT_FILE = "seal-root-TAKE-OFFLINE.pem"
OLDER = "older"  # a folder of the chains that were replaced
ROOT_LASTS = timedelta(days=20 * 365 + 5)
LEAF_LASTS = timedelta(days=5 * 365 + 1)
# A clock that is a little behind somewhere makes no certificate that is not valid yet.
BEFORE = timedelta(days=1)
_LONGEST_NAME = 64

_USES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


class SigningKey(Protocol):
    """A key that signs for the organisation (ES256). The seal key is one; the log key is another."""

    @property
    def certificate_chain(self) -> Sequence[bytes]:
        """The key's certificate and those above it, DER, the key's own first."""
        ...

    def sign(self, digest: bytes) -> bytes:
        """Sign a SHA-256 digest of 32 bytes with ES256; return r and s, 64 bytes."""
        ...


@dataclass(frozen=True)
class FileSigningKey:
    """The seal key in a file of mode 0600, read when it is used; a `SigningKey`."""

    folder: Path

    @property
    def chain(self) -> Chain:
        """Read the current certificates; raises KeyUnusable unless they form a chain."""
        return read_chain(self.folder / CHAIN_FILE)

    @property
    def certificate_chain(self) -> Sequence[bytes]:
        return tuple(certificate.public_bytes(serialization.Encoding.DER) for certificate in self.chain.certificates)

    def sign(self, digest: bytes) -> bytes:
        """Sign; raises KeyUnusable if the key is missing, open to others, or not the certificate's."""
        if len(digest) != hashlib.sha256().digest_size:
            raise ValueError("what is signed is a SHA-256 digest of 32 bytes")
        r, s = decode_dss_signature(self._key().sign(digest, ec.ECDSA(Prehashed(hashes.SHA256()))))
        return r.to_bytes(32) + s.to_bytes(32)

    def _key(self) -> ec.EllipticCurvePrivateKey:
        certified = self.chain.key_id
        # A rotation replaces the chain first and the key second: in between the key has another name.
        next_key = self.folder / NEXT_FILE
        for path in (self.folder / KEY_FILE, *([next_key] if next_key.exists() else [])):
            if key_id_of(key := read_key(path)) == certified:
                return key
        raise KeyUnusable(
            Message(
                "{chain} does not belong to {key}: restore both files from the same backup, or nobody could check what "
                "is signed.",
                chain=str(self.folder / CHAIN_FILE),
                key=KEY_FILE,
            )
        )


def ensure_signing_key(folder: Path, organisation: str, now: datetime) -> FileSigningKey:
    """Read or create the seal key in ``folder`` (mode 0700), with a root that certifies it.

    Later only the chain has to be there: a process that only verifies gets a folder without keys. Raises KeyUnusable.
    """
    make_key_folder(folder)
    if not (folder / CHAIN_FILE).exists():
        if (folder / KEY_FILE).exists() and not (folder / ROOT_FILE).exists():
            raise KeyUnusable(
                f"{folder / CHAIN_FILE} is missing beside {KEY_FILE}: restore it from its backup; without it nobody "
                "could check what is signed."
            )
        # The keys are synced before the chain: nothing is signed by a key that a crash has lost.
        root = _key_in(folder / ROOT_FILE)
        write_chain(folder / CHAIN_FILE, issue_chain(root, _key_in(folder / KEY_FILE), organisation, now))
    for name in (KEY_FILE, ROOT_FILE):
        # The root is moved offline by this name, so no other hard link may be left.
        remove_second_names(folder / name)
    _end_rotation(folder)
    key = FileSigningKey(folder)
    if (folder / KEY_FILE).exists():
        key.sign(bytes(32))
    return key


def rotate_signing_key(folder: Path, root_file: Path, now: datetime) -> tuple[Chain, Chain]:
    """Create a new seal key under the same root, destroy the old; return both chains.

    What was sealed before still verifies. ``root_file``: the root's key. Raises KeyUnusable.
    """
    _end_rotation(folder)
    before = FileSigningKey(folder).chain
    root = read_key(root_file)
    if key_id_of(root) != key_id(before.root):
        raise KeyUnusable(f"{root_file} is not the key of the root in {folder / CHAIN_FILE}: name the one that is.")
    leaf = _key_in(folder / NEXT_FILE)
    make_key_folder(folder / OLDER)
    write_chain(folder / OLDER / f"{before.seal_fingerprint[:16]}.pem", before.certificates)
    certificates = [issue_leaf(root, before.root, leaf, now), before.root]
    replace_key_file(folder / CHAIN_FILE, _pem(certificates), mode=0o644)
    _end_rotation(folder)
    return before, FileSigningKey(folder).chain


def _end_rotation(folder: Path) -> None:
    """Rename the new key if its chain is written; else the next rotation uses it."""
    next_key = folder / NEXT_FILE
    if next_key.exists() and key_id_of(read_key(next_key)) == read_chain(folder / CHAIN_FILE).key_id:
        remove_second_names(next_key)
        shred(folder / KEY_FILE)
        next_key.replace(folder / KEY_FILE)


def read_chain(path: Path) -> Chain:
    """Read the certificates of a PEM file, the leaf first; raises KeyUnusable."""
    try:
        certificates = x509.load_pem_x509_certificates(path.read_bytes())
        return seal_chain([certificate.public_bytes(serialization.Encoding.DER) for certificate in certificates])
    except OSError as error:
        raise KeyUnusable(
            Message(
                "the seal key's certificates {file} cannot be read ({error}): restore them from their backup.",
                file=str(path),
                error=error.strerror,
            )
        ) from error
    except (Invalid, ValueError) as error:
        raise KeyUnusable(
            Message(
                "the seal key's certificates {file} cannot be used ({error}): restore them from their backup.",
                file=str(path),
                error=str(error),
            )
        ) from error


def write_chain(path: Path, certificates: Sequence[x509.Certificate]) -> None:
    write_key_file(path, _pem(certificates), mode=0o644)


def _pem(certificates: Sequence[x509.Certificate]) -> str:
    return "".join(certificate.public_bytes(serialization.Encoding.PEM).decode() for certificate in certificates)


def read_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Read the private key of a PEM file of mode 0600; raises KeyUnusable."""
    try:
        key = serialization.load_pem_private_key(read_key_file(path).encode(), password=None)
    except (ValueError, TypeError) as error:
        raise KeyUnusable(
            Message("the key file {file} holds no private key: restore it from its backup.", file=str(path))
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise KeyUnusable(
            Message("the key file {file} holds no key on P-256: restore it from its backup.", file=str(path))
        )
    return key


def key_id_of(key: ec.EllipticCurvePrivateKey) -> str:
    spki = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).hexdigest()


def issue_chain(
    root: ec.EllipticCurvePrivateKey,
    leaf: ec.EllipticCurvePrivateKey,
    organisation: str,
    now: datetime,
) -> list[x509.Certificate]:
    """Issue the certificates of a root and of the leaf that it certifies."""
    name = _name(organisation, "Footage Desk root")
    root_certificate = (
        _builder(name, root, name, now, ROOT_LASTS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
        .sign(root, hashes.SHA256())
    )
    return [issue_leaf(root, root_certificate, leaf, now), root_certificate]


def issue_leaf(
    root: ec.EllipticCurvePrivateKey,
    root_certificate: x509.Certificate,
    leaf: ec.EllipticCurvePrivateKey,
    now: datetime,
) -> x509.Certificate:
    """Issue a certificate of the leaf's key by an existing root; it ends no later than the root's."""
    organisation = str(root_certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value)
    lasts = min(LEAF_LASTS, root_certificate.not_valid_after_utc - now)
    authority = root_certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        _builder(_name(organisation, "Footage Desk seal"), leaf, root_certificate.subject, now, lasts)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage("digital_signature"), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(authority), critical=False)
        .sign(root, hashes.SHA256())
    )


def _builder(
    subject: x509.Name, key: ec.EllipticCurvePrivateKey, issuer: x509.Name, now: datetime, lasts: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BEFORE)
        .not_valid_after(now + lasts)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(organisation: str, common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation[:_LONGEST_NAME]),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _usage(*uses: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{name: name in uses for name in _USES})


def _key_in(path: Path) -> ec.EllipticCurvePrivateKey:
    if not path.exists():
        pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_key_file(path, pem.decode())
    # A second caller gets the first one's key.
    return read_key(path)
