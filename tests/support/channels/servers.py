"""Servers on the loopback that answer as one row of a table says: a mail server by steps, and raw bytes over HTTP."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

from notice_servers import Certificate

Step = Literal["greeting", "hello", "STARTTLS", "encrypted hello", "AUTH", "MAIL", "RCPT", "DATA", "mail"]
USUAL: Mapping[Step, bytes] = {
    "greeting": b"220 mail.test\r\n",
    "hello": b"250-mail.test\r\n250 STARTTLS\r\n",
    "encrypted hello": b"250-mail.test\r\n250 AUTH PLAIN\r\n",
    "STARTTLS": b"220 go on\r\n",
    "AUTH": b"235 welcome\r\n",
    "MAIL": b"250 fine\r\n",
    "RCPT": b"250 fine\r\n",
    "DATA": b"354 go on\r\n",
    "mail": b"250 queued\r\n",
}


@dataclass(frozen=True)
class MailScript:
    """What a mail server says at a step in the place of the usual: None is nothing, ever.

    Where it is no whole line the connection ends after it.
    """

    step: Step
    says: bytes | None

    def at(self, step: Step) -> bytes | None:
        return self.says if step == self.step else USUAL[step]


@dataclass
class WebScript:
    """What a web server says to a request by its first line; None: nothing, ever. ``asked`` are these lines."""

    answer: Callable[[str], bytes | None]
    asked: list[str] = field(default_factory=list)


@asynccontextmanager
async def mail_server(script: MailScript, own: Certificate) -> AsyncIterator[int]:
    """A mail server that wants STARTTLS and a login; its port."""
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await _mail(_Line(reader, writer, over), script, own)
        writer.close()

    async with _listening(serve, over, None) as port:
        yield port


@dataclass
class _Line:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    over: asyncio.Event

    async def say(self, said: bytes | None) -> bool:
        """Say it; return whether the connection goes on."""
        if said is None:
            await self.over.wait()
            return False
        self.writer.write(said)
        await self.writer.drain()
        return said.endswith(b"\n")


async def _mail(line: _Line, script: MailScript, own: Certificate) -> None:
    steps: dict[bytes, Step] = {b"EHLO": "hello", b"STARTTLS": "STARTTLS", b"AUTH": "AUTH"}
    steps |= {b"MAIL": "MAIL", b"RCPT": "RCPT", b"DATA": "DATA"}
    if not await line.say(script.at("greeting")):
        return
    while heard := await line.reader.readline():
        step = steps.get(heard.split()[0].upper())
        said = b"250 fine\r\n" if step is None else script.at(step)
        if not await line.say(said):
            return
        if step == "STARTTLS" and said == USUAL["STARTTLS"]:
            await line.writer.start_tls(own.context)
            steps[b"EHLO"] = "encrypted hello"
        if step == "DATA" and said == USUAL["DATA"]:
            await line.reader.readuntil(b"\r\n.\r\n")
            if not await line.say(script.at("mail")):
                return


@asynccontextmanager
async def web_server(script: WebScript, own: Certificate | None) -> AsyncIterator[int]:
    """A web server; its port."""
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            first = await reader.readexactly(1)
            if first == b"\x16":  # TLS to a port without it
                await _Line(reader, writer, over).say(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                writer.close()
                return
            head = (first + await reader.readuntil(b"\r\n\r\n")).decode()
            length = next((line for line in head.lower().split("\r\n") if line.startswith("content-length:")), ":0")
            await reader.readexactly(int(length.partition(":")[2]))
            script.asked.append(head.split("\r\n")[0])
            await _Line(reader, writer, over).say(script.answer(script.asked[-1]))
        writer.close()

    async with _listening(serve, over, own) as port:
        yield port


@asynccontextmanager
async def _listening(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], object], over: asyncio.Event, own: Certificate | None
) -> AsyncIterator[int]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=own.context if own else None)  # type: ignore[arg-type]  # a coroutine function
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        over.set()
        server.close()
