"""Time stamps of an authority: taken only where they hold, checked offline, and done without where there are none."""

import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import rfc3161_client
from cryptography.x509.oid import ExtendedKeyUsageOID
from seals import signer
from time_authority import Authority

from services.runtime import metrics
from services.vault.envelopes import open_envelope, sign_statement, statement
from services.vault.keys.signer import Signer
from services.vault.time_stamping import HttpTimeStamper, read_trusted
from services.verifier.invalid import Invalid
from services.verifier.timestamps import check_token, token_of_reply

pytestmark = pytest.mark.tool("openssl")

DATA = b"what was sealed"
TOLD = statement({"a.pdf": "0" * 64}, "urn:footage-desk:document:v1", {"number": "SQ-2026-000001"})


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("time") / "authority")


@pytest.fixture(scope="module")
def token(authority: Authority) -> bytes:
    return token_for(authority)


def token_for(authority: Authority, data: bytes = DATA) -> bytes:
    query = rfc3161_client.TimestampRequestBuilder(data, rfc3161_client.HashAlgorithm.SHA256).build()
    return token_of_reply(authority.answer(query.as_bytes()))


def stamper(url: str, authority: Authority | None = None) -> HttpTimeStamper:
    trusted = () if authority is None else read_trusted(authority.trusted)
    return HttpTimeStamper(url, trusted, pause=lambda _: None)


def counted(outcome: str) -> float:
    return metrics.REGISTRY.get_sample_value("footage_desk_timestamp_requests_total", {"outcome": outcome}) or 0.0


@pytest.mark.requirement("R37")
def test_what_is_sealed_bears_the_stamp_that_openssl_confirms(authority: Authority, tmp_path: Path) -> None:
    with authority.served() as url:
        envelope = Signer(signer(), stamper(url, authority)).sign(TOLD)

    opened = open_envelope(envelope)

    assert opened.token is not None
    assert opened.time_stamp is not None
    assert opened.signed_at == opened.time_stamp.moment
    assert abs(opened.time_stamp.moment - datetime.now(UTC)) < timedelta(minutes=5)
    assert opened.time_stamp.authority == "CN=Test time authority"
    (tmp_path / "token.der").write_bytes(opened.token)
    (tmp_path / "signature").write_bytes(opened.signature)
    verified = subprocess.run(
        [
            "openssl",
            "ts",
            "-verify",
            "-token_in",
            "-in",
            "token.der",
            "-data",
            "signature",
            "-CAfile",
            authority.trusted,
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert verified.stdout.strip() == "Verification: OK", verified.stderr


def test_a_second_implementation_reads_the_same_token(authority: Authority) -> None:
    query = rfc3161_client.TimestampRequestBuilder(DATA, rfc3161_client.HashAlgorithm.SHA256).build()
    reply = authority.answer(query.as_bytes())
    other = rfc3161_client.decode_timestamp_response(reply)
    checker = rfc3161_client.VerifierBuilder().add_root_certificate(authority.root).nonce(query.nonce).build()

    stamp = check_token(token_of_reply(reply), DATA, [authority.root])

    assert checker.verify_message(other, DATA)
    assert (stamp.moment, stamp.serial) == (other.tst_info.gen_time, other.tst_info.serial_number)
    assert (stamp.nonce, stamp.policy) == (query.nonce, other.tst_info.policy.dotted_string)


@pytest.mark.parametrize("with_rsa", [False, True])
def test_replies_with_several_certificates_are_taken_in_any_order(tmp_path: Path, with_rsa: bool) -> None:
    several = Authority(tmp_path / "authority", chain=True, with_rsa=with_rsa)

    stamp = check_token(token_for(several), DATA, [several.root])

    assert stamp.chain.root == several.root


def test_a_token_does_not_hold_for_anything_else(token: bytes) -> None:
    with pytest.raises(Invalid, match="over something else"):
        check_token(token, DATA + b"!")


def test_a_byte_that_changes_anywhere_in_a_token_is_found(authority: Authority, token: bytes) -> None:
    for at in range(len(token)):
        changed = bytearray(token)
        changed[at] ^= 1
        with pytest.raises(Invalid):
            check_token(bytes(changed), DATA, [authority.root])


@pytest.mark.parametrize("cut", [0, 1, 40, -1])
def test_a_token_that_is_cut_off_is_none(token: bytes, cut: int) -> None:
    with pytest.raises(Invalid):
        check_token(token[:cut], DATA)


def test_an_authority_that_is_not_trusted_is_named(authority: Authority, token: bytes, tmp_path: Path) -> None:
    another = Authority(tmp_path / "another")

    with pytest.raises(Invalid, match=r"Test time authority, which is not trusted|signature of CN=Test time root"):
        check_token(token, DATA, [another.root])
    assert check_token(token, DATA).chain.leaf == authority.leaf


def test_a_certificate_for_something_else_stamps_nothing(tmp_path: Path) -> None:
    query = rfc3161_client.TimestampRequestBuilder(DATA, rfc3161_client.HashAlgorithm.SHA256).build()
    with pytest.raises(subprocess.CalledProcessError):  # openssl refuses such a certificate for itself
        Authority(tmp_path / "authority", use=(ExtendedKeyUsageOID.CODE_SIGNING,)).answer(query.as_bytes())


def test_a_stamp_from_after_its_authoritys_time_does_not_hold(tmp_path: Path) -> None:
    late = Authority(tmp_path / "authority", begins=timedelta(days=-400))

    with pytest.raises(Invalid, match="outside the time of its authority"):
        check_token(token_for(late), DATA)


def test_an_authority_that_fails_twice_is_asked_a_third_time(authority: Authority) -> None:
    authority.faults[:] = [503, b"<html>Sign in</html>"]
    before = counted("granted")
    with authority.served() as url:
        assert stamper(url, authority).stamp(DATA) is not None

    assert counted("granted") == before + 1


def test_without_the_authority_what_is_sealed_has_no_stamp_and_is_counted(
    authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    before, asked = counted("failed"), authority.asked
    authority.faults[:] = [500, 500, 500]
    with authority.served() as url:
        opened = open_envelope(Signer(signer(), stamper(url, authority)).sign(TOLD))

    assert (opened.token, opened.signed_at) == (None, None)
    assert (counted("failed"), authority.asked) == (before + 1, asked + 3)
    assert stamper(url).stamp(DATA) is None, "nobody listens there any more"


def test_an_answer_to_another_question_is_no_stamp(authority: Authority) -> None:
    query = rfc3161_client.TimestampRequestBuilder(DATA, rfc3161_client.HashAlgorithm.SHA256).build()
    old = authority.answer(query.as_bytes())
    with authority.served() as url:
        authority.faults[:] = [old, old, old]
        assert stamper(url, authority).stamp(DATA) is None


def test_an_endless_answer_is_given_up() -> None:
    endless = httpx.MockTransport(lambda _: httpx.Response(200, content=bytes(1 << 20)))

    assert replace(stamper("http://time.example/"), transport=endless).stamp(DATA) is None


def test_a_stamp_of_another_signature_breaks_the_envelope(token: bytes) -> None:
    class Wrong:
        def stamp(self, data: bytes) -> bytes:
            return token

    with pytest.raises(Invalid, match="over something else"):
        sign_statement(TOLD, signer(), Wrong())
