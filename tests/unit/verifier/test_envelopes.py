"""An envelope opens only as it was sealed, by a chain that holds together; openssl says the same."""

import base64
import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from seals import MemorySigner, der, new_key, signer

from services.vault.envelopes import sign_statement, statement
from services.vault.keys import signing_key
from services.verifier.chains import seal_chain
from services.verifier.envelopes import is_envelope, open_envelope
from services.verifier.invalid import Invalid

TOLD = statement({"a.pdf": "0" * 64, "a.json": "f" * 64}, "urn:footage-desk:document:v1", {"number": "SQ-1", "甲": [1]})
NOW = datetime.now(UTC)


def changed(act: Callable[[dict[str, Any]], None]) -> bytes:
    """A sealed envelope after ``act``, canonical again."""
    envelope = json.loads(sign_statement(TOLD, signer()))
    act(envelope)
    return rfc8785.dumps(envelope)


def resigned(payload: bytes, by: MemorySigner | None = None) -> bytes:
    """An envelope over any payload, with a signature that holds."""
    by = by or signer()
    kind = "application/vnd.in-toto+json"
    pae = f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload
    signature = {
        "keyid": seal_chain(by.certificate_chain).key_id,
        "sig": base64.b64encode(by.key.sign(pae, ec.ECDSA(hashes.SHA256()))).decode(),
        "x5c": [base64.b64encode(one).decode() for one in by.certificate_chain],
    }
    return rfc8785.dumps(
        {"payload": base64.b64encode(payload).decode(), "payloadType": kind, "signatures": [signature]}
    )


@pytest.mark.requirement("R37")
def test_what_was_sealed_opens_with_what_it_says_and_who_sealed_it() -> None:
    opened = open_envelope(sign_statement(TOLD, signer()))

    assert opened.statement == TOLD
    assert opened.subjects == {"a.pdf": "0" * 64, "a.json": "f" * 64}
    assert opened.predicate == {"number": "SQ-1", "甲": [1]}
    assert opened.chain.organisation == "本单位"
    assert (opened.token, opened.signed_at) == (None, None)


@pytest.mark.tool("openssl")
@pytest.mark.requirement("R37")
def test_openssl_confirms_signature_and_chain(tmp_path: Path) -> None:
    envelope = json.loads(sign_statement(TOLD, signer()))
    [signature] = envelope["signatures"]
    payload = base64.b64decode(envelope["payload"])
    kind = envelope["payloadType"].encode()
    (tmp_path / "pae").write_bytes(b" ".join([b"DSSEv1", b"%d" % len(kind), kind, b"%d" % len(payload), payload]))
    (tmp_path / "sig").write_bytes(base64.b64decode(signature["sig"]))
    for name, certificate in zip(("leaf", "root"), signature["x5c"], strict=True):
        (tmp_path / f"{name}.der").write_bytes(base64.b64decode(certificate))

    def openssl(*words: str) -> str:
        return subprocess.run(["openssl", *words], cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    for name in ("leaf", "root"):
        openssl("x509", "-inform", "DER", "-in", f"{name}.der", "-out", f"{name}.pem")
    (tmp_path / "key.pem").write_text(openssl("x509", "-in", "leaf.pem", "-noout", "-pubkey"))

    assert openssl("dgst", "-sha256", "-verify", "key.pem", "-signature", "sig", "pae") == "Verified OK\n"
    assert openssl("verify", "-x509_strict", "-CAfile", "root.pem", "leaf.pem") == "leaf.pem: OK\n"


def test_a_byte_that_changes_anywhere_in_an_envelope_is_found() -> None:
    envelope = sign_statement(TOLD, signer())
    for at in range(len(envelope)):
        for flip in (1, 0x20):
            with pytest.raises(Invalid):
                open_envelope(envelope[:at] + bytes([envelope[at] ^ flip]) + envelope[at + 1 :])


WRONG: dict[str, Callable[[dict[str, Any]], None]] = {
    "another type": lambda one: one.update(payloadType="application/json"),
    "no signature": lambda one: one.update(signatures=[]),
    "two signatures": lambda one: one["signatures"].append(one["signatures"][0]),
    "something beside": lambda one: one.update(note="x"),
    "something in the signature": lambda one: one["signatures"][0].update(alg="none"),
    "no certificates": lambda one: one["signatures"][0].update(x5c=[]),
    "the leaf alone": lambda one: one["signatures"][0]["x5c"].pop(),
    "the root alone": lambda one: one["signatures"][0]["x5c"].pop(0),
    "root first": lambda one: one["signatures"][0]["x5c"].reverse(),
    "the root twice": lambda one: one["signatures"][0]["x5c"].append(one["signatures"][0]["x5c"][1]),
    "another root": lambda one: one["signatures"][0]["x5c"].__setitem__(
        1, base64.b64encode(signer("another").certificate_chain[1]).decode()
    ),
    "another leaf": lambda one: one["signatures"][0].update(
        x5c=[base64.b64encode(der).decode() for der in signer("another").certificate_chain]
    ),
    "another key id": lambda one: one["signatures"][0].update(keyid="0" * 64),
    "a token that is none": lambda one: one["signatures"][0].update(rfc3161=""),
    "base64 without padding": lambda one: one["signatures"][0].update(
        sig=one["signatures"][0]["sig"].rstrip("=") + "A"
    ),
    "certificates in one text": lambda one: one["signatures"][0].update(x5c="".join(one["signatures"][0]["x5c"])),
    "no object": lambda one: one["signatures"].__setitem__(0, "signature"),
}


@pytest.mark.parametrize("act", WRONG.values(), ids=WRONG.keys())
def test_an_envelope_that_is_built_otherwise_is_refused(act: Callable[[dict[str, Any]], None]) -> None:
    with pytest.raises(Invalid) as told:
        open_envelope(changed(act))
    assert str(told.value).endswith(".")


@pytest.mark.parametrize(
    "payload",
    [
        rfc8785.dumps(TOLD).replace(b'"_type"', b'"_type":"x","_type"'),
        json.dumps(TOLD).encode(),
        rfc8785.dumps(TOLD) + b"\n",
        rfc8785.dumps({**TOLD, "_type": "https://in-toto.io/Statement/v0.1"}),
        rfc8785.dumps({**TOLD, "subject": []}),
        rfc8785.dumps({**TOLD, "subject": [TOLD["subject"][0]] * 2}),
        rfc8785.dumps({**TOLD, "subject": [{"name": "a", "digest": {"sha256": "F" * 64}}]}),
        rfc8785.dumps({**TOLD, "subject": [{"name": "a", "digest": {"sha256": "f" * 64, "md5": "0"}}]}),
        rfc8785.dumps({**TOLD, "predicate": "said"}),
        rfc8785.dumps({**TOLD, "more": 1}),
        rfc8785.dumps([TOLD]),
        b"[" * 100_000,
        b"\xff",
        b"",
    ],
)
def test_a_statement_that_is_signed_and_none_all_the_same_is_refused(payload: bytes) -> None:
    assert open_envelope(resigned(rfc8785.dumps(TOLD))).statement == TOLD
    with pytest.raises(Invalid):
        open_envelope(resigned(payload))


def test_the_envelopes_own_text_is_canonical() -> None:
    envelope = sign_statement(TOLD, signer())
    for other in (envelope + b" ", json.dumps(json.loads(envelope)).encode(), envelope[:-1] + b',"payload":""}'):
        with pytest.raises(Invalid):
            open_envelope(other)


def test_old_labels_are_told_from_envelopes() -> None:
    assert is_envelope(json.loads(sign_statement(TOLD, signer())))
    assert not is_envelope(TOLD)
    assert not is_envelope([])


@pytest.mark.parametrize("length", [31, 33])
def test_only_a_digest_is_signed(length: int, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        signing_key.ensure_signing_key(tmp_path / "seal", "本单位", NOW).sign(bytes(length))


# Certificates that do not hold together, however well each is signed.


def made(
    key: ec.EllipticCurvePrivateKey,
    by: ec.EllipticCurvePrivateKey,
    *extensions: tuple[x509.ExtensionType, bool],
    subject: str = "leaf",
    issuer: str = "root",
    begins: timedelta = timedelta(0),
    method: hashes.HashAlgorithm | None = None,
) -> bytes:
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + begins)
        .not_valid_after(NOW + begins + timedelta(days=30))
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return der(builder.sign(by, method or hashes.SHA256()))


CA = (x509.BasicConstraints(ca=True, path_length=0), True)
NO_CA = (x509.BasicConstraints(ca=False, path_length=None), True)
VOUCHES = (signing_key._usage("key_cert_sign"), True)
SIGNS = (signing_key._usage("digital_signature"), True)
BOTH = (signing_key._usage("digital_signature", "key_cert_sign"), True)
STRANGE = (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True)
ROOT, LEAF, OTHER = new_key(), new_key(), new_key()
P384 = ec.generate_private_key(ec.SECP384R1())


def root(*extensions: tuple[x509.ExtensionType, bool], **named: Any) -> bytes:
    return made(ROOT, ROOT, *(extensions or (CA, VOUCHES)), subject="root", **named)


def leaf(*extensions: tuple[x509.ExtensionType, bool], **named: Any) -> bytes:
    return made(named.pop("key", LEAF), named.pop("by", ROOT), *(extensions or (NO_CA, SIGNS)), **named)


CHAINS = {
    "a root that is no authority": [leaf(), root(NO_CA, VOUCHES)],
    "a root that says nothing of it": [leaf(), root(VOUCHES)],
    "an authority by a word that may be left unheeded": [leaf(), root((CA[0], False), VOUCHES)],
    "a root that may not vouch": [leaf(), root(CA, SIGNS)],
    "a root without a use": [leaf(), root(CA)],
    "a leaf that is an authority": [leaf((x509.BasicConstraints(True, None), True), SIGNS), root()],
    "a leaf that may not sign": [leaf(NO_CA, VOUCHES), root()],
    "a leaf that may vouch too": [leaf(NO_CA, BOTH), root()],
    "a leaf without a use": [leaf(NO_CA), root()],
    "a leaf by another key": [leaf(by=OTHER), root()],
    "a leaf of another issuer": [leaf(issuer="another"), root()],
    "a leaf on another curve": [leaf(key=P384), root()],
    "a leaf that begins before its root": [leaf(begins=timedelta(days=-1)), root()],
    "a leaf that begins after its root has ended": [leaf(begins=timedelta(days=31)), root()],
    "a leaf with something critical that nobody knows": [leaf(NO_CA, SIGNS, STRANGE), root()],
    "a root with something critical that nobody knows": [leaf(), root(CA, VOUCHES, STRANGE)],
    "a hash that is not allowed": [leaf(method=hashes.SHA224()), root()],
    "one authority more than the root allows": [
        leaf(by=OTHER, issuer="between"),
        made(OTHER, ROOT, CA, VOUCHES, subject="between"),
        root(),
    ],
    "a root by another": [leaf(), made(ROOT, OTHER, CA, VOUCHES, subject="root")],
    "no root at the end": [leaf(), made(ROOT, OTHER, CA, VOUCHES, subject="root", issuer="above")],
    "a root alone": [root()],
    "nothing": [],
    "no certificate": [b"certificate", root()],
    "something behind the leaf": [leaf() + b"\0", root()],
    "more than a chain needs": [leaf()] + [root()] * 5,
}


def test_a_chain_that_holds_together_is_taken() -> None:
    assert seal_chain([leaf(), root()]).leaf.subject.rfc4514_string() == "CN=leaf"


@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS.keys())
def test_a_chain_that_does_not_hold_together_is_refused(chain: list[bytes]) -> None:
    with pytest.raises(Invalid) as told:
        seal_chain(chain)
    assert str(told.value).endswith(".")


def test_a_signature_by_a_key_that_is_not_the_leafs_is_refused() -> None:
    with pytest.raises(Invalid, match="another"):
        open_envelope(resigned(rfc8785.dumps(TOLD), replace(signer(), key=new_key())))


def test_a_seal_knows_when_its_certificates_hold() -> None:
    chain = seal_chain(signer().certificate_chain)

    assert chain.valid_at(NOW)
    assert not chain.valid_at(NOW - timedelta(days=3))
    assert not chain.valid_at(NOW + timedelta(days=6 * 365))
    assert chain.root.not_valid_after_utc - NOW > timedelta(days=19 * 365)


@pytest.mark.tool("openssl")
def test_the_roots_fingerprint_is_the_one_that_openssl_tells(tmp_path: Path) -> None:
    chain = seal_chain(signer().certificate_chain)
    (tmp_path / "root.pem").write_bytes(chain.root.public_bytes(serialization.Encoding.PEM))
    told = subprocess.run(
        ["openssl", "x509", "-in", "root.pem", "-noout", "-fingerprint", "-sha256"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert told.strip().partition("=")[2].replace(":", "").lower() == chain.root_fingerprint
