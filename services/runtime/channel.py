"""The gRPC channel to the engine: plain, TLS or OAuth, with retries that gRPC does itself (docs/zeebe.md)."""

import json

import grpc
from pyzeebe import create_insecure_channel, create_oauth2_client_credentials_channel, create_secure_channel

from services.runtime.settings import Settings, SettingsError

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
SERVICE_CONFIG = json.dumps(
    {
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
        ]
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
    """A channel to the engine of ``settings``; ``address`` names the embedded engine's when its port was free to take.

    TLS is used where OAuth or an authority is set, or the address says ``https://`` or ``grpcs://``;
    ``ZEEBE_INSECURE_CONNECTION`` decides otherwise. Raises SettingsError for a certificate that cannot be read.
    """
    target, secure = _target(settings, address)
    if settings.camunda_client_id is not None:
        return create_oauth2_client_credentials_channel(
            grpc_address=target,
            client_id=settings.camunda_client_id,
            client_secret=settings.needed("camunda_client_secret").get_secret_value(),
            authorization_server=settings.needed("camunda_oauth_url"),
            scope=None,
            audience=settings.camunda_token_audience,
            channel_credentials=_credentials(settings),
            channel_options=OPTIONS,
        )
    if secure:
        return create_secure_channel(target, OPTIONS, _credentials(settings))
    return create_insecure_channel(target, OPTIONS)


def _target(settings: Settings, address: str | None) -> tuple[str, bool]:
    given = address or settings.gateway_address
    scheme, found, rest = given.partition("://")
    named_secure = bool(found) and scheme in ("https", "grpcs")
    target = rest.rstrip("/") if found and scheme in ("http", "https", "grpc", "grpcs") else given
    if settings.zeebe_insecure is not None:
        secure = not settings.zeebe_insecure
    else:
        secure = named_secure or settings.camunda_client_id is not None or settings.zeebe_ca_file is not None
    if settings.camunda_client_id is not None and not secure:
        raise SettingsError(
            "OAuth needs TLS, or the token would travel in the open: unset ZEEBE_INSECURE_CONNECTION, "
            "or unset CAMUNDA_CLIENT_ID for a gateway without authentication."
        )
    return target, secure


def _credentials(settings: Settings) -> grpc.ChannelCredentials:
    if settings.zeebe_ca_file is None:
        return grpc.ssl_channel_credentials()
    try:
        return grpc.ssl_channel_credentials(settings.zeebe_ca_file.read_bytes())
    except OSError as error:
        raise SettingsError(
            f"ZEEBE_CA_CERTIFICATE_PATH cannot be read ({error.strerror}): set it to a PEM file with the "
            "gateway's certificate authority."
        ) from error
