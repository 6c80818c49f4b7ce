"""Where a process listens: the port of its health, and the portal's."""

import socket
from typing import Literal

from services.runtime.errors import Fatal
from services.runtime.http import listen
from services.runtime.settings import Settings, variable


def listen_as(settings: Settings, part: Literal["health", "portal"]) -> socket.socket:
    """Return a listening socket of the settings' address for this part; raises Fatal."""
    address = settings.health if part == "health" else settings.portal
    host, port = address.host, address.port
    try:
        return listen(host, port)
    except Fatal as error:
        raise Fatal(
            f"could not listen | {host}:{port} | somebody else does, or this machine has no such address | stop that "
            f"process, or set {variable(f'{part}.port')} to a free port"
        ) from error
