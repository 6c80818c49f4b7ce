"""Query an engine from another process, by its socket or file."""

import json
import socket
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from services.engine.errors import DataDirectoryInUse, UnusableDataFile
from services.engine.inspection import queries
from services.engine.inspection.socket_server import SOCKET_NAME
from services.engine.inspection.views import to_json
from services.engine.state.overview import ListFilter
from services.engine.state.store import FILE_NAME, Store

_RESPONSE_SECONDS = 30
_FILE_QUERIES: Mapping[str, Callable[..., Any]] = {
    "processes": queries.processes,
    "elements": queries.elements,
    "instances": lambda store, **filters: queries.instances(store, ListFilter(**filters)),
    "instance": queries.instance,
    "variables": queries.variables,
    "incidents": lambda store, **filters: queries.incidents(store, ListFilter(**filters)),
    "jobs": lambda store, **filters: queries.jobs(store, ListFilter(**filters)),
}


class InspectionError(Exception):
    """The engine did not respond; the message says what to do."""


def query_engine(folder: Path, method: str, **arguments: Any) -> Any:
    """Call an inspector's method for the engine in ``folder``; return JSON.

    Raises InspectionError.
    """
    try:
        with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as connection:
            connection.settimeout(_RESPONSE_SECONDS)
            connection.connect(str(folder / SOCKET_NAME))
            return _query_socket(connection, method, arguments)
    except (FileNotFoundError, ConnectionRefusedError):
        return _query_file(folder, method, arguments)
    except PermissionError as error:
        raise InspectionError(
            f"The engine in {folder} belongs to another account; use the account that runs it."
        ) from error
    except OSError as error:
        raise InspectionError(
            f"The engine in {folder} did not respond ({error}); check that it is running, and retry."
        ) from error


def _query_socket(connection: socket.socket, method: str, arguments: Mapping[str, Any]) -> Any:
    connection.sendall(json.dumps({"method": method, "arguments": arguments}).encode() + b"\n")
    with connection.makefile("rb") as lines:
        line = lines.readline()
    if not line:
        raise ConnectionResetError("it closed the connection")
    response = json.loads(line)
    if "error" in response:
        raise InspectionError(response["error"])
    return response["result"]


def _query_file(folder: Path, method: str, arguments: Mapping[str, Any]) -> Any:
    if not (folder / FILE_NAME).exists():
        raise InspectionError(f"No engine has written to {folder}; name its data folder with --data.")
    if method not in _FILE_QUERIES:
        raise InspectionError(
            f"The engine in {folder} is not running, and its state cannot be changed without it; start it first."
        )
    try:
        store = Store(folder)
    except DataDirectoryInUse as error:
        raise InspectionError(
            f"The engine in {folder} is running and has no socket there; its log says why. Stop it to read its file."
        ) from error
    except UnusableDataFile as error:
        raise InspectionError(str(error)) from error
    with closing(store):
        store.begin()
        result = to_json(_FILE_QUERIES[method](store, **arguments))
        store.rollback()
        return result
