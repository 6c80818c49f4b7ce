"""The HTTP side of the S3 store: a client with time-outs."""

import base64
import hashlib
import ssl
from pathlib import Path
from typing import Any, Protocol

from minio import Minio
from urllib3 import BaseHTTPResponse, PoolManager, Retry, Timeout

CONNECT_SECONDS = 3.0
READ_SECONDS = 30.0
RETRIES = 2


class Connection(Protocol):
    """Where an S3 server is, as `services.runtime.settings.stores.S3Store` says it."""

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


class CheckedPool(PoolManager):
    """Sends each body with its MD5, which every server compares with what it got.

    minio-py does so over TLS alone. Over plain HTTP it signs the body's SHA-256, which not every server compares
    (SeaweedFS does not). A CRC32 would cost less, but 7.2.20 has no public call that sends one.
    """

    def urlopen(self, method: str, url: str, *args: Any, **kw: Any) -> BaseHTTPResponse:
        body, headers = kw.get("body"), kw.get("headers")
        if body and headers is not None and "Content-MD5" not in headers:
            digest = hashlib.md5(body, usedforsecurity=False).digest()
            kw["headers"] = headers | {"Content-MD5": base64.b64encode(digest).decode()}
        return super().urlopen(method, url, *args, **kw)


def make_client(place: Connection, secret_key: str, *, read_seconds: float = READ_SECONDS) -> Minio:
    """A client of its own pool: minio's default would wait half an hour for a server that hangs."""
    pool = CheckedPool(
        timeout=Timeout(connect=CONNECT_SECONDS, read=read_seconds),
        retries=Retry(total=RETRIES, backoff_factor=0.2, status_forcelist=[500, 502, 503, 504]),
        maxsize=16,
        ssl_context=ssl.create_default_context(cafile=place.ca_file),
    )
    return Minio(
        place.endpoint,
        access_key=place.access_key,
        secret_key=secret_key,
        secure=place.secure,
        region=place.region,
        http_client=pool,
    )
