"""A folder recorder for tests of the workers, whose answers can be changed: its clock, promises, streams and locks."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial

from custody_desk import Desk

from services.recorders.protocol import Recorder, RecorderDown, RecorderFacts, Segment
from services.recorders.registry import open_recorder
from services.runtime.spans import Span


@dataclass
class Asked:
    """Stands for every recorder of a desk; what it was asked is written down.

    ``cut`` gives, for a pass (from 1) and a segment's name, the bytes after which its stream ends as if it were whole;
    ``promises`` changes what it says it has; ``down_at`` is the pass before which it goes down; ``before`` is waited
    for before the first byte of each stream.
    """

    clock: tuple[int | None, str, int | None] = (None, "unknown", None)
    cut: Callable[[int, str], int | None] = lambda number, name: None
    down_at: int | None = None
    locks: bool | Exception = False
    fetched: list[Span] = field(default_factory=list)
    covered: list[Span] = field(default_factory=list)
    protected: list[Span] = field(default_factory=list)
    released: list[Span] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    before: Callable[[], Awaitable[None]] | None = None
    promises: Callable[[list[Span]], list[Span]] = lambda spans: spans

    @classmethod
    def of(cls, desk: Desk, **values: object) -> "Asked":
        """Put into the place of the desk's recorders."""
        asked = cls(**values)  # type: ignore[arg-type]  # whatever a test sets
        desk.worker["recorders"] = asked
        return asked

    def __call__(self, kind: str, configuration: Mapping[str, str]) -> "_Opened":
        return _Opened(self, open_recorder(kind, configuration))


@dataclass
class _Opened:
    asked: Asked
    recorder: Recorder

    async def probe(self) -> RecorderFacts:
        offset, method, uncertainty = self.asked.clock
        facts = await self.recorder.probe()
        return replace(facts, clock_offset_ms=offset, clock_method=method, clock_uncertainty_ms=uncertainty)

    async def coverage(self, channel: str, span: Span) -> list[Span]:
        self.asked.covered.append(span)
        if self.asked.down_at is not None and len(self.asked.fetched) + 1 >= self.asked.down_at:
            raise RecorderDown("it is off")
        return self.asked.promises(await self.recorder.coverage(channel, span))

    async def fetch(self, channel: str, span: Span) -> AsyncIterator[Segment]:
        self.asked.fetched.append(span)
        async for segment in self.recorder.fetch(channel, span):
            yield replace(segment, open=partial(self._bytes, segment, len(self.asked.fetched)))

    async def _bytes(self, segment: Segment, number: int) -> AsyncIterator[bytes]:
        self.asked.opened.append(segment.name)
        if self.asked.before is not None:
            await self.asked.before()
        whole = b"".join([chunk async for chunk in segment.open()])
        end = self.asked.cut(number, segment.name)
        yield whole if end is None else whole[:end]

    async def snapshot(self, channel: str, at: object) -> bytes:
        raise NotImplementedError

    async def protect(self, channel: str, span: Span) -> bool:
        self.asked.protected.append(span)
        if isinstance(self.asked.locks, Exception):
            raise self.asked.locks
        return self.asked.locks

    async def release(self, channel: str, span: Span) -> None:
        if isinstance(self.asked.locks, Exception):
            raise self.asked.locks
        self.asked.released.append(span)


def widened(span: Span, before: float, after: float) -> Span:
    """A span that begins so many seconds earlier and ends so many later."""
    return Span(span.start - timedelta(seconds=before), span.end + timedelta(seconds=after))
