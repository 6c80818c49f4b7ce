"""Redact footage as it streams: the source in, the redacted copy out, by a confined process (``process``).

Nothing is written to disk, and the process holds some pictures at a time, whatever the length.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from services.runtime import confined
from services.runtime.errors import Fatal, Retryable
from services.runtime.iterators import closing
from services.runtime.logs import get_logger
from services.vault.redaction.protocol import HEAD

log = get_logger(__name__)

PROCESS = "services.vault.redaction.process"
PIECE = 1 << 19
LONGEST_LINE = 1 << 16
LONGEST_SENTENCE = 500
MOST_THREADS = 2
COUNTED = ("pictures", "drawn", "undecodable", "width", "height", "last_ms")

Progress = Callable[[int, int], None]
"""Called with the number of pictures, and the milliseconds since the first picture of all the footage."""


class RedactionFailed(Retryable):
    """The process ended without a report."""

    runbook = "incidents-pending#footage"


class RedactionRefused(Fatal):
    """The footage is of a kind that cannot be redacted."""

    runbook = "incidents-pending#footage"


@dataclass(frozen=True)
class Limits:
    """What the process may use: bytes of address space, seconds of processor time; how long it may give nothing."""

    memory: int = 3 << 30
    cpu_seconds: int = 48 * 3600
    stall_seconds: float = 900


@dataclass(frozen=True)
class Redacted:
    """What was done to one part of the footage: pictures that came, that were changed, and that were not decodable."""

    pictures: int
    drawn: int
    undecodable: int
    width: int
    height: int
    turned: bool
    sound: bool
    last_ms: int


class Redaction:
    """Redacts the parts of one piece of footage, one after another; ``results`` has one entry for each."""

    def __init__(
        self, recipe: Mapping[str, Any], *, limits: Limits | None = None, progress: Progress = lambda count, at: None
    ) -> None:
        self.results: list[Redacted] = []
        self._recipe = recipe
        self._limits = limits or Limits()
        self._progress = progress

    async def redact(self, pieces: AsyncIterator[bytes], offset_ns: int) -> AsyncIterator[bytes]:
        """Yield the redacted copy of a fragmented MP4.

        ``offset_ns``: how long after the first picture of all the footage its media time 0 is. Raises RedactionRefused,
        RedactionFailed, NotConfined, and what ``pieces`` raises.
        """
        work = await Work.start(PROCESS, self._limits, self._progress)
        try:
            work.feed(self._job(offset_ns), pieces)
            async for piece in work.output(self._limits.stall_seconds):
                yield piece
            self.results.append(_redacted(await work.conclude()))
        finally:
            await work.end()

    def _job(self, offset_ns: int) -> bytes:
        threads = min(MOST_THREADS, os.cpu_count() or 1)
        job = json.dumps({"recipe": self._recipe, "offset_ns": offset_ns, "threads": threads}).encode()
        return HEAD.pack(len(job)) + job


class Work:
    """One process of this package: it is fed and listened to beside the reader of what it gives."""

    def __init__(self, module: str, process: asyncio.subprocess.Process, reading: int, progress: Progress) -> None:
        self._module = module
        self._process = process
        self._reading = reading
        self._progress = progress
        self._last: dict[str, Any] = {}
        self._tasks: list[asyncio.Task[Any]] = []

    @classmethod
    async def start(cls, module: str, limits: "Limits", progress: Progress) -> "Work":
        """Start the process of this module, confined within the limits."""
        reading, writing = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-m", module),
                *map(str, (writing, limits.memory, limits.cpu_seconds)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                pass_fds=(writing,),
                env=confined.environment(),
            )
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        return cls(module, process, reading, progress)

    def feed(self, job: bytes, pieces: AsyncIterator[bytes]) -> None:
        """Give it its job and the footage, while what it reports is listened to."""
        self._feeding = asyncio.create_task(self._feed(job, pieces))
        self._listening = asyncio.create_task(self._listen())
        self._stderr = asyncio.create_task(confined.read_tail(self._process.stderr))
        self._tasks = [self._feeding, self._listening, self._stderr]

    async def output(self, stall_seconds: float) -> AsyncIterator[bytes]:
        """Yield what the process writes; raises RedactionFailed where nothing comes for too long."""
        stdout = self._process.stdout
        while stdout is not None:
            try:
                async with asyncio.timeout(stall_seconds):
                    piece = await stdout.read(PIECE)
            except TimeoutError:
                confined.kill(self._process)
                raise failed(f"gave nothing for {stall_seconds:.0f} seconds") from None
            if not piece:
                return
            yield piece

    async def conclude(self) -> dict[str, Any]:
        """Return what was done, once the process has written all."""
        await self._listening
        status = await self._process.wait()
        if refused := str(self._last.get("refused", ""))[:LONGEST_SENTENCE]:
            raise RedactionRefused(
                f"could not redact footage | {refused} | it is not redacted | provide a still picture instead, or have "
                "the footage redacted outside by Security"
            )
        await self._feeding  # a fault of the source also ends the process, and is the cause to report
        await confined.check_status(self._module, status)
        report = self._last.get("report")
        if status != 0 or not isinstance(report, dict):
            words = [confined.ATTEMPTED] if status == -signal.SIGSYS else (await self._stderr).strip().splitlines()[-1:]
            raise failed(f"ended with status {status} and no report{': ' + words[0] if words else ''}")
        return report

    async def end(self) -> None:
        """Kill the process where it still runs, and release all."""
        confined.kill(self._process)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if not self._tasks:
            os.close(self._reading)
        stdout = self._process.stdout
        while stdout is not None and await stdout.read(PIECE):
            pass  # asyncio calls no process ended before its pipe is read
        await self._process.wait()

    async def _feed(self, job: bytes, pieces: AsyncIterator[bytes]) -> None:
        stdin = self._process.stdin
        if stdin is None:
            return
        try:
            stdin.write(job)
            async with closing(pieces) as given:
                async for piece in given:
                    stdin.write(piece)
                    await stdin.drain()
            stdin.close()
        except (BrokenPipeError, ConnectionResetError):
            return  # it has ended by itself, and its report or its status says why
        except BaseException:
            confined.kill(self._process)
            raise

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        stream = asyncio.StreamReader(limit=LONGEST_LINE)
        pipe = os.fdopen(self._reading, "rb")
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), pipe)
        try:
            async for line in stream:
                message = json.loads(line)
                if "pictures" in message:
                    self._progress(int(message["pictures"]), int(message["at"]))
                else:
                    self._last = message
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            log.error("a redacting process sent a line that cannot be read", cause=type(error).__name__)  # noqa: TRY400  # says all
            confined.kill(self._process)
        finally:
            transport.close()


def _redacted(report: dict[str, Any]) -> Redacted:
    try:
        return Redacted(
            **{name: int(report[name]) for name in COUNTED},
            turned=bool(report["turned"]),
            sound=bool(report["sound"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise failed(f"sent a report that cannot be read ({type(error).__name__})") from error


def failed(how: str) -> RedactionFailed:
    """Return the error of a process that ended without what it was asked for."""
    return RedactionFailed(f"The process that redacts {how}; nothing was stored, it is tried again.")
