"""The HTTP side of the S3 store: a client that gives up in time."""

import base64
import ssl
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from minio import Minio
from minio.credentials.credentials import Credentials
from urllib3 import PoolManager, Retry, Timeout

CONNECT_SECONDS = 3.0
READ_SECONDS = 30.0
RETRIES = 2
CHECKSUM = "x-amz-checksum-sha256"


class Connection(Protocol):
    """Where an S3 server is, as `services.runtime.stores.S3Store` says it."""

    @property
    def endpoint(self) -> str: ...
    @property
    def access_key(self) -> str: ...
    @property
    def secure(self) -> bool: ...
    @property
    def region(self) -> str | None: ...
    @property
    def ca_file(self) -> Path | None: ...


class HashedOnce(Minio):
    """Signs a body whose SHA-256 goes with it by that hash, and neither computes it again nor an MD5."""

    def _build_headers(
        self,
        host: str,
        headers: dict[str, Any] | None = None,
        body: bytes | None = None,
        creds: Credentials | None = None,
    ) -> tuple[dict[str, Any], datetime]:
        checksum = (headers or {}).get(CHECKSUM)
        if checksum is None or body is None:
            return super()._build_headers(host, headers, body, creds)
        built, date = super()._build_headers(host, headers, None, creds)
        signed = {"Content-Length": str(len(body)), "x-amz-content-sha256": base64.b64decode(checksum).hex()}
        return built | signed, date


def make_client(place: Connection, secret_key: str, *, read_seconds: float = READ_SECONDS) -> Minio:
    """A client of its own pool: minio's default would wait half an hour for a server that hangs."""
    pool = PoolManager(
        timeout=Timeout(connect=CONNECT_SECONDS, read=read_seconds),
        retries=Retry(total=RETRIES, backoff_factor=0.2, status_forcelist=[500, 502, 503, 504]),
        maxsize=16,
        ssl_context=ssl.create_default_context(cafile=place.ca_file),
    )
    return HashedOnce(
        place.endpoint,
        access_key=place.access_key,
        secret_key=secret_key,
        secure=place.secure,
        region=place.region,
        http_client=pool,
    )
