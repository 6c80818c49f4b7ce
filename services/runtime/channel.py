"""The gRPC channel to the engine: a socket, plain, TLS or OAuth, with gRPC's own retries (docs/zeebe.md)."""

import asyncio
import ipaddress
import json
import os
import socket
import ssl
import stat
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import grpc
from pyzeebe import create_insecure_channel
from pyzeebe.channel.channel_options import get_channel_options

from services.runtime.addresses import is_loopback
from services.runtime.oauth import Client, TokenPlugin, Tokens
from services.runtime.settings import Settings, SettingsError, variable

LONGEST_SOCKET_PATH = 107  # bytes (unix(7))

_METHODS = (
    "ActivateJobs",
    "CompleteJob",
    "FailJob",
    "ThrowError",
    "UpdateJobRetries",
    "UpdateJobTimeout",
    "PublishMessage",
    "DeployResource",
    "Topology",
    "SetVariables",
    "ResolveIncident",
    "CancelProcessInstance",
)

# Zeebe's own gateway-service-config.json: five attempts, 0.1 s to 5 s. CreateProcessInstance is left out, because an
# instance started twice is two cases; messages carry an id of ours, so a repeat is harmless.
# Calls go to all gateways of the address in turn: gRPC's default stays with one.
SERVICE_CONFIG = json.dumps(
    {
        "loadBalancingConfig": [{"round_robin": {}}],
        "methodConfig": [
            {
                "name": [{"service": "gateway_protocol.Gateway", "method": method} for method in _METHODS],
                "retryPolicy": {
                    "maxAttempts": 5,
                    "initialBackoff": "0.1s",
                    "maxBackoff": "5s",
                    "backoffMultiplier": 3,
                    "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"],
                },
            }
        ],
    }
)

OPTIONS = (
    ("grpc.service_config", SERVICE_CONFIG),
    ("grpc.enable_retries", 1),
    # After an outage gRPC waits up to two minutes before it tries again; an application should not.
    ("grpc.initial_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 5_000),
)


def open_channel(settings: Settings, address: str | None = None) -> grpc.aio.Channel:
    """Open a channel to the engine of ``settings``, or to ``address``, the embedded engine's.

    TLS is used where OAuth, an authority or a certificate of ours is set, or the address says ``https://`` or
    ``grpcs://``; ``ZEEBE_INSECURE_CONNECTION`` decides otherwise. A ``footage-desk engine`` that runs apart gets its
    token. Raises SettingsError for what cannot be used.
    """
    given = address or settings.gateway_address
    if given.startswith("unix:"):
        return create_insecure_channel(_reachable(given), OPTIONS)
    target, secure = _target(settings, given)
    options, interceptors = get_channel_options(OPTIONS), _token_interceptors(settings, target, secure=secure)
    if not secure:
        return grpc.aio.insecure_channel(target, options, interceptors=interceptors)
    credentials = _credentials(settings)
    if settings.camunda_client_id is not None:
        plugin = grpc.metadata_call_credentials(TokenPlugin(Tokens(_client(settings))))
        credentials = grpc.composite_channel_credentials(credentials, plugin)
    return grpc.aio.secure_channel(target, credentials, options, interceptors=interceptors)


def socket_answers(address: str) -> bool:
    """Whether a process of the socket's account listens on ``unix:PATH``."""
    with closing(socket.socket(socket.AF_UNIX)) as probe:
        probe.settimeout(1)
        try:
            probe.connect(_reachable(address).removeprefix("unix:"))
        except (OSError, SettingsError):
            return False
    return True


def _reachable(address: str) -> str:
    """Follow the link by which an engine with a long path leads to its socket.

    The short place is in a folder where every account may write: raises SettingsError unless folder and socket belong
    to whom the link's own folder belongs to, or to this account, and no other may write there.
    """
    path = Path(address.removeprefix("unix:").removeprefix("//"))
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        return f"unix:{path}"
    place = Path(os.path.realpath(path))
    if path.is_symlink() and not _is_owned(place, {path.parent.stat().st_uid, os.geteuid()}):
        raise SettingsError(
            f"{path} leads to {place}, which is missing or not the engine's account's alone: start the engine; where "
            "another account has made that folder, remove it before."
        )
    return f"unix:{place}"


def _is_owned(place: Path, owners: set[int]) -> bool:
    """Return whether a socket, if it is there, and its folder are these accounts' alone."""
    try:
        folder = place.parent.lstat()
    except OSError:
        return False
    if not stat.S_ISDIR(folder.st_mode) or folder.st_uid not in owners or stat.S_IMODE(folder.st_mode) & 0o077:
        return False
    try:
        socket_file = place.lstat()
    except FileNotFoundError:
        return True  # the engine is not there, and nobody else can make it
    return stat.S_ISSOCK(socket_file.st_mode) and socket_file.st_uid in owners


def _target(settings: Settings, given: str) -> tuple[str, bool]:
    scheme, separator, rest = given.partition("://")
    named_secure = bool(separator) and scheme in ("https", "grpcs")
    target = rest.rstrip("/") if separator and scheme in ("http", "https", "grpc", "grpcs") else given
    if settings.zeebe_insecure is not None:
        secure = not settings.zeebe_insecure
    else:
        tls_settings = (
            settings.camunda_client_id,
            settings.zeebe_ca_file,
            settings.mtls_certificate,
            settings.mtls_key,
        )
        secure = named_secure or any(value is not None for value in tls_settings)
    if settings.camunda_client_id is not None and not secure:
        raise SettingsError(
            "OAuth needs TLS, or the token would travel in the open: unset ZEEBE_INSECURE_CONNECTION, "
            "or unset CAMUNDA_CLIENT_ID for a gateway without authentication."
        )
    if "," in target:
        target = _listed(target.removeprefix("ipv4:").removeprefix("ipv6:"), secure)
    return target, secure


def _token_interceptors(settings: Settings, target: str, *, secure: bool) -> list[grpc.aio.ClientInterceptor] | None:
    """Return what adds a footage-desk engine's token: of the file that is set, or on its machine of the data folder."""
    here = is_loopback(target.rpartition(":")[0].strip("[]"))
    file, name = settings.engine_token_file, variable("engine.token_file")
    if settings.engine.token_file is None and (not here or settings.camunda_client_id is not None):
        return None
    if settings.camunda_client_id is not None:
        raise SettingsError(f"{name} and CAMUNDA_CLIENT_ID are both set: keep the one that the gateway asks for.")
    if not secure and not here:
        raise SettingsError(
            f"{name} is set and {target} is on another machine, so the token would travel in the open: begin "
            "ZEEBE_ADDRESS with https://, and start that engine with --certificate and --key."
        )
    token = _read_token(file) if settings.engine.token_file is not None or file.exists() else None
    return [_UnaryToken(file, token), _StreamToken(file, token)]


def _read_token(file: Path) -> str:
    name = variable("engine.token_file")
    try:
        with file.open(encoding="ascii") as opened:
            mode, token = stat.S_IMODE(os.fstat(opened.fileno()).st_mode), opened.read().strip()
    except (OSError, UnicodeDecodeError) as error:
        cause = getattr(error, "strerror", None) or "it is not ASCII"
        raise SettingsError(f"{name} cannot be used ({file}: {cause}): set it to the engine's token file.") from error
    if mode & 0o077 or not token:
        cause = "it is empty" if not token else f"it has mode {mode:04o}, so others can read it"
        raise SettingsError(f"{name} cannot be used ({file}: {cause}): copy the engine's token file with mode 0600.")
    return token


class _Token:
    """Adds the engine's token to calls: call credentials would do so only over TLS."""

    def __init__(self, file: Path, token: str | None) -> None:
        self._file = file
        self._token = token

    def _latest(self) -> str | None:
        """Return what the file holds now: an engine makes it at its first start, and anew where it was lost."""
        if self._file.exists():
            with suppress(SettingsError):
                self._token = _read_token(self._file)
        return self._token


def _with_token(details: Any, token: str | None) -> Any:
    if token is None:
        return details
    header = ("authorization", f"Bearer {token}")
    return details._replace(metadata=grpc.aio.Metadata(*(details.metadata or ()), header))


class _UnaryToken(_Token, grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[misc]  # grpc has no types
    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        token = self._latest()
        call = await continuation(_with_token(details, token), request)
        try:
            code = await call.code()
        except asyncio.CancelledError:  # which gRPC hands on to the call only once an interceptor has returned it
            call.cancel()
            raise
        # gRPC repeats a call, while no engine is there, with the header of its first try.
        if code is grpc.StatusCode.UNAUTHENTICATED and (newer := self._latest()) != token:
            call = await continuation(_with_token(details, newer), request)
        return call


class _StreamToken(_Token, grpc.aio.UnaryStreamClientInterceptor):  # type: ignore[misc]  # as above
    async def intercept_unary_stream(self, continuation: Any, details: Any, request: Any) -> Any:
        return await continuation(_with_token(details, self._latest()), request)


def _listed(addresses: str, secure: bool) -> str:
    """Return gRPC's name for several addresses with commas between, which are IP addresses of one kind."""
    one_name = "set one name that leads to all gateways, such as dns:///zeebe-gateways:26500."
    if secure:
        raise SettingsError(
            f"ZEEBE_ADDRESS lists several gateways, and a list has no name for TLS to check: {one_name}"
        )
    parts = [part.strip() for part in addresses.split(",")]
    try:
        kinds = {ipaddress.ip_address(part.rpartition(":")[0].strip("[]")).version for part in parts}
    except ValueError:
        kinds = set()
    if len(kinds) != 1:
        raise SettingsError(
            "ZEEBE_ADDRESS lists several gateways, which works for IP addresses of one kind with their ports, such as "
            f"10.0.0.1:26500,10.0.0.2:26500: write these, or {one_name}"
        )
    return f"ipv{kinds.pop()}:{','.join(parts)}"


def _credentials(settings: Settings) -> grpc.ChannelCredentials:
    trust = _trust(settings)
    authority = settings.zeebe_ca_file.read_bytes() if settings.zeebe_ca_file is not None else None
    if settings.mtls_certificate is None and settings.mtls_key is None:
        return grpc.ssl_channel_credentials(authority)
    certificate, key = (Path(settings.needed(name)) for name in ("mtls_certificate", "mtls_key"))
    try:
        # OpenSSL says what gRPC does not: with a pair that does not match it would call without a certificate.
        trust.load_cert_chain(certificate, key, password=lambda: "")
        return grpc.ssl_channel_credentials(authority, key.read_bytes(), certificate.read_bytes())
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"CAMUNDA_MTLS_CERT_PATH and CAMUNDA_MTLS_KEY_PATH cannot be used ({_why(error)}): set them to PEM files "
            "with a certificate and the key to it, without a passphrase."
        ) from error


def _why(error: Exception) -> str:
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)


def _client(settings: Settings) -> Client:
    url: str = settings.needed("camunda_oauth_url")
    if not url.startswith("https://"):
        raise SettingsError(
            "CAMUNDA_OAUTH_URL does not begin with https://, so the client's secret would travel in the open: "
            "set it to the token address over TLS."
        )
    return Client(
        url=url,
        client_id=settings.needed("camunda_client_id"),
        client_secret=settings.needed("camunda_client_secret").get_secret_value(),
        audience=settings.camunda_token_audience,
        scope=settings.camunda_token_scope,
        trust=_trust(settings),
    )


def _trust(settings: Settings) -> ssl.SSLContext:
    """Return a context that trusts the system's authorities and the one that is set."""
    trust = ssl.create_default_context()
    if settings.zeebe_ca_file is not None:
        try:
            trust.load_verify_locations(settings.zeebe_ca_file)
        except OSError as error:
            raise SettingsError(
                f"ZEEBE_CA_CERTIFICATE_PATH cannot be read ({error.strerror or error}): set it to a PEM file with the "
                "gateway's certificate authority."
            ) from error
    return trust
