"""HTTP as it is spoken to recorders: bodies however they are framed, what breaks, what is let go."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from notice_servers import certificate

from services.runtime.addresses import Guard, guarded_client, parse_networks

LOOPBACK = Guard(parse_networks("127.0.0.0/8"), ("http", "https"))
BODY = bytes(range(256)) * 8192 * 2
TOLD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


@asynccontextmanager
async def client_of(
    serve: Serve, *, tls: ssl.SSLContext | None = None, heads: list[bytes] | None = None
) -> AsyncIterator[Any]:
    """A client of a server that does this with each connection whose request has come."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if heads is not None:
                heads.append(head)
            await serve(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    async with guarded_client(LOOPBACK, timeout=5) as client:
        client.base_url = httpx.URL(f"{'https' if tls else 'http'}://127.0.0.1:{port}")
        yield client
    server.close()
    await server.wait_closed()


def sends(*parts: bytes) -> Serve:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()

    return serve


def chunked(body: bytes) -> bytes:
    pieces = (body[start : start + 70_001] for start in range(0, len(body), 70_001))
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        TOLD % len(BODY) + BODY,
        b"HTTP/1.1 103 Early Hints\r\n\r\n" + TOLD % len(BODY) + BODY + b"more than was told",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(BODY),
        b"HTTP/1.1 200 OK\r\n\r\n" + BODY,
    ],
    ids=["told", "told and more", "chunked", "to its end"],
)
async def test_a_body_is_what_was_sent_however_it_is_framed(answer: bytes) -> None:
    async with client_of(sends(answer)) as client:
        assert (await client.get("/")).content == BODY


@pytest.mark.parametrize(("method", "status"), [("HEAD", "200 OK"), ("GET", "204 No Content"), ("GET", "304 Same")])
async def test_an_answer_without_a_body_ends_with_its_head(method: str, status: str) -> None:
    async with client_of(sends(f"HTTP/1.1 {status}\r\nContent-Length: 9\r\n\r\n".encode())) as client:
        assert (await client.request(method, "/")).content == b""


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 4\r\nContent-Length: 5",
        b"Content-Length: 4 bytes",
        b"Transfer-Encoding: gzip",
        b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
        b"no header\r\nContent-Length: 5",
        b": nameless\r\nContent-Length: 5",
        b" continued\r\nContent-Length: 5",
    ],
)
async def test_a_head_that_leaves_the_end_of_its_body_open_is_no_answer(head: bytes) -> None:
    async with client_of(sends(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\nbody")) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/")


async def test_another_protocol_is_no_answer() -> None:
    async with client_of(sends(b"HTTP/1.1 101 Other\r\nUpgrade: other\r\n\r\n")) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/")


async def test_headers_go_and_come_as_they_are() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        bodies.append(await reader.readexactly(4))
        writer.write(b"HTTP/1.1 200 F\xfcr dich\r\nSet-Cookie: a=1\r\nSet-Cookie: b=\xfc\r\n")
        writer.write(b"Content-Type: multipart/mixed\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    heads: list[bytes] = []
    bodies: list[bytes] = []
    given = [("Host", "else.where"), ("X-Twice", "1"), ("x-twice", "2"), ("Content-Length", "4")]
    async with client_of(serve, heads=heads) as client:
        client.headers.clear()
        response = await client.post("/a%2Fb?c", content=b"body", headers=given)
    assert heads == [
        b"POST /a%2Fb?c HTTP/1.1\r\nHost: else.where\r\nX-Twice: 1\r\nx-twice: 2\r\nContent-Length: 4\r\n\r\n"
    ]
    assert bodies == [b"body"]
    assert response.headers.raw[:2] == [(b"Set-Cookie", b"a=1"), (b"Set-Cookie", b"b=\xfc")]
    assert response.extensions["reason_phrase"] == b"F\xfcr dich"


async def test_tls_is_read_in_its_small_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.authority))
    async with client_of(sends(TOLD % len(BODY), BODY), tls=made.context) as client:
        assert (await client.get("/")).content == BODY


@pytest.mark.parametrize("head", [TOLD % (len(BODY) + 1), b"HTTP/1.1 200 OK\r\n\r\n"], ids=["told", "to its end"])
async def test_what_came_is_there_before_a_connection_breaks(head: bytes) -> None:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head + BODY)
        await writer.drain()
        await went.wait()
        line: socket.socket = writer.get_extra_info("socket")
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    went, got = asyncio.Event(), bytearray()

    async def read(response: httpx.Response) -> None:
        async for piece in response.aiter_bytes():
            got.extend(piece)
            if len(got) == len(BODY):
                went.set()

    async with client_of(serve) as client, client.stream("GET", "/") as response:
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            await read(response)
    assert bytes(got) == BODY


async def test_the_connection_of_a_body_that_nobody_reads_to_its_end_is_closed() -> None:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(TOLD % (1 << 40))
        with suppress(ConnectionError):
            while True:
                writer.write(BODY)
                await writer.drain()
        closed.set()

    closed = asyncio.Event()
    async with client_of(serve) as client:
        async with client.stream("GET", "/") as response:
            async for _ in response.aiter_bytes():
                break
        async with asyncio.timeout(5):
            await closed.wait()


@pytest.mark.parametrize("begun", [b"", TOLD % 9 + b"few"], ids=["before the head", "in the body"])
async def test_the_connection_of_one_who_waits_no_longer_is_closed(begun: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(begun)
        await writer.drain()
        came.set()
        if await reader.read() == b"":
            closed.set()

    came, closed = asyncio.Event(), asyncio.Event()
    async with client_of(serve) as client:
        asking = asyncio.create_task(client.get("/"))
        await came.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        async with asyncio.timeout(5):
            await closed.wait()


@pytest.mark.parametrize("begun", [b"", TOLD % 9 + b"few"], ids=["before the head", "in the body"])
async def test_silence_is_a_time_out(begun: bytes) -> None:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(begun)
        await writer.drain()
        await over.wait()

    over = asyncio.Event()
    async with client_of(serve) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.get("/", timeout=0.05)
        over.set()
