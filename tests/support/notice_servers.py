"""A mail server and a web server on the loopback, with a certificate of their own, that do as they are told."""

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PASSWORD = "the mail password"


@dataclass(frozen=True)
class Certificate:
    """``authority`` is the PEM file that clients are to trust; ``context`` is the server's side."""

    authority: Path
    context: ssl.SSLContext


def certificate(folder: Path, *, name: str = "localhost") -> Certificate:
    """A certificate for ``name`` and for the address 127.0.0.1 where the name is localhost; its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    names: list[x509.GeneralName] = [x509.DNSName(name)]
    if name == "localhost":
        names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    authority, private = folder / f"{name}.pem", folder / f"{name}.key"
    authority.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority, private)
    return Certificate(authority, context)


@dataclass
class Post:
    """What a mail server took. ``answer`` is what it says to a mail, ``to_recipient`` to an address."""

    mails: list[EmailMessage] = field(default_factory=list)
    answer: str = "250 taken"
    to_recipient: str = "250 fine"
    goodbye: str = "221 bye"

    async def handle_RCPT(self, _s: SMTP, _session: Session, envelope: Envelope, address: str, _o: list[str]) -> str:
        if self.to_recipient.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.to_recipient

    async def handle_QUIT(self, _server: SMTP, _session: Session, _envelope: Envelope) -> str:
        return self.goodbye

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        if self.answer.startswith("250"):
            self.mails.append(message_from_bytes(envelope.original_content or b"", policy=policy.default))  # type: ignore[arg-type]  # the policy makes it an EmailMessage
        return self.answer


def _authenticate(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any) -> AuthResult:
    right = isinstance(data, LoginPassword) and data.password == PASSWORD.encode()
    return AuthResult(success=right, handled=right)


@asynccontextmanager
async def mail_server(
    post: Post,
    *,
    tls: Certificate | None = None,
    starttls: Certificate | None = None,
    auth: bool = False,
    port: int = 0,
) -> AsyncIterator[int]:
    """A mail server on the loopback; its port."""
    loop = asyncio.get_running_loop()

    def serve() -> SMTP:
        return SMTP(
            post,
            hostname="mail.test",
            tls_context=starttls.context if starttls else None,
            require_starttls=starttls is not None,
            auth_required=auth,
            auth_require_tls=starttls is not None,
            authenticator=_authenticate,
            loop=loop,
        )

    server = await loop.create_server(serve, "127.0.0.1", port, ssl=tls.context if tls else None)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@asynccontextmanager
async def silent_server() -> AsyncIterator[int]:
    """Takes connections and never says a word; its port."""
    connected: list[asyncio.StreamWriter] = []

    async def hold(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.append(writer)

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in connected:
            writer.close()


@dataclass
class Heard:
    """One call: its first line, headers in small letters, and body."""

    line: str
    headers: dict[str, str]
    body: bytes


Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


def says(text: str) -> Answer:
    """The answer with this status line and these headers, and no body."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {text}\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()

    return answer


@dataclass
class Site:
    """A web server's calls so far, and how it answers the next."""

    calls: list[Heard] = field(default_factory=list)
    answer: Answer = field(default_factory=lambda: says("204 No Content"))


@asynccontextmanager
async def web_server(site: Site, tls: Certificate | None = None) -> AsyncIterator[int]:
    """A web server on the loopback; its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            site.calls.append(Heard(head[0], headers, body))
            await site.answer(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            return  # the caller has hung up, as some of these tests want
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls.context if tls else None)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
