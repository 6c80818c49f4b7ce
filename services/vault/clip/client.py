"""A clip of footage, streamed: segments in, fragmented MP4 out, and a report of what was found (docs/sealing.md).

The work is done in a process of its own (``process``), confined to its pipes. Nothing is written to disk. The
process holds one fragment, one group of pictures, and, where a segment is plain MP4, that segment up to ``window``.
"""

import asyncio
import hashlib
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Protocol, TypeVar

from services.runtime.confine import clean_environment
from services.runtime.errors import Fatal, Retryable
from services.runtime.iterators import closing
from services.runtime.spans import Span
from services.vault.clip.input import ClipInput
from services.vault.clip.output import ClipOutput
from services.vault.clip.protocol import FOOTAGE_FRAME, Heading, Job, frame, in_nanoseconds, moment, nanoseconds, pack
from services.vault.coverage import Fragment, Part, WrongFootage

CONTAINERS = ("mp4", "fmp4", "mov", "mkv", "ts", "ps")
T = TypeVar("T")


class ClipFailed(Retryable):
    """The clip process ended without a report."""

    runbook = "incidents-pending#footage"


class UnsupportedFootage(Fatal):
    """The footage is of a kind that is not copied."""

    runbook = "incidents-pending#footage"


class SegmentLike(Protocol):
    """A segment as a recorder gives it: what the vault needs of it."""

    @property
    def name(self) -> str: ...
    @property
    def channel(self) -> str: ...
    @property
    def span(self) -> Span: ...
    @property
    def size(self) -> int | None: ...
    @property
    def container(self) -> str: ...
    @property
    def open(self) -> Callable[[], AsyncIterator[bytes]]: ...
    @property
    def step(self) -> timedelta: ...


@dataclass(frozen=True)
class OwnSegment:
    """A segment of what the vault has already."""

    name: str
    channel: str
    span: Span
    size: int | None
    container: str
    open: Callable[[], AsyncIterator[bytes]]
    step: timedelta = timedelta(0)


@dataclass(frozen=True)
class Limits:
    """What the clip process may use: bytes of address space, bytes of one plain MP4, seconds of processor time."""

    memory: int = 1 << 30
    window: int = 96 << 20
    cpu_seconds: int = 4 * 3600


@dataclass
class Taken:
    """A segment that was handed to the clip process, with what came of it."""

    name: str
    span: Span
    promised_size: int | None
    size: int = 0
    sha256: str = ""
    problem: str | None = None
    lost_from: datetime | None = None  # the end of its last good picture
    left_out: tuple[str, ...] = ()
    pictures: tuple[Span, ...] = ()  # where it covers the clip


@dataclass(frozen=True)
class ClipReport:
    """What the clip holds; the moments are None where it holds nothing."""

    zero: datetime | None
    first_frame: datetime | None
    last_frame: datetime | None
    end: datetime | None
    covered: tuple[Span, ...]
    packets: int
    dropped: int
    drift: timedelta
    parts: tuple[Part, ...]


@dataclass
class Clip:
    """``async with Clip(…) as clip``: ``read`` to the end in a thread, then ``conclude``, and ``clip.report`` is there.

    ``zero`` gives the wall-clock time of a segment's media time 0; by default that is the start of its span.
    Raises from ``conclude``: WrongFootage, UnsupportedFootage, ClipFailed, and whatever a segment's own stream raises.
    """

    segments: AsyncIterator[SegmentLike]
    asked: Span
    channel: str
    join: timedelta = timedelta(milliseconds=200)
    limits: Limits = field(default_factory=Limits)
    zero: Callable[[SegmentLike], datetime] = lambda segment: segment.span.start

    def __post_init__(self) -> None:
        self.fragments: list[Fragment] = []
        self.taken: list[Taken] = []
        self.report: ClipReport | None = None
        self._last: dict[str, Any] = {}

    async def __aenter__(self) -> "Clip":
        reading, writing = os.pipe()
        clip, output = os.pipe()
        input_, feeding = os.pipe()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-m", "services.vault.clip.process"),
                *map(str, (writing, self.limits.memory, self.limits.cpu_seconds)),
                stdin=input_,
                stdout=output,
                stderr=asyncio.subprocess.PIPE,
                pass_fds=(writing,),
                env=clean_environment(),
            )
        except BaseException:
            for end in (reading, clip, feeding):
                os.close(end)
            raise
        finally:
            for end in (writing, output, input_):
                os.close(end)
        self._input = ClipInput(feeding)
        self._output = ClipOutput(clip)
        self._feeding = asyncio.create_task(self._feed_all())
        self._listening = asyncio.create_task(self._listen(reading))
        self._complaints = asyncio.create_task(self._collect_complaints())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        tasks = (self._feeding, self._listening, self._complaints)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._input.end()
        await self._process.wait()
        self._output.close()

    def read(self) -> memoryview:
        """The clip's next bytes, empty at its end; they are there until the next call.

        Blocks: call it in a thread. At the end ``conclude`` says what came of it.
        """
        return self._output.read()

    def stop(self) -> None:
        """End the process, and with it what ``read`` gives."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.kill()

    async def conclude(self) -> None:
        """At the end of the clip, when ``read`` gave none: see that it is whole, and have ``report`` there."""
        await self._listening
        if sentence := self._last.get("foreign"):
            raise WrongFootage(
                f"Channel {self.channel} was asked for, and its recorder mixes in another stream: {sentence} "
                "Nothing was kept; check the recorder's folder or channel, then retry."
            )
        if sentence := self._last.get("refused"):
            raise UnsupportedFootage(f"Footage of channel {self.channel} was not copied. {sentence}")
        # A fault of the segments' own streams also ends the process, and is the cause to tell.
        await self._feeding
        status = await self._process.wait()
        report = self._last.get("report")
        if status != 0 or report is None:
            words = (await self._complaints).strip().splitlines()[-1:]
            raise ClipFailed(
                f"The clip process for channel {self.channel} ended with status {status} and no report"
                f"{': ' + words[0] if words else ''}; nothing was kept, it is tried again."
            )
        self._read_report(report)

    async def _feed_all(self) -> None:
        try:
            start, end = nanoseconds(self.asked.start), nanoseconds(self.asked.end)
            await self._input.send(pack(b"J", Job(start, end, in_nanoseconds(self.join), self.limits.window)))
            async with closing(self.segments) as segments:
                async for segment in segments:
                    await self._feed_segment(segment)
            await self._input.finish()
        except (BrokenPipeError, ConnectionResetError):
            # Either the process has ended by itself, and its report or its status says why; or the segment's own
            # connection broke, and then nothing would ever end it.
            self.stop()
            return
        except BaseException:
            self.stop()
            raise

    async def _feed_segment(self, segment: SegmentLike) -> None:
        self._check(segment)
        taken = Taken(segment.name, segment.span, segment.size)
        self.taken.append(taken)
        digest = hashlib.sha256()
        zero, step = nanoseconds(self.zero(segment)), in_nanoseconds(segment.step)
        await self._input.send(pack(b"S", Heading(segment.name, zero, segment.container, segment.size, step)))
        async with closing(segment.open()) as chunks, closing(_framed(chunks)) as frames:
            async for pieces in frames:
                taken.size += sum(map(len, pieces))
                await self._input.send_footage(pieces, digest)

        def hashed() -> None:
            taken.sha256 = digest.hexdigest()

        await self._input.send(frame(b"E"), then=hashed)

    def _check(self, segment: SegmentLike) -> None:
        if segment.channel != self.channel:
            raise WrongFootage(
                f"Channel {self.channel} was asked for and segment {segment.name} is of channel {segment.channel}. "
                "Nothing was kept; check the recorder's channels in the register, then retry."
            )
        if segment.container not in CONTAINERS:
            raise UnsupportedFootage(
                f"Segment {segment.name} of channel {self.channel} is {segment.container}; only "
                f"{', '.join(CONTAINERS)} are copied: let the recorder write fragmented MP4."
            )

    async def _listen(self, reading: int) -> None:
        loop = asyncio.get_running_loop()
        stream = asyncio.StreamReader(limit=1 << 24)
        pipe = os.fdopen(reading, "rb")
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), pipe)
        try:
            async for line in stream:
                message = json.loads(line)
                if row := message.get("fragment"):
                    self.fragments.append(Fragment(*row))
                else:
                    self._last = message
        finally:
            transport.close()

    async def _collect_complaints(self) -> str:
        stderr = self._process.stderr
        kept = b""
        while stderr is not None and (chunk := await stderr.read(4096)):
            kept = (kept + chunk)[-4096:]
        return kept.decode(errors="replace")

    def _read_report(self, report: dict[str, Any]) -> None:
        for taken, source in zip(self.taken, report["sources"], strict=True):
            taken.problem = source["problem"]
            taken.lost_from = moment(source["lost_from_ns"])
            taken.left_out = tuple(source["left_out"])
            taken.pictures = tuple(Span(moment(start), moment(end)) for start, end in source["pictures"])
            if taken.promised_size is not None and taken.size != taken.promised_size and taken.problem is None:
                taken.problem = f"{taken.promised_size} bytes were promised and {taken.size} came"
        there = report["packets"] > 0 and report["last_ns"] is not None
        self.report = ClipReport(
            zero=moment(report["zero_ns"]) if there else None,
            first_frame=moment(report["first_ns"]) if there else None,
            last_frame=moment(report["last_ns"]) if there else None,
            end=moment(report["end_ns"]) if there else None,
            covered=tuple(Span(moment(start), moment(end)) for start, end in report["covered"]),
            packets=report["packets"],
            dropped=report["dropped"],
            drift=timedelta(microseconds=report["drift_ns"] // 1000),
            parts=tuple(
                Part(
                    offset=part["offset"],
                    length=part["length"],
                    init=part["init"],
                    span=Span(moment(part["first_ns"]), moment(part["last_ns"])),
                    codecs=tuple(part["codecs"]),
                    fingerprint=part["fingerprint"],
                    container=part["container"],
                )
                for part in report["parts"]
            ),
        )


async def _framed(chunks: AsyncIterator[bytes]) -> AsyncIterator[list[memoryview]]:
    """The chunks put together, and cut where one is larger, to the size of a frame; nothing is copied for it."""
    pieces: list[memoryview] = []
    size = 0
    async for chunk in chunks:
        left = memoryview(chunk)
        while left:
            piece = left[: FOOTAGE_FRAME - size]
            left = left[len(piece) :]
            pieces.append(piece)
            size += len(piece)
            if size == FOOTAGE_FRAME:
                yield pieces
                pieces, size = [], 0
    if pieces:
        yield pieces
