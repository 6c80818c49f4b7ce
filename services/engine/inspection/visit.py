"""Asking an engine from another process: through its socket where it runs, else from its file."""

import json
import socket
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from services.engine.errors import DataDirectoryInUse, UnusableDataFile
from services.engine.inspection import looks, trails
from services.engine.inspection.door import SOCKET_NAME
from services.engine.inspection.shapes import plain
from services.engine.state.overview import Wanted
from services.engine.state.store import FILE_NAME, Store

_ANSWER_SECONDS = 30
_FROM_FILE: Mapping[str, Callable[..., Any]] = {
    "processes": looks.processes,
    "elements": looks.elements,
    "instances": lambda store, **wanted: looks.instances(store, Wanted(**wanted)),
    "instance": looks.instance,
    "variables": trails.variables,
    "incidents": lambda store, **wanted: looks.incidents(store, Wanted(**wanted)),
    "jobs": lambda store, **wanted: looks.jobs(store, Wanted(**wanted)),
}


class CannotAsk(Exception):
    """Nobody answers there; the message is a sentence that says what to do."""


def ask(folder: Path, question: str, **given: Any) -> Any:
    """The answer of the engine whose data lies in ``folder``, as JSON has it; raises CannotAsk."""
    try:
        with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as line:
            line.settimeout(_ANSWER_SECONDS)
            line.connect(str(folder / SOCKET_NAME))
            return _inner_request(line, question, given)
    except (FileNotFoundError, ConnectionRefusedError):
        return _from_file(folder, question, given)
    except PermissionError as error:
        raise CannotAsk(f"The engine in {folder} belongs to another account: use the account that runs it.") from error
    except OSError as error:
        raise CannotAsk(f"The engine in {folder} did not answer ({error}): see that it runs, and try again.") from error


def _inner_request(line: socket.socket, question: str, given: Mapping[str, Any]) -> Any:
    line.sendall(json.dumps({"ask": question, "with": given}).encode() + b"\n")
    with line.makefile("rb") as lines:
        told = lines.readline()
    if not told:
        raise ConnectionResetError("it closed the connection")
    answer = json.loads(told)
    if "refused" in answer:
        raise CannotAsk(answer["refused"])
    return answer["answer"]


def _from_file(folder: Path, question: str, given: Mapping[str, Any]) -> Any:
    if not (folder / FILE_NAME).exists():
        raise CannotAsk(f"No engine has written to {folder}: name its data folder with --data.")
    if question not in _FROM_FILE:
        raise CannotAsk(f"The engine in {folder} does not run, and nothing goes on without it: start it first.")
    try:
        store = Store(folder)
    except DataDirectoryInUse as error:
        raise CannotAsk(
            f"The engine in {folder} runs and has no socket there; its log says why. Stop it, or look without it."
        ) from error
    except UnusableDataFile as error:
        raise CannotAsk(str(error)) from error
    with closing(store):
        store.begin()
        answer = plain(_FROM_FILE[question](store, **given))
        store.rollback()
        return answer
