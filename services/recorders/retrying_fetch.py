"""Retry a fetch whose connection breaks: the broken segment is requested again, then the remaining ones.

A segment that broke off is yielded again from its beginning; the clip drops the packets that it has already. Each
segment is retried ``len(PAUSES)`` times, and once where the recorder hangs in it. A segment of which no byte ever comes
is damaged, and stays empty, where the recorder answers otherwise and gives another. RecorderDown reaches the caller
where no segment has a byte, and where MOST_SILENT one after another have none; so does it where the recorder hangs in
MOST_HUNG, as each of the others would take its minutes too.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import TypeVar

import anyio

from services.recorders.protocol import Recorder, RecorderDown, Segment
from services.runtime import metrics
from services.runtime.iterators import closing
from services.runtime.spans import Span

PAUSES = (1.0, 5.0)  # seconds before the second try and the third
MOST_HUNG = 2  # one that hangs in a single damaged file gives the rest, which is worth having
MOST_SILENT = 2
T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]


async def fetch(
    recorder: Recorder, channel: str, span: Span, *, kind: str = "", sleep: Sleep = anyio.sleep
) -> AsyncIterator[Segment]:
    """Fetch as ``recorder.fetch`` does, with retries. Raises RecorderDown and WrongChannel.

    ``kind`` is the recorder's, for the metrics.
    """
    delivered: set[tuple[str, Span]] = set()
    remaining, pauses = span, iter(PAUSES)
    faults = _Faults()
    while True:
        try:
            async with closing(recorder.fetch(channel, remaining)) as segments:
                async for segment in segments:
                    if (segment.name, segment.span) in delivered:
                        continue
                    stream = _Stream(segment, kind, sleep, iter(PAUSES))
                    async with closing(_attempts(stream)) as tries:
                        async for attempt in tries:
                            yield attempt
                    faults.count(stream)
                    if stream.silent:
                        await recorder.coverage(channel, segment.span)  # raises where it is away
                    delivered.add((segment.name, segment.span))
                    metrics.FETCHED_SEGMENTS.labels(kind).inc()
                    remaining = Span(min(max(remaining.start, segment.span.end), span.end), span.end)
                    pauses = iter(PAUSES)
        except RecorderDown:
            # Its list broke off: list again what follows the last segment.
            pause = next(pauses, None)
            if not delivered or pause is None or faults.are_too_many:
                raise
            if not remaining.duration:
                return
            metrics.FETCH_RETRIES.labels(kind).inc()
            await sleep(pause)
        else:
            faults.end()
            return


async def _attempts(stream: "_Stream") -> AsyncGenerator[Segment, None]:
    """Yield the segment, and again for as long as its stream breaks off and pauses are left."""
    segment = stream.segment
    yield replace(segment, open=stream.open)
    while stream.fault is not None and (pause := stream.next_pause(stream.fault)) is not None:
        await stream.wait(pause)
        if not await stream.begin():
            return  # what came is passed on, and judged by the clip
        try:
            yield replace(segment, open=stream.open)
        finally:
            await stream.close()


@dataclass
class _Faults:
    """Segments whose streams had a fault; ``hung`` and ``silent`` ones are counted one after another.

    One that hangs before there was any byte is enough: each of the others would take its minutes too.
    """

    hung: int = 0
    silent: int = 0
    came: bool = False  # a byte of any segment
    last: RecorderDown | None = None

    @property
    def are_too_many(self) -> bool:
        hangs = self.hung and self.silent and not self.came
        return bool(hangs) or self.hung == MOST_HUNG or self.silent == MOST_SILENT

    def count(self, stream: "_Stream") -> None:
        """Count a segment that was given; raises its fault where too many had one."""
        self.hung = self.hung + 1 if stream.fault is not None and stream.fault.hangs else 0
        self.silent = self.silent + 1 if stream.silent else 0
        self.came = self.came or not stream.silent
        self.last = stream.fault or self.last
        if self.are_too_many and self.last is not None:
            raise self.last

    def end(self) -> None:
        """Raise the last fault where nothing came at all."""
        if self.last is not None and not self.came:
            raise self.last


@dataclass
class _Stream:
    """The bytes of a segment. ``fault``: why they ended before the segment was complete; ``silent``: it has none."""

    segment: Segment
    kind: str
    sleep: Sleep
    pauses: Iterator[float]
    fault: RecorderDown | None = None
    silent: bool = False
    _begun: "tuple[bytes, AsyncGenerator[bytes, None]] | None" = field(default=None, init=False)

    def next_pause(self, fault: RecorderDown) -> float | None:
        """Return the pause before the next try, None where there is none; one that hangs is tried once more."""
        if not fault.hangs:
            return next(self.pauses, None)
        *_, last = (None, *self.pauses)
        return last

    async def wait(self, pause: float) -> None:
        metrics.FETCH_RETRIES.labels(self.kind).inc()
        await self.sleep(pause)

    async def open(self) -> AsyncIterator[bytes]:
        if self._begun is None:
            await self.begin()
        if self._begun is None:
            return
        first, chunks = self._begun
        self._begun = None
        async with aclosing(chunks):
            yield self._counted(first)
            try:
                async for chunk in chunks:
                    yield self._counted(chunk)
            except RecorderDown as error:
                self.fault = error

    async def begin(self) -> bool:
        """Open the segment, with retries, until there is a first byte.

        Returns False where none comes, or where the recorder has none.
        """
        before, self.fault = self.fault, None
        while True:
            chunks = _generator(self.segment.open())
            try:
                first = await anext(chunks, None)
            except RecorderDown as error:
                await chunks.aclose()
                if (pause := self.next_pause(error)) is not None:
                    await self.wait(pause)
                    continue
                self.fault, self.silent = error, before is None
                return False
            except BaseException:
                await chunks.aclose()
                raise
            if first is None:
                await chunks.aclose()
                return False
            self._begun = first, chunks
            return True

    async def close(self) -> None:
        """Close a connection that was never read from."""
        if self._begun is not None:
            await self._begun[1].aclose()
            self._begun = None

    def _counted(self, chunk: bytes) -> bytes:
        metrics.FETCHED_BYTES.labels(self.kind).inc(len(chunk))
        return chunk


async def _generator(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    async with closing(chunks):
        async for chunk in chunks:
            if chunk:
                yield chunk
