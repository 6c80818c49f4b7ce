"""Where another process on this machine asks the engine: a socket in its data folder, for its own account alone.

Whoever may open the engine's file may ask here, and nobody else: there is no port and no password. One JSON object a
line, {"ask": …, "with": {…}}, and one a line back, {"answer": …} or {"refused": …}.
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
from services.engine.inspection.desk import Desk
from services.engine.inspection.shapes import plain

SOCKET_NAME = "engine.socket"
LONGEST_LINE = 64 * 1024
_READ_SECONDS = 10
_QUESTIONS = (
    "processes", "elements", "instances", "instance", "variables", "incidents", "jobs", "retry", "set_retries",
)  # fmt: skip
_log = logging.getLogger(__name__)


class Door:
    """Answers what ``Desk`` answers, under the same names."""

    def __init__(self, desk: Desk, folder: Path) -> None:
        self._questions: dict[str, Callable[..., Awaitable[Any]]] = {name: getattr(desk, name) for name in _QUESTIONS}
        self._path = folder / SOCKET_NAME
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """An engine that cannot have a socket there runs all the same: the log says why nobody can ask."""
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._path.unlink(missing_ok=True)  # of one that was killed: this engine alone has the folder
            listening.bind(str(self._path))
            self._path.chmod(0o600)  # before it listens, so that nobody else ever gets in
            self._server = await asyncio.start_unix_server(self._serve, sock=listening, limit=LONGEST_LINE)
        except OSError as error:
            listening.close()
            _log.warning("footage-desk engine instances and its like cannot ask this engine: %s: %s", self._path, error)

    async def close(self) -> None:
        if self._server is None:
            return
        self._server.close()
        await self._server.wait_closed()
        self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_READ_SECONDS):
                line = await reader.readline()
            writer.write(json.dumps(await self._answered(line), ensure_ascii=False).encode() + b"\n")
            await writer.drain()
        except (TimeoutError, ValueError, ConnectionError):
            pass  # the client went away or sends no question; nothing was changed
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _answered(self, line: bytes) -> dict[str, Any]:
        try:
            question = json.loads(line)
            ask, given = self._questions[question["ask"]], dict(question["with"])
            return {"answer": plain(await ask(**given))}
        except (KeyError, TypeError, ValueError) as error:
            return {"refused": f"this is no question of ours: {error}"}
        except Rejection as error:
            return {"refused": str(error)}
