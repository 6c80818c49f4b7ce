"""A fetch that a broken connection does not end: what broke off is asked for once more, and the rest goes on.

A segment that broke off is given again, from its beginning; the clip leaves out what it has already. The same footage
is asked for ``len(PAUSES)`` times more. Where no byte of a segment comes at all, RecorderDown goes on to whoever asked.
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
T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]


async def fetch(
    recorder: Recorder, channel: str, span: Span, *, kind: str = "", sleep: Sleep = anyio.sleep
) -> AsyncIterator[Segment]:
    """As ``recorder.fetch``; ``kind`` is the recorder's, for the metrics. Raises RecorderDown and WrongChannel."""
    given: set[tuple[str, Span]] = set()
    rest, pauses = span, iter(PAUSES)
    while True:
        try:
            async with closing(recorder.fetch(channel, rest)) as segments:
                async for segment in segments:
                    if (segment.name, segment.span) in given:
                        continue
                    async with closing(_tried(segment, kind, sleep)) as tries:
                        async for one in tries:
                            yield one
                    given.add((segment.name, segment.span))
                    metrics.FETCHED_SEGMENTS.labels(kind).inc()
                    rest = Span(min(max(rest.start, segment.span.end), span.end), span.end)
                    pauses = iter(PAUSES)
        except RecorderDown:
            # Its list broke off: it is asked anew for what lies behind the last segment.
            pause = next(pauses, None)
            if not given or pause is None:
                raise
            if not rest.duration:
                return
            metrics.FETCHES_AGAIN.labels(kind).inc()
            await sleep(pause)
        else:
            return


async def _tried(segment: Segment, kind: str, sleep: Sleep) -> AsyncGenerator[Segment, None]:
    """The segment, and the same once more for as long as its stream breaks off and pauses are left."""
    stream = _Stream(segment, kind, sleep, iter(PAUSES))
    yield replace(segment, open=stream.open)
    while stream.broken and (pause := next(stream.pauses, None)) is not None:
        await stream.wait(pause)
        if not await stream.begin():
            return  # what came stands, and is told for what it is
        try:
            yield replace(segment, open=stream.open)
        finally:
            await stream.close()


@dataclass
class _Stream:
    """The bytes of a segment. ``broken``: they ended before the recorder was through with them."""

    segment: Segment
    kind: str
    sleep: Sleep
    pauses: Iterator[float]
    broken: bool = False
    _begun: "tuple[bytes, AsyncGenerator[bytes, None]] | None" = field(default=None, init=False)

    async def wait(self, pause: float) -> None:
        metrics.FETCHES_AGAIN.labels(self.kind).inc()
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
            except RecorderDown:
                self.broken = True

    async def begin(self) -> bool:
        """Ask, and ask again, until there is a first byte. False where none comes and some came before, or where the
        recorder has none to give; raises RecorderDown where none came ever."""
        before, self.broken = self.broken, False
        while True:
            chunks = _generator(self.segment.open())
            try:
                first = await anext(chunks, None)
            except RecorderDown:
                await chunks.aclose()
                pause = next(self.pauses, None)
                if pause is not None:
                    await self.wait(pause)
                    continue
                if before:
                    return False
                raise
            except BaseException:
                await chunks.aclose()
                raise
            if first is None:
                await chunks.aclose()
                return False
            self._begun = first, chunks
            return True

    async def close(self) -> None:
        """Give back a connection that nobody has read from."""
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
