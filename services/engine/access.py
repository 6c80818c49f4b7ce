"""What the gateway asks of its clients: on its socket nothing, on TCP a token, and TLS beyond this machine."""

import hmac
import ipaddress
import logging
import os
import re
import secrets
import ssl
import stat
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import grpc
from grpc.aio import ServicerContext

from services.engine.errors import GatewayError

TOKEN_FILE = "gateway.token"  # noqa: S105 - the file's name, in the data folder
_TOKEN = re.compile(r"[\x21-\x7e]{32,}")
_HEALTH_CHECK = "/grpc.health.v1.Health/Check"  # one short answer; Watch would keep a stream open for anybody
_LOG_SECONDS = 60.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Credentials:
    """Files: the token that clients send, and a certificate with its key, in PEM."""

    token: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def tls(self) -> ssl.SSLContext | None:
        """Return a server's context, or None without a certificate; raises GatewayError."""
        if self.certificate is None and self.key is None:
            return None
        if self.certificate is None or self.key is None:
            raise GatewayError("a certificate and its key belong together; name both, --certificate and --key")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            # OpenSSL says what gRPC does not: with a pair that does not match no client could connect.
            context.load_cert_chain(self.certificate, self.key, password=lambda: "")
        except (OSError, ValueError) as error:
            cause = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
            raise GatewayError(
                f"{self.certificate} and {self.key} cannot be used ({cause}); name PEM files with a certificate and "
                "the key to it, without a passphrase"
            ) from error
        return context

    def for_grpc(self) -> grpc.ServerCredentials | None:
        """Return the same for gRPC, which reads the files itself."""
        if self.certificate is None or self.key is None:
            return None
        return grpc.ssl_server_credentials([(self.key.read_bytes(), self.certificate.read_bytes())])


def is_socket(address: str) -> bool:
    return address.startswith("unix:")


def is_loopback(address: str) -> bool:
    """Whether only this machine can reach ``address`` (host:port)."""
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def require_tls(address: str, tls: ssl.SSLContext | None) -> None:
    """Raise GatewayError if calls to ``address`` would leave this machine without TLS."""
    if tls is None and not is_loopback(address):
        raise GatewayError(
            f"{address} can be reached from other machines, and calls would travel in the open; name a certificate and "
            "its key (--certificate and --key), or listen on 127.0.0.1 or on unix:PATH"
        )


def ensure_token(path: Path | None) -> str:
    """Return the token in the file, which is made with mode 0600 if missing; raises GatewayError."""
    if path is None:
        raise GatewayError(
            "an engine in memory has no place for the token that its clients need; name one with --token-file, keep "
            "the state with --data, or listen on unix:PATH"
        )
    try:
        _make_token(path)
        with path.open(encoding="ascii") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            token = file.read().strip()
    except (OSError, UnicodeDecodeError) as error:
        cause = getattr(error, "strerror", None) or "it is not ASCII"
        raise GatewayError(f"the token file {path} cannot be used ({cause}); name another with --token-file") from error
    if mode & 0o077:
        raise GatewayError(f"the token file {path} has mode {mode:04o}, so others can read it; run chmod 600 on it")
    if not _TOKEN.fullmatch(token):
        raise GatewayError(f"the token in {path} is too short to be one; remove the file, and the next start makes one")
    return token


def _make_token(path: Path) -> None:
    if path.exists():
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
            file.flush()
            os.fsync(descriptor)
        with suppress(FileExistsError):  # another process was first
            path.hardlink_to(temporary)
    finally:
        temporary.unlink()


class TokenCheck(grpc.aio.ServerInterceptor):  # type: ignore[misc]  # grpc has no types
    """Refuses every call without the token, but for gRPC's health check, which probes send; counts what it refuses."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()
        self.refusals = 0
        self._log_at = float("-inf")
        self._refusal = grpc.unary_unary_rpc_method_handler(self._refuse)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler:
        header = dict(handler_call_details.invocation_metadata).get("authorization", "")
        if handler_call_details.method == _HEALTH_CHECK or self.accepts(header):
            return await continuation(handler_call_details)
        return self._refusal

    def accepts(self, authorization: str | bytes) -> bool:
        """Compare a header with the token, in a time that does not depend on it."""
        header = authorization.encode("utf-8", "replace") if isinstance(authorization, str) else authorization
        scheme, _, token = header.partition(b" ")
        return hmac.compare_digest(token.strip(), self._token) and scheme.lower() == b"bearer"

    async def _refuse(self, _request: object, context: ServicerContext) -> None:
        self.refuse(context.peer())
        await context.abort(
            grpc.StatusCode.UNAUTHENTICATED,
            "The engine asks for its token: send the header authorization with Bearer and what its token file holds.",
        )

    def refuse(self, peer: str) -> None:
        """Count a refusal; log one a minute, because a caller could fill the disk."""
        self.refusals += 1
        now = time.monotonic()
        if now >= self._log_at:
            self._log_at = now + _LOG_SECONDS
            _log.warning("refused a call without the engine's token from %s; %d so far", peer, self.refusals)
