"""Serve the inspector on a Unix socket in the engine's data folder.

Access equals access to the engine's file: only the account that runs the engine may connect, so there is neither a
port nor a password. A request is one line with a JSON object, {"method": …, "arguments": {…}}, the response another
one, {"result": …} or {"error": …}.
"""

import asyncio
import json
import logging
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from services.engine.errors import Rejection
from services.engine.inspection.inspector import Inspector
from services.engine.inspection.views import to_json

SOCKET_NAME = "engine.socket"
MAX_LINE_BYTES = 64 * 1024
_READ_SECONDS = 10
_METHODS = (
    "processes", "elements", "instances", "instance", "variables", "incidents", "jobs", "retry", "update_job_retries",
)  # fmt: skip
_log = logging.getLogger(__name__)


class InspectionServer:
    """Calls the methods of an ``Inspector`` by their names."""

    def __init__(self, inspector: Inspector, folder: Path) -> None:
        self._methods: dict[str, Callable[..., Awaitable[Any]]] = {name: getattr(inspector, name) for name in _METHODS}
        self._path = folder / SOCKET_NAME
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Open the socket.

        Log a warning where the folder does not allow one.
        """
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._path.unlink(missing_ok=True)  # left by an engine that was killed: the folder's lock is ours
            listening.bind(str(self._path))
            self._path.chmod(0o600)  # before it listens, so that no other account ever connects
            self._server = await asyncio.start_unix_server(self._serve, sock=listening, limit=MAX_LINE_BYTES)
        except OSError as error:
            listening.close()
            _log.warning("the commands of footage-desk engine cannot query this engine: %s: %s", self._path, error)

    async def stop(self) -> None:
        if self._server is None:
            return
        self._server.close()
        await self._server.wait_closed()
        self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_READ_SECONDS):
                line = await reader.readline()
            writer.write(json.dumps(await self._respond(line), ensure_ascii=False).encode() + b"\n")
            await writer.drain()
        except (TimeoutError, ValueError, ConnectionError):
            pass  # the client disconnected or sent no request; nothing was changed
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _respond(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            method, arguments = self._methods[request["method"]], dict(request["arguments"])
            return {"result": to_json(await method(**arguments))}
        except (KeyError, TypeError, ValueError) as error:
            return {"error": f"Invalid request: {error}"}
        except Rejection as error:
            return {"error": str(error)}
