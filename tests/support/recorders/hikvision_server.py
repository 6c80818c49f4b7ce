"""ISAPI as a small server: Digest, the search with its pages, downloads by address. After the vendor's guide and what
clients have met; no device was at hand."""

import hashlib
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

from lxml import etree

from recorders.raw_server import Reply, Request, serving

USER, PASSWORD = "admin", "hik-s3cret"
REALM = "DS-7608NI"
SHANGHAI = ZoneInfo("Asia/Shanghai")
SPACE = 'version="2.0" xmlns="http://www.isapi.org/ver20/XMLSchema"'
PAGE = Reply(b"<!DOCTYPE html>\n<html><title>index</title></html>", kind="text/html")
Wrong = Callable[[Request], Reply | None]


def xml(body: str, status: int = 200) -> Reply:
    return Reply(
        f'<?xml version="1.0" encoding="UTF-8" ?>\n{body}'.encode(), status, 'application/xml; charset="UTF-8"'
    )


def refusal(status: int, code: int, reason: str) -> Reply:
    return xml(
        f"<ResponseStatus {SPACE}><requestURL>/ISAPI</requestURL><statusCode>{code}</statusCode>"
        f"<statusString>Invalid</statusString><subStatusCode>{reason}</subStatusCode></ResponseStatus>",
        status,
    )


@dataclass
class Recording:
    """``size`` is what the address promises, None for the truth; ``track`` what it says that it is of."""

    start: datetime
    end: datetime
    body: bytes
    name: str
    size: int | None = None
    track: int = 101


@dataclass
class HikvisionServer:
    """``wrong`` may answer first. Its times are those of ``zone`` with a Z behind, or UTC indeed."""

    recordings: list[Recording]
    zone: ZoneInfo = SHANGHAI
    utc: bool = False
    tracks: tuple[int, ...] = (101, 102, 201)
    per_page: int = 40
    position: str = "searchResultPostion"  # the spelling that it knows; another is refused
    ignores_position: bool = False
    always_more: bool = False
    cuts_times: bool = False  # to what was searched, and not the footage
    methods: tuple[str, ...] = ("POST", "GET")  # for downloads
    clock: timedelta = timedelta()
    shown_offset: str | None = None
    wrong: list[Wrong] = field(default_factory=list)
    nonces: int = 0
    asked: list[Request] = field(default_factory=list)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        async with serving(self.answer) as address:
            yield address

    def answer(self, request: Request) -> Reply:
        self.asked.append(request)
        reply = self._challenged(request) or self._wrong(request) or self._answered(request)
        now = format_datetime(datetime.now(UTC) + self.clock, usegmt=True)
        return replace(reply, headers={"Date": now, **reply.headers})

    def searches(self) -> list[dict[str, str]]:
        """What was searched: the texts of each question by their names."""
        bodies = [one.body for one in self.asked if one.path.endswith("/search") and self._signed(one)]
        return [{str(node.tag): node.text or "" for node in etree.fromstring(body).iter()} for body in bodies]

    def _signed(self, request: Request) -> bool:
        told = dict(re.findall(r'(\w+)="?([^",]*)"?', request.headers.get("authorization", "").partition(" ")[2]))
        first = _md5(f"{USER}:{REALM}:{PASSWORD}")
        second = _md5(f"{request.method}:{request.path}")
        parts = (first, *(told.get(name, "") for name in ("nonce", "nc", "cnonce", "qop")), second)
        return told.get("response") == _md5(":".join(parts))

    def _challenged(self, request: Request) -> Reply | None:
        if f'nonce="n{self.nonces}"' in request.headers.get("authorization", "") and self._signed(request):
            return None
        self.nonces += 1
        challenge = f'Digest qop="auth", realm="{REALM}", nonce="n{self.nonces}", stale="FALSE"'
        return Reply(b"<html>401</html>", 401, "text/html", {"WWW-Authenticate": challenge})

    def _wrong(self, request: Request) -> Reply | None:
        return next((reply for one in self.wrong if (reply := one(request)) is not None), None)

    def _answered(self, request: Request) -> Reply:
        reply = refusal(404, 4, "notSupport")
        match request.path.removeprefix("/ISAPI/"):
            case "System/deviceInfo":
                reply = xml(
                    f"<DeviceInfo {SPACE}><deviceName>NVR</deviceName><model>DS-7608NI-K2</model>"
                    "<serialNumber>DS-7608NI-K20820200101AAWR123456789</serialNumber>"
                    "<firmwareVersion>V4.30.005</firmwareVersion></DeviceInfo>"
                )
            case "System/time":
                shown = (datetime.now(UTC) + self.clock).astimezone(self.zone)
                text = shown.isoformat(timespec="seconds")
                if self.shown_offset is not None:
                    text = text[:19] + self.shown_offset
                reply = xml(f"<Time {SPACE}><timeMode>NTP</timeMode><localTime>{text}</localTime></Time>")
            case "ContentMgmt/record/tracks":
                rows = "".join(f"<Track><id>{number}</id></Track>" for number in self.tracks)
                reply = xml(f"<TrackList {SPACE}>{rows}</TrackList>")
            case "ContentMgmt/search" if request.method == "POST":
                reply = self._found(request)
            case "ContentMgmt/download" if request.method in self.methods:
                reply = self._downloaded(request)
            case "ContentMgmt/download":
                reply = refusal(403, 4, "methodNotAllowed")
        return reply

    def _found(self, request: Request) -> Reply:
        told = {str(node.tag): node.text or "" for node in etree.fromstring(request.body).iter()}
        if self.position not in told:
            return refusal(400, 6, "badXmlContent")
        start, end, track = told["startTime"], told["endTime"], told["trackID"]
        rows = [one for one in self.recordings if self._text(one.start) <= end and self._text(one.end) >= start]
        rows = [one for one in rows if track == str(one.track) or one.track not in self.tracks]
        first = 0 if self.ignores_position else int(told[self.position])
        shown = rows[first : first + min(self.per_page, int(told["maxResults"]))]
        more = self.always_more or first + len(shown) < len(rows)
        status = "MORE" if more else "OK" if shown else "NO MATCHES"
        items = "".join(self._row(one, start if self.cuts_times else "") for one in shown)
        return xml(
            f"<CMSearchResult {SPACE}><searchID>{{{told['searchID'].lower()}}}</searchID>"
            f"<responseStatus>true</responseStatus><responseStatusStrg>{status}</responseStatusStrg>"
            f"<numOfMatches>{len(shown)}</numOfMatches><matchList>{items}</matchList></CMSearchResult>"
        )

    def _row(self, one: Recording, cut: str) -> str:
        begins, ends = max(self._text(one.start), cut), self._text(one.end)
        size = len(one.body) if one.size is None else one.size
        compact = [re.sub("[-:]", "", text) for text in (begins, ends)]
        # The guide's own example breaks the line within the address.
        uri = escape(
            f"rtsp://10.14.97.40/Streaming/tracks/{one.track}/?\nstarttime={compact[0]}&endtime={compact[1]}"
            f"&name={one.name}&size={size}"
        )
        return (
            f"<searchMatchItem><sourceID>{{00000000-0000-0000-0000-000000000000}}</sourceID><trackID>{one.track}"
            f"</trackID><timeSpan><startTime>{begins}</startTime><endTime>{ends}</endTime></timeSpan>"
            "<mediaSegmentDescriptor><contentType>video</contentType><codecType>H.264-BP</codecType>"
            f"<playbackURI>{uri}</playbackURI><lockStatus>unlock</lockStatus></mediaSegmentDescriptor>"
            "</searchMatchItem>"
        )

    def _text(self, moment: datetime) -> str:
        return moment.astimezone(UTC if self.utc else self.zone).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _downloaded(self, request: Request) -> Reply:
        uri = etree.fromstring(request.body).findtext("playbackURI") or ""
        for one in self.recordings:
            if f"name={one.name}&" in uri and f"/tracks/{one.track}/" in uri:
                return Reply(one.body, kind="video/mp4")
        return refusal(404, 4, "fileNotExist")


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()  # noqa: S324  # what RFC 2617 says
