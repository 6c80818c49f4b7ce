"""HTTP/1.1 for footage: each request has a connection and a thread of its own, which reads far ahead of the event loop.

Measured: in a thread, a mebibyte costs one turn of the loop instead of a turn for each of its many pieces; and a body
whose length was told is taken from the socket as it is, without a parser. Together they cost a third of the processor.
Blocking reads also take TLS's small records where they come, outside of the loop.
"""

import asyncio
import socket
import ssl
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from time import monotonic
from typing import Any

import h11
import httpx

PIECE = 1 << 20
AHEAD = 2  # pieces that wait for the loop
GATHERING = 0.02  # seconds that what has come waits for more, up to a piece
_HEAD = 64 << 10
_LARGEST_HEAD = 100 << 10
_BODILESS = (204, 304)


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
            head.status_code,
            headers=head.headers.raw_items(),
            stream=_Body(exchange),
            extensions={"http_version": b"HTTP/" + head.http_version, "reason_phrase": head.reason},
        )


class _Body(httpx.AsyncByteStream):
    def __init__(self, exchange: "_Exchange") -> None:
        self._exchange = exchange

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while piece := await self._exchange.piece():
            yield piece

    async def aclose(self) -> None:
        self._exchange.stop()


class _Exchange:
    """One request and its answer. What is public, but ``run``, is for the loop."""

    def __init__(self, request: httpx.Request, content: bytes, trust: ssl.SSLContext) -> None:
        self._request = request
        self._content = content
        self._trust = trust
        self._timeouts: dict[str, float | None] = request.extensions.get("timeout", {})
        self._loop = asyncio.get_running_loop()
        self.head: asyncio.Future[h11.Response] = self._loop.create_future()
        self._came: deque[bytes | Exception] = deque()
        self._waiting: asyncio.Future[None] | None = None
        self._room = threading.Semaphore(AHEAD)
        self._lock = threading.Lock()  # over the two that follow
        self._socket: socket.socket | None = None
        self._stopped = False
        self._broken: OSError | None = None  # met behind bytes that are good

    async def piece(self) -> bytes:
        """The next bytes of the body, empty at its end; raises what broke it."""
        while not self._came:
            self._waiting = self._loop.create_future()
            await self._waiting
        came = self._came[0]
        if isinstance(came, Exception):
            raise came
        if came:  # the end stays
            self._came.popleft()
            self._room.release()
        return came

    def stop(self) -> None:
        """Let the connection go, whatever the thread waits for."""
        with self._lock:
            self._stopped = True
            if self._socket is not None:
                with suppress(OSError):
                    # Not what TLS makes of it, which would take its own state away from the thread.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
        self._room.release()

    def run(self) -> None:
        """In the thread: all of it."""
        try:
            connection = self._connected()
            try:
                self._exchange(connection)
            finally:
                with self._lock:
                    self._socket = None
                connection.close()
        except Exception as error:  # noqa: BLE001  # carried to the one who waits
            self._tell(error)

    def _connected(self) -> socket.socket:
        url = self._request.url
        port = url.port or {"http": 80, "https": 443}[url.scheme]
        host = self._request.extensions.get("sni_hostname") or url.host
        plain: socket.socket | None = None
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(url.host, port, type=socket.SOCK_STREAM)[0]
            plain = socket.socket(family, kind, protocol)
            plain.settimeout(self._timeouts.get("connect"))
            self._hold(plain)
            plain.connect(address)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if url.scheme == "http":
                return plain
            secured = self._trust.wrap_socket(plain, server_hostname=host)
            self._hold(secured)
        except BaseException as error:
            if plain is not None:
                plain.close()
            if isinstance(error, TimeoutError):
                raise httpx.ConnectTimeout(str(error)) from error
            if isinstance(error, OSError):
                raise httpx.ConnectError(str(error)) from error
            raise
        return secured

    def _hold(self, connection: socket.socket) -> None:
        with self._lock:
            self._socket = connection
            if self._stopped:
                raise httpx.ConnectError("nobody waits for it any more")

    def _exchange(self, connection: socket.socket) -> None:
        parser = h11.Connection(our_role=h11.CLIENT, max_incomplete_event_size=_LARGEST_HEAD)
        try:
            self._send(connection, parser)
            head = self._read_head(connection, parser)
            self._loop_call(self._set_head, head)
            length = self._told_length(head)
            if length is None:
                pieces = self._parsed(connection, parser)
            else:
                pieces = self._counted(connection, parser.trailing_data[0], length)
            for piece in pieces:
                self._room.acquire()
                if self._stopped:
                    return
                self._tell(piece)
            self._tell(b"")
        except h11.RemoteProtocolError as error:
            raise httpx.RemoteProtocolError(str(error)) from error
        except h11.LocalProtocolError as error:
            raise httpx.LocalProtocolError(str(error)) from error
        except TimeoutError as error:
            raise httpx.ReadTimeout(str(error)) from error
        except OSError as error:
            raise httpx.ReadError(str(error)) from error

    def _send(self, connection: socket.socket, parser: h11.Connection) -> None:
        request = self._request
        told = [
            h11.Request(method=request.method, target=request.url.raw_path, headers=request.headers.raw),
            *([h11.Data(self._content)] if self._content else []),
            h11.EndOfMessage(),
        ]
        data = b"".join(parser.send(event) or b"" for event in told)
        connection.settimeout(self._timeouts.get("write"))
        try:
            connection.sendall(data)
        except TimeoutError as error:
            raise httpx.WriteTimeout(str(error)) from error
        except OSError:
            return  # an answer may be there all the same

    def _read_head(self, connection: socket.socket, parser: h11.Connection) -> h11.Response:
        connection.settimeout(self._timeouts.get("read"))
        while True:
            event = parser.next_event()
            if isinstance(event, h11.Response):
                return event
            if event is h11.NEED_DATA:
                data = connection.recv(_HEAD)
                if not data:
                    raise httpx.RemoteProtocolError("the server ended without an answer")
                parser.receive_data(data)
            elif not isinstance(event, h11.InformationalResponse) or event.status_code == 101:
                raise httpx.RemoteProtocolError("the server answered with no answer")

    def _told_length(self, head: h11.Response) -> int | None:
        """How long the body is, where its bytes come as they are and the head says it."""
        told = dict(head.headers)
        if self._request.method == "HEAD" or head.status_code in _BODILESS or b"transfer-encoding" in told:
            return None
        length = told.get(b"content-length")
        return None if length is None else int(length)

    def _counted(self, connection: socket.socket, begun: bytes, length: int) -> Iterator[bytes]:
        if begun:
            yield begun[:length]
        left, buffer = length - len(begun), memoryview(bytearray(min(PIECE, max(0, length - len(begun)))))
        while left > 0:
            came = self._gathered(connection, buffer[:left])
            if not came:
                raise httpx.RemoteProtocolError(f"the server ended {left} bytes before the end of its answer")
            left -= came
            yield bytes(buffer[:came])

    def _parsed(self, connection: socket.socket, parser: h11.Connection) -> Iterator[bytes]:
        buffer: memoryview | None = None
        while True:
            pieces: list[bytes] = []
            while isinstance(event := parser.next_event(), h11.Data):
                pieces.append(bytes(event.data))
            if pieces:
                yield b"".join(pieces)
            if event is not h11.NEED_DATA:
                return
            if buffer is None:
                buffer = memoryview(bytearray(PIECE // 4))
            parser.receive_data(bytes(buffer[: self._gathered(connection, buffer)]))

    def _gathered(self, connection: socket.socket, room: memoryview) -> int:
        """How many bytes came, 0 at the end: at least one, and what follows it at once."""
        if self._broken is not None:
            raise self._broken
        connection.settimeout(self._timeouts.get("read"))
        came = connection.recv_into(room)
        until = monotonic() + GATHERING
        while 0 < came < len(room) and (left := until - monotonic()) > 0:
            connection.settimeout(left)
            try:
                more = connection.recv_into(room[came:])
            except TimeoutError:
                break
            except OSError as error:
                self._broken = error
                break
            if not more:
                break
            came += more
        return came

    def _tell(self, came: bytes | Exception) -> None:
        self._loop_call(self._take, came)

    def _loop_call(self, function: Any, argument: object) -> None:
        with suppress(RuntimeError):  # the loop has ended, and nobody waits
            self._loop.call_soon_threadsafe(function, argument)

    def _set_head(self, head: h11.Response) -> None:
        if not self.head.done():
            self.head.set_result(head)

    def _take(self, came: bytes | Exception) -> None:
        if isinstance(came, Exception) and not self.head.done():
            self.head.set_exception(came)
            return
        self._came.append(came)
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
