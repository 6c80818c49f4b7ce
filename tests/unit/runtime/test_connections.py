"""Connections that ask nothing, or never end their question, are closed; too many are not opened."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from services.runtime.http import listen, serve
from services.web.middleware import RequestLimits

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
WELL = PlainTextResponse("well")
REQUEST = b"GET / HTTP/1.1\r\nHost: desk\r\n"


@asynccontextmanager
async def served(
    app: ASGIApp = WELL,
    *,
    header_seconds: float = 60,
    unread_seconds: float = 60,
    most_connections: int = 10,
) -> AsyncIterator[int]:
    listener = listen("127.0.0.1", 0)
    server = asyncio.create_task(
        serve(
            app,
            listener,
            grace=1,
            header_seconds=header_seconds,
            unread_seconds=unread_seconds,
            most_connections=most_connections,
        )
    )
    try:
        yield listener.getsockname()[1]
    finally:
        server.cancel()
        await asyncio.gather(server, return_exceptions=True)


async def connect(port: int, sent: bytes = b"") -> Connection:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    return reader, writer


async def is_closed(connection: Connection) -> bool:
    """Wait until the server closes; what it said before does not count."""
    with suppress(ConnectionResetError):
        await connection[0].read()
    return True


async def test_who_asks_nothing_or_never_ends_the_header_is_hung_up_on() -> None:
    async with served(header_seconds=0.05) as port:
        silent, slow = await connect(port), await connect(port, REQUEST)

        assert await is_closed(silent)
        assert await is_closed(slow)


async def test_a_second_request_on_a_connection_has_the_limit_too() -> None:
    async with served(header_seconds=0.05) as port:
        reader, writer = await connect(port, REQUEST + b"\r\n")
        assert (await reader.readuntil(b"well")).startswith(b"HTTP/1.1 200")

        writer.write(REQUEST)

        assert await is_closed((reader, writer))


def test_the_body_of_an_answer_does_not_wait_until_its_header_is_acknowledged() -> None:
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_who_ends_the_header_in_time_is_answered() -> None:
    async with served() as port:
        reader, writer = await connect(port, REQUEST)
        writer.write(b"Connection: close\r\n\r\n")

        assert (await reader.read()).startswith(b"HTTP/1.1 200")


async def test_who_does_not_read_the_answer_is_hung_up_on() -> None:
    ended = asyncio.Event()

    async def long(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await PlainTextResponse(b"x" * (64 << 20))(scope, receive, send)
        finally:
            ended.set()

    async with served(long, unread_seconds=0.05) as port:
        reader, _ = await connect(port, REQUEST + b"\r\n")  # reads as much as its buffer takes
        await asyncio.wait_for(ended.wait(), 30)
        assert await is_closed((reader, _))


async def test_who_goes_on_reading_gets_the_whole_answer() -> None:
    whole = PlainTextResponse(b"x" * (16 << 20))

    async with served(whole, unread_seconds=0.05) as port:
        reader, _ = await connect(port, REQUEST + b"Connection: close\r\n\r\n")
        read = 0
        while piece := await reader.read(1 << 16):
            read += len(piece)
        assert read > 16 << 20


async def test_a_body_that_does_not_come_is_answered_and_hung_up_on() -> None:
    async def reads(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        await WELL(scope, receive, send)

    app = ExceptionMiddleware(RequestLimits(reads, body_seconds=0.05))
    async with served(app) as port:
        reader, writer = await connect(port, REQUEST + b"Content-Length: 100\r\n\r\n")
        assert b" 408 " in await reader.readline()
        assert await is_closed((reader, writer))

        reader, writer = await connect(port, REQUEST + b"Content-Length: 4\r\n\r\nbody")
        assert b" 200 " in await reader.readline()


async def test_one_connection_too_many_is_closed_at_once_and_the_others_go_on() -> None:
    async with served(most_connections=3) as port:
        first, *_ = [await connect(port) for _ in range(3)]
        assert await is_closed(await connect(port))

        first[1].write(REQUEST + b"Connection: close\r\n\r\n")
        assert (await first[0].read()).startswith(b"HTTP/1.1 200")
