"""A small HTTP server whose answers may be as wrong as recorders' are: lengths that lie, bytes that stop, nothing."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

CHUNKED = "chunked"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter, asyncio.Event], Awaitable[None]]


@dataclass(frozen=True)
class Request:
    """What was asked; names of headers in small letters, ``path`` without escapes."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass(frozen=True)
class Reply:
    """``length`` is what the header says (None: the truth; CHUNKED: nothing); ``cut`` bytes are sent, then the
    connection ends; with ``hangs`` it stays open and nothing more comes."""

    body: bytes = b""
    status: int = 200
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    length: int | str | None = None
    cut: int | None = None
    hangs: bool = False


@asynccontextmanager
async def serving(answer: Callable[[Request], Reply]) -> AsyncIterator[str]:
    """The address of the server, for as long as the block runs; it gives one answer for each connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, over: asyncio.Event) -> None:
        reply = answer(await _request(reader))
        writer.write(_head(reply))
        body = reply.body if reply.cut is None else reply.body[: reply.cut]
        if reply.length == CHUNKED:
            ended = reply.cut is None and not reply.hangs
            body = b"%x\r\n%s\r\n" % (len(body), body) * bool(body) + (b"0\r\n\r\n" if ended else b"")
        writer.write(body)
        await writer.drain()
        if reply.hangs:
            await over.wait()

    async with listening(serve) as address:
        yield address


@asynccontextmanager
async def listening(serve: Serve) -> AsyncIterator[str]:
    """The address at which each connection is served so; its event is set when the block ends."""
    over = asyncio.Event()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer, over)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # whoever asked has gone
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        over.set()
        server.close()
        await server.wait_closed()


async def _request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    parts = urlsplit(target)
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, unquote(parts.path), dict(parse_qsl(parts.query)), headers, body)


def _head(reply: Reply) -> bytes:
    length = len(reply.body) if reply.length is None else reply.length
    told = "Transfer-Encoding: chunked" if length == CHUNKED else f"Content-Length: {length}"
    lines = [f"HTTP/1.1 {reply.status} It is so", f"Content-Type: {reply.kind}", told, "Connection: close"]
    lines += [f"{name}: {value}" for name, value in reply.headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
