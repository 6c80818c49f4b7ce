"""Serve ASGI inside a process with other tasks: no signal handlers, no exit, the port known beforehand."""

import asyncio
import contextlib
import logging
import resource
import socket
from collections.abc import Iterator

import anyio
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from services.runtime.errors import Fatal
from services.runtime.jobs.failures import stack

HEADER_SECONDS = 15.0  # from the first byte of a request, or from the connection, to the end of its header
UNREAD_SECONDS = 120.0  # in which nothing more of an answer is read
MOST_CONNECTIONS = 1000


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Connection(H11Protocol):
    """One connection, closed where a header does not come in time, an answer is not read, or where there are too many.

    uvicorn waits for both without end, and its ``limit_concurrency`` refuses requests, not connections.
    """

    header_seconds = HEADER_SECONDS
    unread_seconds = UNREAD_SECONDS
    most_connections = MOST_CONNECTIONS

    _deadline: asyncio.TimerHandle | None = None
    _unread_deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        if len(self.connections) > self.most_connections:
            transport.abort()
            return
        transport.set_write_buffer_limits(high=0)  # so that a connection that is closed with something unread tells
        self._deadline = self.loop.call_later(self.header_seconds, transport.abort)

    def data_received(self, data: bytes) -> None:
        if self._deadline is None and (self.cycle is None or self.cycle.response_complete):
            self._deadline = self.loop.call_later(self.header_seconds, self.transport.abort)
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._end_deadline()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._await_reading()

    def resume_writing(self) -> None:
        self._end_unread_deadline()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_deadline()
        self._end_unread_deadline()
        super().connection_lost(exc)

    def _await_reading(self) -> None:
        unread = self.transport.get_write_buffer_size()
        self._unread_deadline = self.loop.call_later(self.unread_seconds, self._has_been_reading, unread)

    def _has_been_reading(self, unread: int) -> None:
        if self.transport.get_write_buffer_size() < unread:
            self._await_reading()  # slowly
        else:
            self.transport.abort()

    def _end_unread_deadline(self) -> None:
        if self._unread_deadline is not None:
            self._unread_deadline.cancel()
            self._unread_deadline = None

    def _end_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _most_connections() -> int:
    """Return how many connections leave half of the process's descriptors to everything else."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_CONNECTIONS if descriptors == resource.RLIM_INFINITY else min(MOST_CONNECTIONS, descriptors // 2)


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 is a free one, see ``getsockname()[1]``. Raises Fatal."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise Fatal(
            f"could not listen | {host}:{port} | {error.strerror} | free the port, or set another one"
        ) from error
    # Connections inherit it. asyncio sets it only where the socket names its protocol, and without it the body of an
    # answer waits until the client has acknowledged the header: 40 ms for each page.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _without_texts(record: logging.LogRecord) -> bool:
    """Leave of an error that uvicorn logs its stack: the texts of a traceback may hold personal data."""
    if isinstance(record.exc_info, tuple) and record.exc_info[1] is not None:
        record.msg, record.args = f"{record.getMessage().strip()}: {stack(record.exc_info[1])}", ()
        record.exc_info = None
    return True


async def serve(
    app: ASGIApp,
    listener: socket.socket,
    *,
    lifespan: bool = False,
    grace: float = 5.0,
    header_seconds: float = HEADER_SECONDS,
    unread_seconds: float = UNREAD_SECONDS,
    most_connections: int | None = None,
) -> None:
    """Serve ``app`` on ``listener`` until cancelled; open requests get ``grace`` seconds then.

    A connection is closed where a request's header takes longer than ``header_seconds``, where nothing of an answer is
    read for ``unread_seconds``, and at once where there are more than ``most_connections``.
    """
    limits = {
        "header_seconds": header_seconds,
        "unread_seconds": unread_seconds,
        "most_connections": _most_connections() if most_connections is None else most_connections,
    }
    connection = type("_Connection", (_Connection,), limits)
    config = uvicorn.Config(
        app,
        http=connection,
        log_config=None,
        access_log=False,
        proxy_headers=False,  # the portal's setting says whose X-Forwarded-For is trusted
        lifespan="on" if lifespan else "off",
        timeout_graceful_shutdown=max(1, round(grace)),
    )
    logging.getLogger("uvicorn.error").addFilter(_without_texts)  # the same one is added once
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="uvicorn")
    try:
        # Shielded, because uvicorn that is cancelled itself would drop its connections.
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        server.should_exit = True
        with anyio.CancelScope(shield=True):
            await serving
        raise


def address_of(listener: socket.socket) -> str:
    """Return the address of the listener, to open in a browser."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
