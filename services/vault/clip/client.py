"""A clip of footage, streamed: segments in, fragmented MP4 out, and a report of what was found (docs/sealing.md).

The work is done in a process of its own (``process``), confined to its pipes. Nothing is written to disk. The
process holds one fragment, one group of pictures, and, where a segment is plain MP4, that segment up to ``window``.
"""

import asyncio
import hashlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from types import TracebackType
from typing import Any, Protocol, TypeVar

from services.runtime import confined
from services.runtime.errors import Fatal, Retryable
from services.runtime.iterators import closing
from services.runtime.logs import get_logger
from services.runtime.spans import Span
from services.vault.clip.input import ClipInput
from services.vault.clip.output import ClipOutput
from services.vault.clip.protocol import FOOTAGE_FRAME, Heading, Job, frame, in_nanoseconds, moment, nanoseconds, pack
from services.vault.coverage import Fragment, Part, Pictures, WrongFootage

log = get_logger(__name__)

CONTAINERS = ("mp4", "fmp4", "mov", "mkv", "ts", "ps", "dav")
PROCESS = "services.vault.clip.process"
# What a process that was taken over may send at most: copied footage is hardly larger than what was received, and a
# fragment lasts a second, which makes three weeks. Nothing of it is held but the fragments.
OVERHEAD = 4
MOST_MORE = 64 << 20  # bytes beside that
MOST_FRAGMENTS = 1 << 21
MOST_REPORTED = 256 << 20  # bytes
LONGEST_LINE = 1 << 24
LONGEST_SENTENCE = 2000
# What a line or a report raises that is not what the process writes.
MALFORMED = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)
T = TypeVar("T")


class ClipFailed(Retryable):
    """The clip process ended without a report."""

    runbook = "incidents-pending#footage"


class UnsupportedFootage(Fatal):
    """The footage is of a kind that is not copied."""

    runbook = "incidents-pending#footage"


class SegmentLike(Protocol):
    """A segment of a recorder, as far as the vault needs it."""

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
    """A segment of footage that the vault holds."""

    name: str
    channel: str
    span: Span
    size: int | None
    container: str
    open: Callable[[], AsyncIterator[bytes]]
    step: timedelta = timedelta(0)


@dataclass(frozen=True)
class Limits:
    """What the clip process may use: bytes of address space, bytes of one plain MP4, seconds of processor time.

    It may be waited for as many seconds as it may compute, and ``stall_seconds`` without a byte that it takes or gives:
    while it has something to take, and what it gives is read.
    """

    memory: int = 1 << 30
    window: int = 96 << 20
    cpu_seconds: int = 4 * 3600
    stall_seconds: float = 600


@dataclass
class SegmentResult:
    """A segment that was sent to the clip process, and its result."""

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
    pictures: Pictures


@dataclass
class Clip:
    """``async with Clip(…) as clip``: ``read`` to the end in a thread, then ``conclude``, and ``clip.report`` is there.

    ``zero`` returns the wall-clock time of a segment's media time 0; by default the start of its span. ``whole``: what
    lies behind the asked end is garbled, not left out.
    Raises from ``conclude``: WrongFootage, UnsupportedFootage, ClipFailed, NotConfined, and whatever a segment's own
    stream raises.
    """

    segments: AsyncIterator[SegmentLike]
    asked: Span
    channel: str
    join: timedelta = timedelta(milliseconds=200)
    limits: Limits = field(default_factory=Limits)
    zero: Callable[[SegmentLike], datetime] = lambda segment: segment.span.start
    whole: bool = False

    def __post_init__(self) -> None:
        self.fragments: list[Fragment] = []
        self.results: list[SegmentResult] = []
        self.report: ClipReport | None = None
        self._last: dict[str, Any] = {}
        self._reported = 0  # bytes of the lines that were read
        self._fault: str | None = None  # why the process was killed

    async def __aenter__(self) -> "Clip":
        reading, writing = os.pipe()
        clip, output = os.pipe()
        input_, sending = os.pipe()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-m", PROCESS),
                *map(str, (writing, self.limits.memory, self.limits.cpu_seconds)),
                stdin=input_,
                stdout=output,
                stderr=asyncio.subprocess.PIPE,
                pass_fds=(writing,),
                env=confined.environment(),
            )
        except BaseException:
            for end in (reading, clip, sending):
                os.close(end)
            raise
        finally:
            for end in (writing, output, input_):
                os.close(end)
        self._input = ClipInput(sending)
        loop = asyncio.get_running_loop()
        self._output = ClipOutput(
            clip,
            lambda: OVERHEAD * self._input.written + MOST_MORE,
            partial(loop.call_soon_threadsafe, self._kill, "it wrote more than it was given"),
        )
        self._sending = asyncio.create_task(self._send_all())
        self._listening = asyncio.create_task(self._listen(reading))
        self._stderr = asyncio.create_task(confined.read_tail(self._process.stderr))
        self._watching = asyncio.create_task(self._watch())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        tasks = (self._sending, self._listening, self._stderr, self._watching)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._input.end()
        await self._process.wait()
        self._output.close()

    def read(self) -> memoryview:
        """Return the clip's next bytes, empty at its end; they are valid until the next call.

        Blocks: call it in a thread. At the end call ``conclude``.
        """
        return self._output.read()

    @property
    def sha256(self) -> str:
        """Of the whole clip, in hexadecimal, once ``read`` has come to the end."""
        return self._output.sha256

    def stop(self) -> None:
        """Kill the process, which ends ``read``."""
        confined.kill(self._process)

    def _kill(self, fault: str) -> None:
        """Kill the process for what it does, which ``conclude`` raises."""
        self._fault = self._fault or fault
        self.stop()

    async def _watch(self) -> None:
        """Kill the process once it is waited for too long."""
        tick = min(1.0, self.limits.stall_seconds / 4)
        moved, still, waited = -1, 0.0, 0.0
        while waited < self.limits.cpu_seconds and still < self.limits.stall_seconds:
            await asyncio.sleep(tick)
            if self._process.returncode is not None:
                return
            before, moved = moved, self._input.written + self._output.size + self._reported
            waits = self._input.waits_for_process and self._output.waits_for_process
            waited += tick if waits else 0.0
            still = still + tick if waits and moved == before else 0.0
        self._kill(f"it was waited for {waited:.1f} seconds, the last {still:.1f} without a byte")

    async def conclude(self) -> None:
        """Check at the end of ``read`` that the clip is whole, and set ``report``."""
        await self._listening
        if self._fault is not None:
            log.error("a clip process was killed", channel=self.channel, cause=self._fault)
            raise self._failed(f"was killed: {self._fault}")
        if sentence := _sentence(self._last.get("foreign", "")):
            raise WrongFootage(
                f"Channel {self.channel} was asked for, and its recorder mixes in another stream: {sentence} "
                "Nothing was stored; check the recorder's folder or channel, then retry."
            )
        if sentence := _sentence(self._last.get("refused", "")):
            raise UnsupportedFootage(f"Footage of channel {self.channel} was not copied. {sentence}")
        # A fault of the segments' own streams also ends the process, and is the cause to report.
        await self._sending
        status = await self._process.wait()
        await confined.check_status(PROCESS, status)
        report = self._last.get("report")
        if status != 0 or report is None:
            words = [confined.ATTEMPTED] if status == -signal.SIGSYS else (await self._stderr).strip().splitlines()[-1:]
            raise self._failed(f"ended with status {status} and no report{': ' + words[0] if words else ''}")
        try:
            self._read_report(report)
        except MALFORMED as error:
            raise self._failed(f"sent a report that cannot be read ({type(error).__name__})") from error

    def _failed(self, how: str) -> ClipFailed:
        return ClipFailed(f"The clip process for channel {self.channel} {how}; nothing was stored, it is tried again.")

    async def _send_all(self) -> None:
        try:
            start, end = nanoseconds(self.asked.start), nanoseconds(self.asked.end)
            job = Job(start, end, in_nanoseconds(self.join), self.limits.window, self.whole)
            await self._input.send(pack(b"J", job))
            async with closing(self.segments) as segments:
                async for segment in segments:
                    await self._send_segment(segment)
            await self._input.finish()
        except (BrokenPipeError, ConnectionResetError):
            # Either the process has ended by itself, and its report or its status says why; or the segment's own
            # connection broke, and then nothing would ever end it.
            self.stop()
            return
        except BaseException:
            self.stop()
            raise

    async def _send_segment(self, segment: SegmentLike) -> None:
        self._check(segment)
        result = SegmentResult(segment.name, segment.span, segment.size)
        self.results.append(result)
        digest = hashlib.sha256()
        zero, step = nanoseconds(self.zero(segment)), in_nanoseconds(segment.step)
        await self._input.send(pack(b"S", Heading(segment.name, zero, segment.container, segment.size, step)))
        async with closing(segment.open()) as chunks, closing(_framed(chunks)) as frames:
            async for pieces in frames:
                result.size += sum(map(len, pieces))
                await self._input.send_footage(pieces, digest)

        def hashed() -> None:
            result.sha256 = digest.hexdigest()

        await self._input.send(frame(b"E"), then=hashed)

    def _check(self, segment: SegmentLike) -> None:
        if segment.channel != self.channel:
            raise WrongFootage(
                f"Channel {self.channel} was asked for and segment {segment.name} is of channel {segment.channel}. "
                "Nothing was stored; check the recorder's channels in the register, then retry."
            )
        if segment.container not in CONTAINERS:
            raise UnsupportedFootage(
                f"Segment {segment.name} of channel {self.channel} is {segment.container}; only "
                f"{', '.join(CONTAINERS)} are copied: let the recorder write fragmented MP4."
            )

    async def _listen(self, reading: int) -> None:
        loop = asyncio.get_running_loop()
        stream = asyncio.StreamReader(limit=LONGEST_LINE)
        pipe = os.fdopen(reading, "rb")
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), pipe)
        try:
            async for line in stream:
                message = json.loads(line)
                if row := message.get("fragment"):
                    time, offset, length = map(int, row)
                    self.fragments.append(Fragment(time, offset, length))
                else:
                    self._last = message
                self._reported += len(line)
                if self._reported > MOST_REPORTED or len(self.fragments) > MOST_FRAGMENTS:
                    self._kill("it reported more than it may")
                    break
        except MALFORMED as error:
            self._kill(f"it sent a line that cannot be read ({type(error).__name__})")
        finally:
            transport.close()

    def _read_report(self, report: dict[str, Any]) -> None:
        for result, source in zip(self.results, report["sources"], strict=True):
            result.problem = None if source["problem"] is None else _sentence(source["problem"])
            result.lost_from = moment(source["lost_from_ns"])
            result.left_out = tuple(map(_sentence, source["left_out"]))
            result.pictures = tuple(Span(moment(start), moment(end)) for start, end in source["pictures"])
            if result.promised_size is not None and result.size != result.promised_size and result.problem is None:
                result.problem = f"{result.promised_size} bytes were promised and {result.size} came"
        has_pictures = report["packets"] > 0 and report["last_ns"] is not None
        self.report = ClipReport(
            zero=moment(report["zero_ns"]) if has_pictures else None,
            first_frame=moment(report["first_ns"]) if has_pictures else None,
            last_frame=moment(report["last_ns"]) if has_pictures else None,
            end=moment(report["end_ns"]) if has_pictures else None,
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
            pictures=_pictures(report["continuity"]),
        )


def _pictures(found: dict[str, Any]) -> Pictures:
    median = int(found["median_ns"])
    return Pictures(
        there=int(found["pictures"]),
        lost=int(found["lost"]),
        holes=int(found["holes"]),
        longest_ms=int(found["longest_ns"]) // 1_000_000,
        median_rate=round(1e9 / median, 3) if median > 0 else 0.0,
        keys_only=bool(found["keys_only"]),
    )


def _sentence(text: object) -> str:
    return str(text)[:LONGEST_SENTENCE]


async def _framed(chunks: AsyncIterator[bytes]) -> AsyncIterator[list[memoryview]]:
    """Join chunks, or cut large ones, to the size of a frame, without copying."""
    pieces: list[memoryview] = []
    size = 0
    async for chunk in chunks:
        rest = memoryview(chunk)
        while rest:
            piece = rest[: FOOTAGE_FRAME - size]
            rest = rest[len(piece) :]
            pieces.append(piece)
            size += len(piece)
            if size == FOOTAGE_FRAME:
                yield pieces
                pieces, size = [], 0
    if pieces:
        yield pieces
