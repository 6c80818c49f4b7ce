"""Serve health, metrics, open incidents and the controlled clock over HTTP."""

import asyncio
import json
import ssl
from datetime import timedelta

from services.engine.access import TokenCheck
from services.engine.clock import ControlledClock, from_millis, to_millis
from services.engine.errors import GatewayError
from services.engine.metrics import CONTENT_TYPE, EngineMetrics
from services.engine.state.incidents import Incident
from services.engine.writer import Writer

_READ_SECONDS = 10
_READY_SECONDS = 5
_WORDS = 3  # of a request's first line: method, path, version
_MAX_BODY = 4096  # bytes: a clock's offset has fewer
_LENGTH_DIGITS = 9  # more are no length that anybody sends; Python refuses to read thousands
_JSON = "application/json"
_PUBLIC = ("/livez", "/readyz", "/metrics", "/actuator/prometheus")  # they hold no text of a case and change nothing


class Management:
    """The management port: GET /livez, /readyz, /metrics (also /actuator/prometheus), and /incidents with the token.

    With a controlled clock GET and DELETE /actuator/clock, POST /clock/add {"offsetMilli"} and /clock/pin
    {"epochMilli"} below /actuator; it asks for the token where the gateway does.
    """

    def __init__(
        self,
        writer: Writer,
        metrics: EngineMetrics,
        clock: ControlledClock | None = None,
        token: TokenCheck | None = None,
    ) -> None:
        self._writer = writer
        self._metrics = metrics
        self._clock = clock
        self._token = token
        self.address = ""

    async def start(self, address: str, tls: ssl.SSLContext | None = None) -> None:
        """Listen on ``address`` (host:port); port 0 chooses a free one.

        Raises GatewayError if it is in use.
        """
        host, _, port = address.rpartition(":")
        try:
            self._server = await asyncio.start_server(self._serve, host.strip("[]"), int(port), ssl=tls)
        except OSError as error:
            raise GatewayError(f"{address}: {error.strerror or error}; name a free port with --management") from error
        bound = self._server.sockets[0].getsockname()
        self.address = f"{bound[0]}:{bound[1]}"

    async def stop(self) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_READ_SECONDS):
                status, content_type, response = await self._answer(reader, writer)
            writer.write(
                f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(response)}\r\n"
                "Connection: close\r\n\r\n".encode()
                + response
            )
            await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass  # the client disconnected or sent no request; nothing was changed
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[str, str, bytes]:
        """Read a request and respond to it; a body is read only from those who may send one, and is bounded."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        words, lengths = head.partition("\r\n")[0].split(" "), _values(head, "content-length")
        if len(words) != _WORDS or not all(length.isascii() and length.isdigit() for length in lengths):
            return _json("400 Bad Request", {"message": "Send a request of HTTP/1.1."})
        method, path = words[0], words[1].partition("?")[0].rstrip("/")
        if path not in _PUBLIC and not self._accepts(head, writer):
            return _json("401 Unauthorized", {"message": "Send the engine's token."})
        body = b""
        if path not in _PUBLIC and lengths:
            if len(lengths[0]) > _LENGTH_DIGITS or int(lengths[0]) > _MAX_BODY:
                return _json("413 Content Too Large", {"message": f"Send at most {_MAX_BODY} bytes."})
            body = await reader.readexactly(int(lengths[0]))
        return await self._respond(method, path, body)

    def _accepts(self, head: str, writer: asyncio.StreamWriter) -> bool:
        if self._token is None:
            return True
        accepted = self._token.accepts(next(iter(_values(head, "authorization")), ""))
        if not accepted:
            self._token.refuse(str(writer.get_extra_info("peername")))
        return accepted

    async def _respond(self, method: str, path: str, body: bytes) -> tuple[str, str, bytes]:
        """Return status line, content type and body."""
        match method, path:
            case "GET", "/metrics" | "/actuator/prometheus":
                return "200 OK", CONTENT_TYPE, self._metrics.exposition()
            case "GET", "/incidents":
                incidents: list[Incident] = await self._writer.read(lambda store: store.incidents.all_open())
                return _json("200 OK", [_incident_fields(incident) for incident in incidents])
            case "GET", "/livez":
                return _json("200 OK", {"alive": True})
            case "GET", "/readyz":
                return await self._ready()
        if self._clock is not None and path.startswith("/actuator/clock"):
            return self._control_clock(self._clock, method, path, body)
        return _json("404 Not Found", {"message": "The paths are /livez, /readyz, /metrics and /incidents."})

    async def _ready(self) -> tuple[str, str, bytes]:
        """Report ready if the writer responds: it reads between two batches."""
        try:
            async with asyncio.timeout(_READY_SECONDS):
                await self._writer.read(lambda _store: None)
        except Exception as error:  # noqa: BLE001  # any failure means not ready
            return _json("503 Service Unavailable", {"ready": False, "cause": type(error).__name__})
        return _json("200 OK", {"ready": True})

    def _control_clock(self, clock: ControlledClock, method: str, path: str, body: bytes) -> tuple[str, str, bytes]:
        try:
            match method, path:
                case "GET", "/actuator/clock":
                    pass
                case "DELETE", "/actuator/clock":
                    clock.reset()
                case "POST", "/actuator/clock/add":
                    clock.add(timedelta(milliseconds=int(json.loads(body)["offsetMilli"])))
                case "POST", "/actuator/clock/pin":
                    clock.pin(from_millis(int(json.loads(body)["epochMilli"])))
                case _:
                    message = "The paths are /actuator/clock, /actuator/clock/add and /actuator/clock/pin."
                    return _json("404 Not Found", {"message": message})
        except (ValueError, KeyError, TypeError, ArithmeticError, RecursionError):
            message = 'Send {"offsetMilli": n} to /add or {"epochMilli": n} to /pin.'
            return _json("400 Bad Request", {"message": message})
        self._writer.wake()
        now = clock.now()
        return _json("200 OK", {"epochMilli": to_millis(now), "instant": now.isoformat()})


def _values(head: str, name: str) -> list[str]:
    """Return the values of a header in a request's head."""
    lines = (line.partition(":") for line in head.split("\r\n")[1:])
    return [value.strip() for found, _, value in lines if found.lower() == name]


def _json(status: str, content: object) -> tuple[str, str, bytes]:
    return status, _JSON, json.dumps(content, ensure_ascii=False).encode()


def _incident_fields(incident: Incident) -> dict[str, object]:
    """Use Zeebe's field names; ``jobKey`` is -1 if the element itself failed."""
    return {
        "key": incident.key,
        "jobKey": incident.job_key or -1,
        "processInstanceKey": incident.process_instance_key,
        "elementId": incident.element_id,
        "errorType": incident.error_type,
        "errorMessage": incident.error_message,
    }
