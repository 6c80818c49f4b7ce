"""A time-stamping authority on this machine: `openssl ts` behind a small HTTP server."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CONFIG = """
[tsa]
dir = {folder}
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa-key.pem
{chain}
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
"""


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


@dataclass
class Authority:
    """``chain``: its replies carry the root too. ``use``: what its certificate is for. ``rsa``: it signs with RSA."""

    folder: Path
    chain: bool = False
    use: tuple[x509.ObjectIdentifier, ...] = (ExtendedKeyUsageOID.TIME_STAMPING,)
    with_rsa: bool = False
    begins: timedelta = timedelta(days=-1)
    faults: list[bytes | int] = field(default_factory=list)  # what it answers next instead: a body, or a status
    asked: int = 0

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        now = datetime.now(UTC)
        root_key = ec.generate_private_key(ec.SECP256R1())
        key = rsa.generate_private_key(65537, 2048) if self.with_rsa else ec.generate_private_key(ec.SECP256R1())
        root = (
            _certificate("Test time root", root_key.public_key(), "Test time root", now + self.begins)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_usage(key_cert_sign=True), critical=True)
            .sign(root_key, hashes.SHA256())
        )
        leaf = (
            _certificate("Test time authority", key.public_key(), "Test time root", now + self.begins)
            .add_extension(x509.ExtendedKeyUsage(self.use), critical=True)
            .sign(root_key, hashes.SHA256())
        )
        self.root, self.leaf = root, leaf
        self.trusted = self.folder / "trusted.pem"
        self.trusted.write_bytes(root.public_bytes(serialization.Encoding.PEM))
        (self.folder / "tsa.pem").write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
        (self.folder / "tsa-key.pem").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        (self.folder / "serial").write_text("01\n")
        chain = f"certs = {self.trusted}" if self.chain else ""
        (self.folder / "ts.cnf").write_text(CONFIG.format(folder=self.folder, chain=chain))

    def answer(self, query: bytes) -> bytes:
        """The reply to a query, both in DER."""
        asked, reply = self.folder / "query.tsq", self.folder / "reply.tsr"
        asked.write_bytes(query)
        subprocess.run(
            *(["openssl", "ts", "-reply", "-config", "ts.cnf", "-section", "tsa", "-queryfile", asked, "-out", reply],),
            cwd=self.folder,
            check=True,
            capture_output=True,
        )
        return reply.read_bytes()

    @contextmanager
    def served(self) -> Iterator[str]:
        """Its address while the block runs."""
        authority = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                query = self.rfile.read(int(self.headers["Content-Length"]))
                authority.asked += 1
                fault = authority.faults.pop(0) if authority.faults else 200
                body = fault if isinstance(fault, bytes) else authority.answer(query)
                self.send_response(fault if isinstance(fault, int) else 200)
                self.send_header("Content-Type", "application/timestamp-reply")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.server_port}/"
            finally:
                server.shutdown()
                thread.join()


def _certificate(
    common: str, key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey, issuer: str, begins: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(common))
        .issuer_name(_name(issuer))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=365))
    )


def _usage(**wanted: bool) -> x509.KeyUsage:
    names = (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
        *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    )
    return x509.KeyUsage(**{name: wanted.get(name, False) for name in names})
