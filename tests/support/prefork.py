"""Processes forked from one that has imported the whole product.

A server that imports the product is ready after 5 s of the processor, a forked one after 0.4 s. For tests that start
one again and again; that each command starts as operators type it is shown by the tests over ``service_process``.
"""

import asyncio
import importlib
import multiprocessing
import os
import pkgutil
import sys
from collections.abc import Callable, Mapping
from functools import cache
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

Announce = Callable[[str], None]

_PRELOADED = "prefork_imports"
_FORKED_PARTS = ("app", "demo", "domain", "engine", "recorders", "rendering", "runtime", "vault", "workers")


def import_product() -> None:
    """Import every module that a server may need."""
    for part in _FORKED_PARTS:
        package = importlib.import_module(f"services.{part}")
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith(("__main__", ".process")):
                importlib.import_module(module.name)


class ForkedProcess:
    """``target(announce, *arguments)`` in a session of its own, with stderr appended to ``log``.

    ``environment`` replaces the inherited one.
    """

    def __init__(
        self,
        target: Callable[..., None],
        *arguments: object,
        log: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        context = multiprocessing.get_context("forkserver")
        _start_forkserver()
        self._announced, announcing = context.Pipe(duplex=False)
        given = dict(os.environ if environment is None else environment)
        self._process = context.Process(
            target=_run, args=(target, arguments, log, given, announcing), name=target.__qualname__, daemon=True
        )
        self._process.start()
        announcing.close()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs; negative where a signal has ended it."""
        return self._process.exitcode

    async def announced(self) -> str:
        """Wait for what the target announces first; empty when the process ends before."""
        await _readable(self._announced.fileno())
        try:
            return str(self._announced.recv())
        except EOFError:
            return ""

    async def wait(self) -> int:
        # Polled in the loop's thread alone: the exit code can be read from its pipe only once.
        while self._process.exitcode is None:
            await _readable(self._process.sentinel)
        return self._process.exitcode

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()


@cache
def _start_forkserver() -> None:
    """Start the process that all others are forked from, with what is imported before the first fork.

    Python 3.11 does not give it this process's path, and ignores that a module is not found.
    """
    path = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)
    try:
        forkserver.set_forkserver_preload([_PRELOADED])
        forkserver.ensure_running()
    finally:
        del os.environ["PYTHONPATH"]
        if path is not None:
            os.environ["PYTHONPATH"] = path


async def _readable(file: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(file, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(file)


def _run(
    target: Callable[..., None],
    arguments: tuple[Any, ...],
    log: Path,
    environment: dict[str, str],
    announcing: "Connection",
) -> None:
    os.setsid()
    if _PRELOADED not in sys.modules:
        raise RuntimeError(f"{_PRELOADED} was not imported before the fork: each process would import the product anew")
    with log.open("ab") as file, Path(os.devnull).open("r+b") as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(nothing.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ.clear()
    os.environ.update(environment)
    target(announcing.send, *arguments)
