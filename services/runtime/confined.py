"""Run work in a confined process, which can only read and write its pipes (``services.runtime.confine``)."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import IO

from services.runtime import confine
from services.runtime.confine import NOT_CONFINED, clean_environment
from services.runtime.errors import Fatal
from services.runtime.logs import get_logger
from services.runtime.settings import variable
from services.runtime.threads import run_in_thread
from services.runtime.translations import Joined, Message, Text

log = get_logger(__name__)

WALLS = ("seccomp", "Landlock")
REQUIRED = "confinement.required"
PROBE_SECONDS = 60
_CHUNK = 1 << 16
_TAIL = 1 << 12
ATTEMPTED = "a confined process attempted what it may not do, and was killed"


class NotConfined(Fatal):
    """A wall around the process is missing, and the settings insist on both: nothing was read."""

    runbook = "incidents-pending#footage"


@dataclass
class _Policy:
    """Whether this program insists on both walls; its container says so once."""

    required: bool = False


_policy = _Policy()


def require_walls(required: bool) -> None:
    """Have confined processes refuse to start where a wall is missing, or go on with the other."""
    _policy.required = required


def environment() -> dict[str, str]:
    """Return the environment of a confined process."""
    return clean_environment(insist=_policy.required)


async def read_tail(stream: asyncio.StreamReader | None) -> str:
    """Read all of what a process says, and return the end of it, at most ``_TAIL`` bytes."""
    tail = b""
    while stream is not None and (chunk := await stream.read(_TAIL)):
        tail = (tail + chunk)[-_TAIL:]
    return tail.decode(errors="replace")


def kill(process: asyncio.subprocess.Process) -> None:
    """Kill a process that may just have ended by itself.

    Its own ``kill`` would take its status away from asyncio, which then logs an unknown child process.
    """
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)


async def answer_of(
    module: str, *arguments: str, given: bytes | bytearray | IO[bytes], seconds: float, largest: int
) -> bytes:
    """Return the output of ``python -m module arguments`` for ``given``, at most ``largest`` bytes.

    Empty if it fails, times out or writes more: then it is killed, and not read to its end. Raises NotConfined.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-m", module, *arguments),
        stdin=asyncio.subprocess.PIPE if isinstance(given, (bytes, bytearray)) else given,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=environment(),
    )
    try:
        async with asyncio.timeout(seconds):
            output = await _read_answer(process, given if isinstance(given, (bytes, bytearray)) else None, largest)
    except TimeoutError:
        return b""
    finally:
        if process.returncode is None:
            kill(process)
            while process.stdout is not None and await process.stdout.read(_CHUNK):
                pass  # what the pipe still holds: asyncio calls no process ended before that is read
            await process.wait()
    if output is None:
        log.error("a confined process answered more than it may, and was killed", module=module, largest=largest)
        return b""
    await check_status(module, process.returncode)
    return output if process.returncode == 0 else b""


async def _read_answer(
    process: asyncio.subprocess.Process, given: bytes | bytearray | None, largest: int
) -> bytes | None:
    """Write ``given``, and read until the process ends; None, with the process as it is, for more than ``largest``."""

    async def write() -> None:
        if process.stdin is not None and given is not None:
            with suppress(BrokenPipeError, ConnectionResetError):  # it needs no more
                process.stdin.write(given)
                await process.stdin.drain()
            process.stdin.close()

    writing = asyncio.create_task(write())
    output = bytearray()
    try:
        while process.stdout is not None and (chunk := await process.stdout.read(_CHUNK)):
            output += chunk
            if len(output) > largest:
                return None
        await process.wait()
    finally:
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
    return bytes(output)


async def check_status(module: str, status: int | None) -> None:
    """Report what a confined process attempted, and raise NotConfined where it refused to start."""
    if status == -signal.SIGSYS:
        log.error(ATTEMPTED, module=module)
    if status == NOT_CONFINED:
        raise NotConfined(
            f"could not read footage | {module} | {describe(await missing_walls())} | have the machine confine it as "
            f"footage-desk doctor says, or set {variable(REQUIRED)} to false"
        )


async def missing_walls() -> Mapping[str, str]:
    """Return why, by its name, for each wall that this machine lacks around a confined process."""
    return await run_in_thread(_missing_walls)


def forget_walls() -> None:
    """Have the next question answered anew."""
    _missing_walls.cache_clear()


async def report_missing_walls() -> None:
    """Log which walls are missing, an error where both are required."""
    missing = await missing_walls()
    if missing:
        report = log.error if _policy.required else log.warning
        report("the processes that read footage are not fully confined", walls=str(describe(missing)))


def describe(missing: Mapping[str, str]) -> Text:
    """Say how many walls there are and why the others are missing."""
    counts = (Message("no wall of two"), Message("one wall of two"), Message("two walls of two"))
    reasons = [Message("{wall} is missing: {reason}", wall=name, reason=reason) for name, reason in missing.items()]
    return Joined("; ", (counts[len(WALLS) - len(missing)], *reasons))


@cache
def _missing_walls() -> Mapping[str, str]:
    command = [sys.executable, "-I", "-m", confine.__name__]
    try:
        ended = subprocess.run(  # noqa: S603 - our own program
            command, capture_output=True, env=clean_environment(), timeout=PROBE_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        return dict.fromkeys(WALLS, f"it could not be tried: {error}")
    missing: Mapping[str, str] = json.loads(ended.stdout)
    return missing
