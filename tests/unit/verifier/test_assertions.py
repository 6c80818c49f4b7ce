"""A kept signature by passkey is checked offline, and every way in which it could be another's is seen."""

import base64
import hashlib
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from soft_passkey import ORIGIN, RP_ID, USER_PRESENT, USER_VERIFIED, Key, SoftPasskey, base64url

from services.verifier.assertions import check_assertion
from services.verifier.invalid import Invalid

SHA256 = hashlib.sha256(b"a statement").hexdigest()
OTHER = hashlib.sha256(b"another statement").hexdigest()


@pytest.mark.requirement("R25", refuses=True)
@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP256R1()),
        rsa.generate_private_key(65537, 2048),
        Ed25519PrivateKey.generate(),
    ],
    ids=["ES256", "RS256", "EdDSA"],
)
def test_a_sound_assertion_names_its_passkey(key: Key) -> None:
    passkey = SoftPasskey(key=key)
    found = check_assertion(passkey.kept(SHA256), SHA256, rp_id=RP_ID, origin=ORIGIN)
    assert (found.credential_id, found.sign_count) == (passkey.credential_id, 1)
    with pytest.raises(Invalid, match="another statement"):
        check_assertion(passkey.kept(SHA256), OTHER)


@pytest.mark.requirement("R25", refuses=True)
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"flags": USER_PRESENT}, "did not verify"),
        ({"flags": USER_VERIFIED}, "nobody was present"),
        ({"origin": "http://localhost.example"}, "does not belong"),
        ({"origin": "http://footage.example", "rp_id": "footage.example"}, "not secure"),
        ({"origin": "https://nofootage.example", "rp_id": "footage.example"}, "does not belong"),
        ({"origin": "https://a.example", "rp_id": "example"}, "does not belong"),
        ({"key": ec.generate_private_key(ec.SECP384R1())}, "of no kind"),
        ({"key": rsa.generate_private_key(65537, 1024)}, "of no kind"),  # noqa: S505  too short is what is refused
    ],
)
def test_what_the_authenticator_may_not_say(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(Invalid, match=sentence):
        check_assertion(SoftPasskey(**change).kept(SHA256), SHA256)


@pytest.mark.parametrize(
    ("client_data", "sentence"),
    [
        ({"type": "webauthn.create"}, "no signature"),
        ({"origin": "https://elsewhere.example"}, "comes from"),
        ({"crossOrigin": True}, "within a page"),
        ({"challenge": base64url(bytes.fromhex(OTHER))}, "another statement"),
        ({"challenge": 7}, "another statement"),
    ],
)
def test_what_the_browser_may_not_say(client_data: dict[str, Any], sentence: str) -> None:
    with pytest.raises(Invalid, match=sentence):
        check_assertion(SoftPasskey().kept(SHA256, **client_data), SHA256)


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("publicKey", SoftPasskey().pem, "by this key"),
        ("publicKey", "no key", "cannot be read"),
        ("rpId", "example.com", "does not belong"),
        ("origin", "http://localhost:9", "comes from"),
        ("signature", base64url(b"nothing"), "by this key"),
        ("signature", "***", "no base64url"),
        ("signature", "", "empty"),
        ("signature", 7, "no text"),
        ("authenticatorData", base64url(bytes(36)), "cut off"),
        ("authenticatorData", base64url(bytes(37)), "another place"),
        ("clientDataJSON", base64url(b"\xff"), "cannot be read"),
        ("clientDataJSON", base64url(b"[" * 9000), "cannot be read"),
        ("clientDataJSON", base64url(b"[]"), "no object"),
        ("clientDataJSON", base64url(b'{"type":"webauthn.get","type":"webauthn.get"}'), "twice"),
        ("credentialId", "A" * 70_000, "too long"),
        ("more", "x", "exactly the fields"),
    ],
)
def test_whatever_was_exchanged_is_seen(field: str, value: Any, sentence: str) -> None:
    kept = SoftPasskey().kept(SHA256)
    with pytest.raises(Invalid, match=sentence):
        check_assertion({**kept, field: value}, SHA256)


def test_every_bit_of_what_was_signed_counts() -> None:
    kept = SoftPasskey().kept(SHA256)
    for field in ("authenticatorData", "signature"):
        data = bytearray(_bytes(kept[field]))
        for at in range(len(data)):
            data[at] ^= 1
            with pytest.raises(Invalid):
                check_assertion({**kept, field: base64url(bytes(data))}, SHA256)
            data[at] ^= 1


def test_another_place_or_hash_than_asked_for_is_refused() -> None:
    kept = SoftPasskey().kept(SHA256)
    for asked in ({"rp_id": "footage.example"}, {"origin": "http://localhost:9"}):
        with pytest.raises(Invalid, match="and not for"):
            check_assertion(kept, SHA256, **asked)
    for sha256 in ("no hash", SHA256[:-2]):
        with pytest.raises(Invalid):
            check_assertion(kept, sha256)


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
