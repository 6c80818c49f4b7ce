"""What a Dahua recorder says that it has recorded: mediaFileFind, page by page.

A finder is an object on the recorder, which has few of them: each is closed and given back, also where a search fails.
"""

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import anyio

from services.recorders.dahua.client import DahuaClient
from services.recorders.device_times import DeviceTimes
from services.recorders.protocol import RecorderDown
from services.runtime.logs import get_logger
from services.runtime.spans import Span

log = get_logger(__name__)

PROGRAM = "mediaFileFind.cgi"
WRITTEN = "%Y-%m-%d %H:%M:%S"
PER_PAGE = 100  # what its description allows
MOST_PAGES = 2000
BACK = timedelta(hours=2)  # longer than a file lasts: some firmware finds those alone that begin within the span
GIVING_BACK = 20.0  # seconds, also where a search was cancelled
EVER = datetime(2000, 1, 2, tzinfo=UTC)
# What is downloaded, as its container; pictures lie in the same list.
CONTAINERS = {".dav": "dav", ".mp4": "mp4"}
_ITEM = re.compile(r"items\[(\d{1,6})\]\.(\w+)", re.ASCII)
_NUMBER = re.compile(r"[A-Za-z0-9]{1,40}")


@dataclass(frozen=True)
class Channel:
    """A channel, counted from 1, and one of its streams."""

    number: int
    stream: str = "Main"


@dataclass(frozen=True)
class Found:
    """A file; ``size`` is what the list says, in bytes."""

    span: Span
    path: str
    size: int | None
    container: str


class Finder:
    """Searches of one recorder. Raises what DahuaClient's methods raise."""

    def __init__(self, client: DahuaClient, times: DeviceTimes) -> None:
        self._client = client
        self._times = times

    async def files(self, channel: Channel, span: Span) -> list[Found] | None:
        """The files that hold something of the span, in order of time; None where the search is refused."""
        start, end = self._times.written(Span(span.start - BACK, span.end))
        async with self._object() as number:
            if not await self._begin(number, channel, start, end):
                return None
            files = [one async for one in self._all(number, channel)]
        return sorted((one for one in files if one.span.intersect(span)), key=lambda one: (one.span, one.path))

    async def oldest(self, channels: list[Channel]) -> dict[int, datetime]:
        """When the first file begins, by channel; those of which none is found are not in it."""
        found = {}
        start, end = self._times.written(Span(EVER, datetime.now(UTC) + timedelta(days=1)))
        async with self._object() as number:
            for channel in channels:
                if await self._begin(number, channel, start, end):
                    told, _ = await self._client.ask(PROGRAM, action="findNextFile", object=number, count=1)
                    rows = self._rows(told or {"found": "0"}, channel, None)
                    if rows:
                        found[channel.number] = min(one.span.start for one in rows)
                    await self._client.ask(PROGRAM, action="close", object=number)
        return found

    @asynccontextmanager
    async def _object(self) -> AsyncIterator[str]:
        told, _ = await self._client.ask(PROGRAM, action="factory.create")
        number = (told or {}).get("result", "")
        if not _NUMBER.fullmatch(number):
            raise self._client.down("not-a-recorder", f"its answer to {PROGRAM} names no search")
        try:
            yield number
        finally:
            with anyio.move_on_after(GIVING_BACK, shield=True):
                for action in ("close", "destroy"):
                    try:
                        await self._client.ask(PROGRAM, action=action, object=number)
                    except RecorderDown as error:
                        log.warning("search-left-behind", recorder=self._client.identity, cause=error.code)
                        break

    async def _begin(self, number: str, channel: Channel, start: str, end: str) -> bool:
        told, _ = await self._client.ask(
            PROGRAM,
            action="findFile",
            object=number,
            condition__Channel=channel.number,
            condition__StartTime=start,
            condition__EndTime=end,
            condition__VideoStream=channel.stream,
        )
        return told is not None

    async def _all(self, number: str, channel: Channel) -> AsyncIterator[Found]:
        """Each file once, until a page has nothing new: how many a page holds, firmware decides."""
        seen: set[str] = set()
        latest: datetime | None = None
        for _ in range(MOST_PAGES):
            told, _ = await self._client.ask(PROGRAM, action="findNextFile", object=number, count=PER_PAGE)
            if told is None:  # as some firmware ends a list
                return
            fresh = False
            for one in self._rows(told, channel, latest):
                if one.path not in seen:
                    seen.add(one.path)
                    fresh, latest = True, one.span.start
                    yield one
            if told.get("found") == "0" or not (fresh or self._beside(told)):
                return
        raise self._client.down("not-a-recorder", "its list of files has no end")

    @staticmethod
    def _beside(told: Mapping[str, str]) -> bool:
        """Whether a page holds nothing but what is no footage: it is not the end of the list."""
        paths = [value for name, value in told.items() if name.endswith(".FilePath")]
        return bool(paths) and not any(_container(path) for path in paths)

    def _rows(self, told: Mapping[str, str], channel: Channel, after: datetime | None) -> list[Found]:
        rows: dict[int, dict[str, str]] = {}
        for name, value in told.items():
            if item := _ITEM.fullmatch(name):
                rows.setdefault(int(item[1]), {})[item[2]] = value
        if told.get("found", "") != str(len(rows)):
            raise self._client.down(
                "not-a-recorder", f"its list says {told.get('found', '?')[:9]} files and has others"
            )
        return list(self._files([rows[index] for index in sorted(rows)], channel, after))

    def _files(self, rows: list[dict[str, str]], channel: Channel, after: datetime | None) -> Iterator[Found]:
        """What is no footage of the channel's stream is left out. Rows count channels from 0, or from 1."""
        for row in rows:
            path, container = row.get("FilePath", ""), _container(row.get("FilePath", ""))
            other = row.get("Channel", str(channel.number)) not in (str(channel.number), str(channel.number - 1))
            if container is None or other or row.get("VideoStream", channel.stream) != channel.stream:
                continue
            try:
                start = self._times.read(_padded(row.get("StartTime", "")), after)
                span = Span(start, self._times.read(_padded(row.get("EndTime", "")), start))
            except ValueError as error:
                raise self._client.down("not-a-recorder", "it lists a file without times") from error
            if not path.startswith("/") or not path.isprintable() or ".." in path.split("/"):
                raise self._client.down("not-a-recorder", "it lists a file without a path")
            after, size = start, row.get("Length", "")
            known = size.isascii() and size.isdecimal() and 0 < len(size) <= 15 and int(size) > 0
            yield Found(span, path, int(size) if known else None, container)


def _container(path: str) -> str | None:
    return CONTAINERS.get(path[path.rfind(".") :].lower()) if len(path) <= 500 else None


def _padded(text: str) -> str:
    """Its times as ISO 8601 has them: some firmware writes months and days with one digit. Raises ValueError."""
    return datetime.strptime(text, WRITTEN).isoformat()  # noqa: DTZ007 - the recorder's own wall clock
