"""Faults in the stream of a sealing, each at one byte: a recorder that breaks, a store that is full or killed."""

import asyncio
import contextlib
import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_network
from typing import Any

from services.bench.camera import CHANNEL, span_of
from services.recorders.http_client import HttpClient
from services.recorders.protocol import Segment
from services.runtime.addresses import Guard

PIECE = 16 * 1024
PATIENCE = (
    0.3  # seconds without a byte; a recorder that is merely slow on a busy machine would be taken for a stalled one
)
FULL = b"<Error><Code>XMinioStorageFull</Code><Message>Storage backend has reached its limit.</Message></Error>"


@dataclass
class FaultyRecorder:
    """Serves ``count`` segments over HTTP; at byte ``at`` of all of them the ``fault`` happens, until ``mended``."""

    segment: bytes
    count: int
    fault: str  # drop, stall, corrupt
    at: int
    mended: bool = False
    address: str = ""
    _gone: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def size(self) -> int:
        return self.count * len(self.segment)

    @asynccontextmanager
    async def serve(self) -> AsyncIterator["FaultyRecorder"]:
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            self._gone.set()
            server.close()

    async def fetch(self) -> AsyncIterator[Segment]:
        """As a recorder over HTTP gives them."""
        patience = PATIENCE if self.fault == "stall" and not self.mended else 30.0
        web = HttpClient(self.address, Guard([ip_network("127.0.0.0/8")], ("http",)), patience=patience)
        for number in range(self.count):
            read = partial(web.read, f"/{number}")
            yield Segment(str(number), CHANNEL, span_of(number), len(self.segment), "fmp4", read)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            number = head.split()[1].lstrip(b"/")
            body, at = self._body(number)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: %d\r\n\r\n" % len(body))
            whole = self.mended or self.fault == "corrupt" or at is None
            await self._send(writer, body if whole else body[:at])
            if not whole and self.fault == "stall":
                await self._gone.wait()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # whoever read it has gone
        finally:
            writer.close()

    def _body(self, number: bytes) -> tuple[bytes, int | None]:
        """What is sent, and where in it the fault is; ``whole`` is all of them, one after another."""
        if number == b"whole":
            return self.segment * self.count, self.at
        at = self.at - int(number) * len(self.segment)
        if not 0 <= at < len(self.segment):
            return self.segment, None
        if self.fault != "corrupt" or self.mended:
            return self.segment, at
        return self.segment[:at] + bytes([self.segment[at] ^ 0xFF]) + self.segment[at + 1 :], at

    async def _send(self, writer: asyncio.StreamWriter, body: bytes) -> None:
        for start in range(0, len(body), PIECE):
            writer.write(body[start : start + PIECE])
            await writer.drain()


@dataclass
class FaultyWay:
    """The way to an S3 server; when ``at`` bytes of bodies have passed the ``fault`` happens, until ``mended``."""

    endpoint: str  # of the server
    fault: str  # full, killed, corrupt
    at: int
    mended: bool = False
    met: bool = False
    port: int = 0
    _passed: int = 0
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    @asynccontextmanager
    async def serve(self) -> AsyncIterator["FaultyWay"]:
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0, limit=1 << 20)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self._abort()

    def mend(self) -> None:
        """The store is there again, with room."""
        self.mended = True

    def _abort(self) -> None:
        for writer in self._open:
            writer.transport.abort()
        self._open.clear()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.fault == "killed" and self.met and not self.mended:
            writer.transport.abort()
            return
        host, _, port = self.endpoint.partition(":")
        their_reader, their_writer = await asyncio.open_connection(host, int(port))
        self._open |= {writer, their_writer}
        back = asyncio.create_task(_copy(their_reader, writer))
        try:
            while head := await _head(reader):
                if not await self._request(head, reader, writer, their_writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            back.cancel()
            for one in (writer, their_writer):
                self._open.discard(one)
                one.close()

    async def _request(
        self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, theirs: asyncio.StreamWriter
    ) -> bool:
        length = _length(head)
        if self.fault == "full" and self.met and not self.mended and head.startswith((b"PUT", b"POST")):
            await reader.readexactly(length)
            await _refuse(writer)
            return False
        theirs.write(head)
        while length:
            piece = await reader.read(min(PIECE, length))
            if not piece:
                return False
            length -= len(piece)
            if self._meets(len(piece)):
                if self.fault == "killed":
                    self._abort()
                    return False
                if self.fault == "full":
                    await reader.readexactly(length)
                    await _refuse(writer)
                    return False
                piece = bytes([piece[0] ^ 0xFF]) + piece[1:]
            theirs.write(piece)
            await theirs.drain()
        return True

    def _meets(self, size: int) -> bool:
        before, self._passed = self._passed, self._passed + size
        if self.mended or self.met or not before <= self.at < self._passed:
            return False
        self.met = True
        return True


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


async def _refuse(writer: asyncio.StreamWriter) -> None:
    head = b"HTTP/1.1 507 Insufficient Storage\r\nContent-Type: application/xml\r\nContent-Length: %d\r\n\r\n"
    writer.write(head % len(FULL) + FULL)
    await writer.drain()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while piece := await reader.read(PIECE):
            writer.write(piece)
            await writer.drain()


class FullDisk:
    """A file that has room for so many bytes."""

    def __init__(self, file: Any, room: int) -> None:
        self._file = file
        self._room = room

    def write(self, data: bytes) -> int:
        self._room -= len(data)
        if self._room < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return int(self._file.write(data))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
