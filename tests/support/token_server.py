"""An OAuth token address on the loopback over TLS, that gives or refuses tokens as it is told."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from notice_servers import Certificate


@dataclass
class TokenDesk:
    """``asked`` are the forms that came, ``given`` the tokens; ``refusal`` is a status and an answer instead of one."""

    asked: list[dict[str, str]] = field(default_factory=list)
    given: list[str] = field(default_factory=list)
    expires_in: object = 3600
    refusal: tuple[int, object] | None = None
    silent: bool = False
    url: str = ""

    def answer(self, form: str) -> tuple[int, object]:
        self.asked.append({name: values[0] for name, values in parse_qs(form).items()})
        if self.refusal is not None:
            return self.refusal
        self.given.append(f"token-{len(self.given) + 1}")
        return 200, {"access_token": self.given[-1], "token_type": "Bearer", "expires_in": self.expires_in}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            length = next(int(line[15:]) for line in head.split("\r\n") if line.startswith("content-length:"))
            form = (await reader.readexactly(length)).decode()
            if self.silent:
                await reader.read()
                return
            status, answer = self.answer(form)
            text = json.dumps(answer).encode() if not isinstance(answer, bytes) else answer
            writer.write(
                f"HTTP/1.1 {status} Told\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n"
                "Connection: close\r\n\r\n".encode()
                + text
            )
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # a client that does not trust the certificate goes away
        finally:
            writer.close()


@asynccontextmanager
async def token_desk(certificate: Certificate) -> AsyncIterator[TokenDesk]:
    desk = TokenDesk()
    server = await asyncio.start_server(desk.serve, "127.0.0.1", 0, ssl=certificate.context)
    desk.url = f"https://localhost:{server.sockets[0].getsockname()[1]}/token"
    try:
        yield desk
    finally:
        server.close()
