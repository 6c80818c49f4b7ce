"""HTTP/1.1 for footage: each request has a connection and a thread of its own, which reads ahead of the event loop.

In a thread, a mebibyte costs one turn of the loop instead of a turn for each of its many pieces. Measured: the standard
library's client costs no more there than a socket that is read without one.
"""

import asyncio
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import closing, suppress
from email import errors
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any

import httpx

PIECE = 1 << 20
AHEAD = 2 << 20  # bytes that wait for the loop
GATHERING = 0.02  # seconds that what has come waits for more, up to a piece
_DEFECTS = (
    errors.FirstHeaderLineIsContinuationDefect,
    errors.InvalidHeaderDefect,
    errors.MissingHeaderBodySeparatorDefect,
)


class Wire(httpx.AsyncBaseTransport):
    """Connects anew for each request; ``trust`` holds the authorities."""

    def __init__(self, trust: ssl.SSLContext) -> None:
        self._trust = trust

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises what httpx's own transport raises."""
        exchange = _Exchange(request, await request.aread(), self._trust)
        threading.Thread(target=exchange.run, daemon=True, name="wire").start()
        try:
            head = await exchange.head
        except BaseException:
            exchange.stop()
            raise
        return httpx.Response(
            head.status,
            headers=[(name.encode("latin-1"), value.encode("latin-1")) for name, value in head.getheaders()],
            stream=_Body(exchange),
            extensions={
                "http_version": b"HTTP/1.0" if head.version == 10 else b"HTTP/1.1",
                "reason_phrase": head.reason.encode("latin-1"),
            },
        )


class _Body(httpx.AsyncByteStream):
    def __init__(self, exchange: "_Exchange") -> None:
        self._exchange = exchange

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while piece := await self._exchange.piece():
            yield piece

    async def aclose(self) -> None:
        self._exchange.stop()


class _Response(HTTPResponse):
    """Passes over all that comes before the answer, and takes no head whose body's end it would have to guess."""

    def begin(self) -> None:
        super().begin()
        while 101 < self.status < 200:  # the library passes over 100 by itself
            self.headers = None  # type: ignore[assignment]  # as it is before a head is read
            super().begin()
        codings = self.headers.get_all("transfer-encoding", [])
        lengths = self.headers.get_all("content-length", [])
        if (
            self.status == 101
            or len(codings) != self.chunked
            or len(set(lengths)) > 1
            or not all(length.isdecimal() for length in lengths)
            or any(isinstance(defect, _DEFECTS) for defect in self.headers.defects)
        ):
            raise HTTPException("the head of the answer is not one of HTTP's")


class _Connection(HTTPConnection):
    """To the host of the URL; ``hold`` is given the socket as soon as it leads there."""

    response_class = _Response

    def __init__(self, request: httpx.Request, trust: ssl.SSLContext, hold: Callable[[socket.socket], None]) -> None:
        url = request.url
        super().__init__(
            url.host,
            url.port or {"http": 80, "https": 443}[url.scheme],
            timeout=request.extensions.get("timeout", {}).get("connect"),
        )
        self._trust = trust if url.scheme == "https" else None
        self._name = request.extensions.get("sni_hostname") or url.host
        self._hold = hold

    def connect(self) -> None:
        super().connect()
        if self._trust is not None:
            self.sock = self._trust.wrap_socket(self.sock, server_hostname=self._name, do_handshake_on_connect=False)
        self._hold(self.sock)
        if isinstance(self.sock, ssl.SSLSocket):
            self.sock.do_handshake()


class _Exchange:
    """One request and its answer. What is public, but ``run``, is for the loop."""

    def __init__(self, request: httpx.Request, content: bytes, trust: ssl.SSLContext) -> None:
        self._request = request
        self._content = content
        self._trust = trust
        self._timeouts: dict[str, float | None] = request.extensions.get("timeout", {})
        self._loop = asyncio.get_running_loop()
        self.head: asyncio.Future[HTTPResponse] = self._loop.create_future()
        self._enough = asyncio.Event()  # of what the loop waits for
        self._wanted = 0  # bytes that it waits for
        self._changed = threading.Condition()  # over all that follow
        self._came: list[bytes] = []
        self._size = 0
        self._ended = False
        self._broken: Exception | None = None
        self._socket: socket.socket | None = None
        self._stopped = False

    async def piece(self) -> bytes:
        """The next bytes of the body, empty at its end; raises what broke it, after all bytes that came before."""
        await self._until(1)
        with suppress(TimeoutError):
            async with asyncio.timeout(GATHERING):
                await self._until(PIECE)
        with self._changed:
            came, self._came, self._size, self._wanted = self._came, [], 0, 0
            self._changed.notify()
        if not came and self._broken is not None:
            raise self._broken
        return b"".join(came)

    async def _until(self, size: int) -> None:
        """Wait until so many bytes are there, or the end."""
        while True:
            with self._changed:
                if self._size >= size or self._ended:
                    return
                self._wanted = size
                self._enough.clear()
            await self._enough.wait()

    def stop(self) -> None:
        """Let the connection go, whatever the thread waits for."""
        with self._changed:
            self._stopped = True
            if self._socket is not None:
                with suppress(OSError):
                    # Not what TLS makes of it, which would take its own state away from the thread.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
            self._changed.notify()

    def run(self) -> None:
        """In the thread: all of it."""
        try:
            with closing(_Connection(self._request, self._trust, self._hold)) as connection:
                self._connect(connection)
                self._send(connection)
                self._receive(connection)
        except Exception as error:  # noqa: BLE001  # carried to the one who waits
            self._end(error)
        else:
            self._end(None)

    def _hold(self, connection: socket.socket) -> None:
        with self._changed:
            self._socket = connection
            if self._stopped:
                raise ConnectionAbortedError("nobody waits for it any more")

    def _connect(self, connection: _Connection) -> None:
        try:
            connection.connect()
        except TimeoutError as error:
            raise httpx.ConnectTimeout(str(error)) from error
        except OSError as error:
            raise httpx.ConnectError(str(error)) from error

    def _send(self, connection: _Connection) -> None:
        request = self._request
        connection.sock.settimeout(self._timeouts.get("write"))
        try:
            path = request.url.raw_path.decode("ascii")
            connection.putrequest(request.method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in request.headers.raw:
                connection.putheader(name, value)
            connection.endheaders(self._content or None, encode_chunked="transfer-encoding" in request.headers)
        except TimeoutError as error:
            raise httpx.WriteTimeout(str(error)) from error
        except OSError:
            return  # an answer may be there all the same
        except (HTTPException, ValueError) as error:
            raise httpx.LocalProtocolError(str(error)) from error

    def _receive(self, connection: _Connection) -> None:
        connection.sock.settimeout(self._timeouts.get("read"))
        try:
            with closing(connection.getresponse()) as response:
                self._loop_call(self._set_head, response)
                while piece := response.read1(PIECE):
                    self._put(piece)
                if response.length:
                    raise httpx.RemoteProtocolError(f"the server ended {response.length} bytes before its answer did")
        except HTTPException as error:
            raise httpx.RemoteProtocolError(str(error)) from error
        except TimeoutError as error:
            raise httpx.ReadTimeout(str(error)) from error
        except OSError as error:
            raise httpx.ReadError(str(error)) from error

    def _put(self, piece: bytes) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._size < AHEAD)
            if self._stopped:
                raise ConnectionAbortedError("nobody waits for it any more")
            self._came.append(piece)
            self._size += len(piece)
            wake = 0 < self._wanted <= self._size
            if wake:
                self._wanted = 0
        if wake:  # a turn of the loop costs more than to read a piece
            self._loop_call(self._enough.set)

    def _end(self, broken: Exception | None) -> None:
        with self._changed:
            self._ended, self._broken = True, broken
        self._loop_call(self._set_end)

    def _loop_call(self, function: Callable[..., None], *arguments: Any) -> None:
        with suppress(RuntimeError):  # the loop has ended, and nobody waits
            self._loop.call_soon_threadsafe(function, *arguments)

    def _set_head(self, head: HTTPResponse) -> None:
        if not self.head.done():
            self.head.set_result(head)

    def _set_end(self) -> None:
        if self._broken is not None and not self.head.done():
            self.head.set_exception(self._broken)
        self._enough.set()
