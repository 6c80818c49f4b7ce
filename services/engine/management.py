"""The management port: turns a controlled clock over HTTP, as Zeebe's does."""

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta

from services.engine.clock import ControlledClock, from_millis, to_millis

_READ_SECONDS = 10


class Management:
    """GET and DELETE /actuator/clock, POST /clock/add {"offsetMilli"} and /clock/pin {"epochMilli"} below /actuator."""

    def __init__(self, clock: ControlledClock, turned: Callable[[], None]) -> None:
        self._clock = clock
        self._turned = turned
        self.address = ""

    async def start(self, address: str) -> None:
        """``address`` is host:port; port 0 takes a free one."""
        host, _, port = address.rpartition(":")
        self._server = await asyncio.start_server(self._serve, host or "127.0.0.1", int(port))
        bound = self._server.sockets[0].getsockname()
        self.address = f"{bound[0]}:{bound[1]}"

    async def stop(self) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_READ_SECONDS):
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                length = next((int(h[15:]) for h in head.lower().split("\r\n") if h.startswith("content-length:")), 0)
                body = await reader.readexactly(length)
            method, path, *_ = head.split(" ", 2)
            status, answer = self._answer(method, path, body)
            text = json.dumps(answer).encode()
            writer.write(
                f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n"
                "Connection: close\r\n\r\n".encode()
                + text
            )
            await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass  # the client went away or sends no request; nothing was changed
        finally:
            writer.close()

    def _answer(self, method: str, path: str, body: bytes) -> tuple[str, dict[str, object]]:
        try:
            match method, path.rstrip("/"):
                case "GET", "/actuator/clock":
                    pass
                case "DELETE", "/actuator/clock":
                    self._clock.reset()
                case "POST", "/actuator/clock/add":
                    self._clock.add(timedelta(milliseconds=int(json.loads(body)["offsetMilli"])))
                case "POST", "/actuator/clock/pin":
                    self._clock.pin(from_millis(int(json.loads(body)["epochMilli"])))
                case _:
                    return "404 Not Found", {"message": "Only /actuator/clock, /actuator/clock/add and /pin are here."}
        except (ValueError, KeyError, TypeError):
            return "400 Bad Request", {"message": 'Send {"offsetMilli": n} to /add or {"epochMilli": n} to /pin.'}
        self._turned()
        now = self._clock.now()
        return "200 OK", {"epochMilli": to_millis(now), "instant": now.isoformat()}
