"""What only an S3 store can get wrong: its buckets, its account, its server, its unfinished uploads."""

import io
import random
import secrets
import shutil
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fixtures_s3 import S3Server
from minio import Minio
from minio.commonconfig import GOVERNANCE
from minio.objectlockconfig import DAYS, ObjectLockConfig
from pydantic import SecretStr

from services.runtime.settings import stores as places
from services.vault.store import s3_parts
from services.vault.store.protocol import StoreDown, StoreLocked, StoreMissing, StoreRefused
from services.vault.store.s3 import S3Store

PART = 16 << 20
pytestmark = pytest.mark.s3


@pytest.fixture
def administrator(s3_server: S3Server) -> Minio:
    return Minio(s3_server.endpoint, s3_server.access_key, s3_server.secret_key, secure=False)


@pytest.fixture
def prefix() -> str:
    return f"test-{secrets.token_hex(4)}"


def test_buckets_are_made_with_lock_and_versions_and_no_default_retention(
    s3_server: S3Server, administrator: Minio, prefix: str
) -> None:
    S3Store(s3_server.place(prefix)).ensure()
    S3Store(s3_server.place(prefix)).ensure()
    for bucket in ("quarantine", "masters", "copies", "documents", "replicas"):
        name = f"{prefix}-{bucket}"
        assert administrator.get_object_lock_config(name).mode is None
        assert administrator.get_bucket_versioning(name).status == "Enabled"


@pytest.mark.requirement("R52", refuses=True)
def test_a_bucket_without_object_lock_is_refused(s3_server: S3Server, administrator: Minio, prefix: str) -> None:
    administrator.make_bucket(f"{prefix}-masters")
    with pytest.raises(StoreRefused, match=r"without object lock.*FOOTAGE_DESK_STORE__PREFIX"):
        S3Store(s3_server.place(prefix)).ensure()


def test_a_bucket_with_default_retention_is_refused(s3_server: S3Server, administrator: Minio, prefix: str) -> None:
    administrator.make_bucket(f"{prefix}-masters", object_lock=True)
    administrator.set_object_lock_config(f"{prefix}-masters", ObjectLockConfig(GOVERNANCE, 1, DAYS))
    with pytest.raises(StoreRefused, match="default retention"):
        S3Store(s3_server.place(prefix)).ensure()


def test_a_bucket_that_is_not_there_is_named(s3_server: S3Server, prefix: str) -> None:
    with pytest.raises(StoreRefused, match=f"{prefix}-masters|bucket"):
        S3Store(s3_server.place(prefix)).put("masters", "1/1", io.BytesIO(b"footage"), metadata={})


def test_a_wrong_secret_says_what_to_set(s3_server: S3Server, s3_place: places.S3Store, key: str) -> None:
    wrong = "not-the-secret"
    store = S3Store(s3_server.place(s3_place.prefix, secret_key=wrong))
    for call in (
        store.ensure,
        lambda: store.put("masters", key, io.BytesIO(b"footage"), metadata={}),
        lambda: store.stat("masters", key),
        lambda: list(store.get("masters", key)),
    ):
        with pytest.raises(StoreRefused, match="FOOTAGE_DESK_STORE__SECRET_KEY") as refused:
            call()
        assert wrong not in str(refused.value)


@pytest.mark.requirement("R52", refuses=True)
def test_the_administrator_cannot_delete_what_is_locked(
    s3_place: places.S3Store, administrator: Minio, key: str
) -> None:
    store = S3Store(s3_place)
    stored = store.put("masters", key, io.BytesIO(b"footage"), metadata={})
    store.retain("masters", key, stored.version_id, datetime.now(UTC) + timedelta(hours=1))
    with pytest.raises(Exception, match=r"AccessDenied|InvalidRequest"):
        administrator.remove_object(f"{s3_place.prefix}-masters", key, stored.version_id)
    assert b"".join(store.get("masters", key, version_id=stored.version_id)) == b"footage"


def test_a_delete_marker_hides_nothing_from_the_rules(s3_place: places.S3Store, administrator: Minio, key: str) -> None:
    store = S3Store(s3_place)
    stored = store.put("masters", key, io.BytesIO(b"footage"), metadata={}, legal_hold=True)
    administrator.remove_object(f"{s3_place.prefix}-masters", key)
    assert store.stat("masters", key) is None
    assert store.stat("masters", key, stored.version_id) is not None
    assert b"".join(store.get("masters", key, version_id=stored.version_id)) == b"footage"
    with pytest.raises(Exception, match="never overwritten"):
        store.put("masters", key, io.BytesIO(b"other"), metadata={})
    with pytest.raises(StoreLocked):
        store.delete("masters", key, stored.version_id)
    store.set_legal_hold("masters", key, stored.version_id, False)
    assert store.delete("masters", key, stored.version_id)


def test_sweep_aborts_the_unfinished_uploads_of_exactly_this_key(
    s3_place: places.S3Store, administrator: Minio, key: str
) -> None:
    store, bucket = S3Store(s3_place), f"{s3_place.prefix}-masters"
    for dangling in (key, key, f"{key}0"):
        upload = administrator._create_multipart_upload(bucket, dangling, {})
        administrator._upload_part(bucket, dangling, bytes(5 << 20), None, upload, 1)
    assert store.sweep("masters", key) == 2
    assert store.sweep("masters", key) == 0
    assert store.sweep("masters", f"{key}0") == 1


@pytest.mark.parametrize("size", [(5 << 20) + 1, 25 << 20, (25 << 20) + 7])
def test_small_parts_are_put_together(
    size: int, s3_place: places.S3Store, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_parts, "PART_BYTES", 5 << 20)
    store, data = S3Store(s3_place), random.Random(1).randbytes(size)  # noqa: S311 - only to be told apart
    stored = store.put("masters", key, io.BytesIO(data), metadata={})
    assert stored.size == size
    assert b"".join(store.get("masters", key)) == data


def test_as_many_parts_as_there_may_be_hold_a_day_of_footage() -> None:
    assert 10_000 * s3_parts.PART_BYTES > 24 * 3600 * 12_000_000 // 8


def test_an_interrupt_while_a_part_is_sent_leaves_no_upload(
    s3_place: places.S3Store, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = S3Store(s3_place)
    sent = []

    def interrupted(*arguments: object) -> str:
        sent.append(arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(store._client, "_upload_part", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.put("masters", key, io.BytesIO(bytes(PART + 1)), metadata={})
    assert len(sent) == 1
    assert store.sweep("masters", key) == 0
    assert store.stat("masters", key) is None


def test_a_server_that_is_down_is_tried_again_later_and_said_at_once(s3_server: S3Server) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound and not listening: a connection is refused
        place = replace(s3_server.place("test"), endpoint=f"127.0.0.1:{unused.getsockname()[1]}")
        store = S3Store(place)
        started = time.monotonic()
        for call in (
            store.ensure,
            lambda: store.put("masters", "1/1", io.BytesIO(b"footage"), metadata={}),
            lambda: list(store.get("masters", "1/1")),
            lambda: store.stat("masters", "1/1"),
            lambda: list(store.list_keys("masters")),
            lambda: store.sweep("masters", "1/1"),
            lambda: store.delete("masters", "1/1", "1"),
        ):
            with pytest.raises(StoreDown, match=place.endpoint):
                call()
        assert time.monotonic() - started < 30


def test_a_server_that_hangs_is_given_up() -> None:
    with socket.socket() as hanging:
        hanging.bind(("127.0.0.1", 0))
        hanging.listen()
        port = hanging.getsockname()[1]
        place = places.S3Store(f"127.0.0.1:{port}", "test", SecretStr("secret"), False, "us-east-1", "test", None)
        with pytest.raises(StoreDown):
            S3Store(place, read_seconds=0.2).stat("masters", "1/1")


XML = "<?xml version='1.0'?><Error><Code>{}</Code><Message>told so</Message><BucketName>b</BucketName></Error>"


@contextmanager
def answering(
    status: int, code: str, kind: str = "application/xml", tls: Path | None = None, *, secure: bool | None = None
) -> Iterator[S3Store]:
    """A store whose server gives one answer to everything but lists, where it has one locked version.

    ``secure``: whether TLS is spoken to it, where that is not what it speaks.
    """

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            listing = self.command == "GET" and "versions=" in self.path
            head = self.command == "HEAD"
            body = (LISTING if listing else XML.format(code)).encode()
            self.send_response(200 if listing or head else status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", "0" if head else str(len(body)))
            self.send_header("x-amz-version-id", "7")
            self.send_header("x-amz-object-lock-legal-hold", "ON" if self.server.locked else "OFF")
            self.end_headers()
            if not head:
                self.wfile.write(body)

        do_GET = do_HEAD = do_DELETE = answer

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.locked = code in ("InvalidRequest", "AccessDenied")
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls / "certificate.pem", tls / "key.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True)
    ca_file = tls / "trusted.pem" if tls is not None and (tls / "trusted.pem").exists() else None
    secure, port = tls is not None if secure is None else secure, server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield S3Store(places.S3Store(f"127.0.0.1:{port}", "test", SecretStr("s"), secure, "us-east-1", "test", ca_file))
    finally:
        server.shutdown()
        server.server_close()


LISTING = (
    "<ListVersionsResult><Name>b</Name><IsTruncated>false</IsTruncated><Version><Key>1/1</Key><VersionId>7</VersionId>"
    "<LastModified>2026-11-24T22:46:07.000Z</LastModified><Size>7</Size></Version></ListVersionsResult>"
)


@pytest.mark.parametrize(("status", "code"), [(400, "InvalidRequest"), (403, "AccessDenied")], ids=["MinIO", "AWS"])
def test_both_ways_to_refuse_a_locked_delete_are_known(status: int, code: str) -> None:
    with answering(status, code) as store, pytest.raises(StoreLocked, match=f"legal hold.*{code}"):
        store.delete("masters", "1/1", "7")


@pytest.mark.parametrize(
    ("status", "code", "meaning", "says"),
    [
        (503, "SlowDown", StoreDown, "for now"),
        (507, "XMinioStorageFull", StoreDown, "told so"),
        (403, "RequestTimeTooSkewed", StoreRefused, "NTP"),
        (403, "SignatureDoesNotMatch", StoreRefused, "FOOTAGE_DESK_STORE__SECRET_KEY"),
        (404, "NoSuchBucket", StoreRefused, "doctor"),
        (404, "NoSuchKey", StoreMissing, "check its key"),
        (400, "SomethingNew", StoreRefused, "SomethingNew"),
    ],
)
def test_answers_of_the_server_are_sentences(status: int, code: str, meaning: type[Exception], says: str) -> None:
    with answering(status, code) as store, pytest.raises(meaning, match=says):
        list(store.get("masters", "1/1"))


def test_a_server_that_is_no_s3_server_is_named() -> None:
    with answering(404, "a page", kind="text/html") as store, pytest.raises(StoreRefused, match="does not speak S3"):
        list(store.get("masters", "1/1"))


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A folder with a self-signed certificate for 127.0.0.1 and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "store")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(hours=1))
        .not_valid_after(datetime.now(UTC) + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "certificate.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    )
    return tmp_path


def test_a_certificate_that_nobody_vouches_for_is_refused(certificate: Path) -> None:
    with (
        answering(404, "NoSuchKey", tls=certificate) as store,
        pytest.raises(StoreRefused, match="FOOTAGE_DESK_STORE__CA_FILE"),
    ):
        list(store.get("masters", "1/1"))


def test_a_store_without_tls_is_told_by_the_setting_that_says_so() -> None:
    with answering(404, "NoSuchKey", secure=True) as store, pytest.raises(StoreRefused) as refusal:
        list(store.get("masters", "1/1"))
    assert "speaks HTTP without TLS" in str(refusal.value)
    assert "FOOTAGE_DESK_STORE__SECURE" in str(refusal.value)
    assert "certificate" not in str(refusal.value)


@pytest.mark.parametrize(("status", "code"), [(507, "XMinioStorageFull"), (507, "InsufficientStorage")])
def test_a_full_store_is_told_to_be_full(status: int, code: str) -> None:
    with answering(status, code) as store, pytest.raises(StoreDown, match="is full"):
        list(store.get("masters", "1/1"))


def test_the_certificate_authority_of_the_settings_is_trusted(certificate: Path) -> None:
    shutil.copy(certificate / "certificate.pem", certificate / "trusted.pem")
    with answering(404, "NoSuchKey", tls=certificate) as store, pytest.raises(StoreMissing):
        list(store.get("masters", "1/1"))
