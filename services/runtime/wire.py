"""HTTP for footage: what httpx sends and reads by, in larger pieces than its own.

Each turn of the event loop costs as much for 16 KiB as for 256, and httpx takes 64 KiB at a turn, over TLS one record
of 16. Measured: a gigabyte cost a quarter more of the processor, over TLS half as much again.
"""

import ssl
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx

httpcore.AsyncHTTP11Connection.READ_NUM_BYTES = 256 * 1024


class _Joined(httpcore.AsyncNetworkStream):
    """A stream whose reads take all the records of TLS that have come already."""

    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner
        self._tls: ssl.SSLObject | None = inner.get_extra_info("ssl_object")

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's own
        data = await self._inner.read(max_bytes, timeout)
        if self._tls is None or not data:
            return data
        pieces, size = [data], len(data)
        while size < max_bytes:
            try:
                more = self._tls.read(max_bytes - size)
            except ssl.SSLError:  # nothing more has come; an error that is none of these is met again by the next read
                break
            if not more:
                break
            pieces.append(more)
            size += len(more)
        return b"".join(pieces)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's own
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's own
    ) -> httpcore.AsyncNetworkStream:
        return _Joined(await self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore.AnyIOBackend):
    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's own
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        return _Joined(await super().connect_tcp(host, port, timeout, local_address, socket_options))


class Wire(httpx.AsyncHTTPTransport):
    """Connects anew for each request; ``trust`` holds the authorities."""

    def __init__(self, trust: ssl.SSLContext) -> None:
        super().__init__(verify=trust)
        # httpx has no way to name the backend.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=trust, max_keepalive_connections=0, network_backend=_Backend()
        )
