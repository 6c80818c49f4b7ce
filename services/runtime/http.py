"""Serve ASGI inside a process with other tasks: no signal handlers, no exit, the port known beforehand."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import anyio
import uvicorn
from starlette.types import ASGIApp

from services.runtime.errors import Fatal


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 is a free one, see ``getsockname()[1]``. Raises Fatal."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise Fatal(
            f"could not listen | {host}:{port} | {error.strerror} | free the port, or set another one"
        ) from error


async def serve(app: ASGIApp, listener: socket.socket, *, lifespan: bool = False, grace: float = 5.0) -> None:
    """Serve ``app`` on ``listener`` until cancelled; open requests get ``grace`` seconds then."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        proxy_headers=False,  # the portal's setting says whose X-Forwarded-For is trusted
        lifespan="on" if lifespan else "off",
        timeout_graceful_shutdown=max(1, round(grace)),
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="uvicorn")
    try:
        # Shielded, because uvicorn that is cancelled itself would drop its connections.
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        server.should_exit = True
        with anyio.CancelScope(shield=True):
            await serving
        raise


def address_of(listener: socket.socket) -> str:
    """Return the address of the listener, to open in a browser."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
