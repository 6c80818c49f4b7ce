"""What a Hikvision recorder says that it has recorded: ISAPI's ContentMgmt/search, page by page."""

import re
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from xml.sax.saxutils import escape

from services.recorders import untrusted_xml
from services.recorders.device_times import WRITTEN, DeviceTimes
from services.recorders.hikvision.client import HikvisionClient
from services.runtime.spans import Span

PATH = "/ISAPI/ContentMgmt/search"
PER_PAGE = 40  # some firmware returns no more
MOST_PAGES = 2000
BACK = timedelta(days=1)  # longer than any recording lasts
# Names of the track's list and of the position: as most know them, as newer firmware does, and as the guide has them.
SPELLINGS = (
    ("trackIDList", "searchResultPostion"),
    ("trackIDList", "searchResultPosition"),
    ("trackList", "searchResultPostion"),
)
_TRACK = re.compile(r"/tracks/(\d+)")
_NAME = re.compile(r"[?&]name=([\w.-]{1,100})", re.ASCII)
_SIZE = re.compile(r"[?&]size=(\d{1,15})(?!\d)", re.ASCII)


@dataclass(frozen=True)
class Match:
    """A recording; ``begins`` is its start as the device writes it, ``uri`` what it is downloaded by."""

    span: Span
    begins: str
    name: str
    size: int | None
    uri: str


@dataclass(frozen=True)
class _Question:
    """One page of a search; a position counts on in the search of the same number."""

    track: int
    start: str
    end: str
    position: int = 0
    most: int = PER_PAGE
    number: str = field(default_factory=lambda: str(uuid.uuid4()).upper())

    def written(self, tracks: str, place: str) -> str:
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n<CMSearchDescription>'
            f"<searchID>{self.number}</searchID><{tracks}><trackID>{self.track}</trackID></{tracks}>"
            f"<timeSpanList><timeSpan><startTime>{escape(self.start)}</startTime><endTime>{escape(self.end)}</endTime>"
            f"</timeSpan></timeSpanList><maxResults>{self.most}</maxResults><{place}>{self.position}</{place}>"
            "<metadataList><metadataDescriptor>//recordType.meta.std-cgi.com</metadataDescriptor></metadataList>"
            "</CMSearchDescription>"
        )


@dataclass(frozen=True)
class _Page:
    more: bool
    matches: list[Match]
    rows: int
    last: str  # the start of its last row


class Search:
    """Searches of one recorder. Raises what HikvisionClient's methods raise."""

    def __init__(self, client: HikvisionClient, times: DeviceTimes) -> None:
        self._client = client
        self._times = times
        self._spelling = 0

    async def matches(self, track: int, span: Span) -> list[Match]:
        """The recordings of a track that hold something of the span, in order of time."""
        start, end = self._times.written(span)
        matches = [match async for match in self._all(track, start, end)]
        if any(match.begins == start for match in matches):
            # Some firmware cuts the times to what was searched, and not the footage: its true start lies before.
            earlier, _ = self._times.written(Span(span.start - BACK, span.end))
            matches = [match async for match in self._all(track, earlier, end)]
        return sorted((one for one in matches if one.span.intersect(span)), key=lambda one: (one.span, one.name))

    async def oldest(self, track: int, until: datetime) -> datetime | None:
        """The start of the first recording there is."""
        page = await self._page(_Question(track, "2000-01-01T00:00:00Z", until.strftime(WRITTEN), most=1))
        return min((match.span.start for match in page.matches), default=None)

    async def _all(self, track: int, start: str, end: str) -> AsyncIterator[Match]:
        """Each recording once. Pages that say MORE and add nothing new are skipped: the search begins again at the
        start of the last recording, and ends where that adds nothing new either."""
        seen: set[tuple[str, str]] = set()
        question, restarts, last = _Question(track, start, end), False, start
        latest: datetime | None = None
        for _ in range(MOST_PAGES):
            page = await self._page(question, latest)
            last, fresh = page.last or last, False
            for match in page.matches:
                key = (match.begins, match.name or match.uri)
                if key not in seen:
                    seen.add(key)
                    fresh, latest = True, match.span.start
                    yield match
            if not page.more or (not fresh and question.position == 0):
                return
            if fresh and not restarts:
                question = replace(question, position=question.position + page.rows)
            else:
                question, restarts = _Question(track, last, end), True

    async def _page(self, question: _Question, after: datetime | None = None) -> _Page:
        while True:
            tried = self._spelling
            other = tried + 1 < len(SPELLINGS)
            body = question.written(*SPELLINGS[tried])
            root = await self._client.document("POST", PATH, body=body, unsuited=(400,) if other else ())
            if root is not None:
                return self._read(root, question.track, after)
            self._spelling = max(self._spelling, tried + 1)  # another search may have learnt it meanwhile

    def _read(self, root: untrusted_xml.Node, track: int, after: datetime | None) -> _Page:
        status = (
            untrusted_xml.text(root, "responseStatusStrg") or untrusted_xml.text(root, "responseStatusString")
        ).upper()
        if untrusted_xml.name(root) != "CMSearchResult" or status not in ("OK", "MORE", "NO MATCHES"):
            raise self._client.down("not-a-recorder", f"its answer to {PATH} is no result of a search")
        rows = list(untrusted_xml.children(root, "matchList", "searchMatchItem"))
        last = untrusted_xml.text(rows[-1], "timeSpan", "startTime") if rows else ""
        return _Page(status == "MORE", list(self._matches(rows, track, after)), len(rows), last)

    def _matches(self, rows: list[untrusted_xml.Node], track: int, after: datetime | None) -> Iterator[Match]:
        """What is no footage of the track is left out: some firmware adds its other streams."""
        for row in rows:
            begins, ends = (untrusted_xml.text(row, "timeSpan", name) for name in ("startTime", "endTime"))
            uri = "".join(untrusted_xml.text(row, "mediaSegmentDescriptor", "playbackURI").split())
            named = _TRACK.search(uri)
            if {untrusted_xml.text(row, "trackID"), named[1] if named else str(track)} != {str(track)}:
                continue
            try:
                start = self._times.read(begins, after)
                span = Span(start, self._times.read(ends, start))
            except ValueError as error:
                raise self._client.down("not-a-recorder", "it lists a recording without times") from error
            after = start
            name, size = _NAME.search(uri), _SIZE.search(uri)
            yield Match(span, begins, name[1] if name else "", int(size[1]) if size else None, uri)
