"""Dahua's CGI as a small server: Digest, the search with its objects and pages, files by their path.

After the vendor's published description (HTTP API) and what two public clients have met; no device was at hand, and no
answer was recorded.
"""

import hashlib
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from zoneinfo import ZoneInfo

from recorders.raw_server import Reply, Request, serving

USER, PASSWORD = "admin", "dah-s3cret"
REALM = "Login to 4C00A2BPAZ3E5D6"
SHANGHAI = ZoneInfo("Asia/Shanghai")
PAGE = Reply(b"<!DOCTYPE html>\n<html><title>WEB SERVICE</title></html>", kind="text/html")
REFUSED = Reply(b"Error\r\nBad Request!\r\n", 400, "text/plain")
Wrong = Callable[[Request], Reply | None]


def text(*lines: str) -> Reply:
    return Reply("".join(f"{line}\r\n" for line in lines).encode(), kind="text/plain;charset=utf-8")


@dataclass
class File:
    """``size`` is what the list says, None for the truth; ``shown`` the number of the channel in the row."""

    start: datetime
    end: datetime
    body: bytes
    path: str
    size: int | None = None
    channel: int = 1
    shown: int | None = None
    stream: str = "Main"


@dataclass
class DahuaServer:
    """``wrong`` may answer first. Its times are those of ``zone``, without a mark."""

    files: list[File]
    zone: ZoneInfo = SHANGHAI
    channels: int = 4
    per_page: int = 100
    refuses_empty: bool = False  # a search that finds nothing is refused
    repeats: bool = False  # the last page again and again
    padded: bool = True
    clock: timedelta = timedelta()
    wrong: list[Wrong] = field(default_factory=list)
    nonces: int = 0
    asked: list[Request] = field(default_factory=list)
    objects: dict[str, list[File]] = field(default_factory=dict)
    made: int = 0

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
        """What was searched."""
        return [one.query for one in self.asked if one.query.get("action") == "findFile" and self._signed(one)]

    def _signed(self, request: Request) -> bool:
        told = dict(re.findall(r'(\w+)="?([^",]*)"?', request.headers.get("authorization", "").partition(" ")[2]))
        first, second = _md5(f"{USER}:{REALM}:{PASSWORD}"), _md5(f"{request.method}:{told.get('uri', '')}")
        parts = (first, *(told.get(name, "") for name in ("nonce", "nc", "cnonce", "qop")), second)
        return told.get("response") == _md5(":".join(parts))

    def _challenged(self, request: Request) -> Reply | None:
        if f'nonce="n{self.nonces}"' in request.headers.get("authorization", "") and self._signed(request):
            return None
        self.nonces += 1
        challenge = f'Digest realm="{REALM}", qop="auth", nonce="n{self.nonces}", opaque="0a"'
        return Reply(b"Error\r\nInvalid Authority!\r\n", 401, "text/plain", {"WWW-Authenticate": challenge})

    def _wrong(self, request: Request) -> Reply | None:
        return next((reply for one in self.wrong if (reply := one(request)) is not None), None)

    def _answered(self, request: Request) -> Reply:  # noqa: PLR0911 - one answer for each call
        if request.path.startswith("/cgi-bin/RPC_Loadfile/"):
            path = request.path.removeprefix("/cgi-bin/RPC_Loadfile")
            found = next((one for one in self.files if one.path == path), None)
            return REFUSED if found is None else Reply(found.body, kind="application/octet-stream")
        now = (datetime.now(UTC) + self.clock).astimezone(self.zone)
        match request.path.removeprefix("/cgi-bin/"), request.query.get("action"):
            case "magicBox.cgi", "getSystemInfo":
                return text("deviceType=DHI-NVR4216", "processor=ST7108", "serialNumber=4C00A2BPAZ3E5D6")
            case "magicBox.cgi", "getSoftwareVersion":
                return text("version=4.001.0000001.0,build:2023-02-14")
            case "global.cgi", "getCurrentTime":
                return text(f"result={self._text(now)}")
            case "configManager.cgi", "getConfig" if request.query.get("name") == "ChannelTitle":
                return text(*(f"table.ChannelTitle[{one}].Name=CH{one + 1}" for one in range(self.channels)))
            case "mediaFileFind.cgi", action:
                return self._search(action or "", request.query)
        return REFUSED

    def _search(self, action: str, query: dict[str, str]) -> Reply:
        number = query.get("object", "")
        if action == "factory.create":
            self.made += 1
            self.objects[str(9000 + self.made)] = []
            return text(f"result={9000 + self.made}")
        if number not in self.objects:
            return REFUSED
        match action:
            case "findFile":
                return self._found(number, query)
            case "findNextFile":
                return self._next(number, int(query["count"]))
            case "destroy":
                del self.objects[number]
        return text("OK")

    def _found(self, number: str, query: dict[str, str]) -> Reply:
        channel = int(query["condition.Channel"])
        start, end = query["condition.StartTime"], query["condition.EndTime"]
        rows = [one for one in self.files if f"{one.end.astimezone(self.zone):%Y-%m-%d %H:%M:%S}" >= start]
        rows = [one for one in rows if f"{one.start.astimezone(self.zone):%Y-%m-%d %H:%M:%S}" <= end]
        rows = [one for one in rows if one.channel == channel]
        if channel > self.channels or (self.refuses_empty and not rows):
            return REFUSED
        self.objects[number] = rows
        return text("OK")

    def _next(self, number: str, count: int) -> Reply:
        rows = self.objects[number]
        page = rows[: min(count, self.per_page)]
        if not self.repeats or len(rows) > self.per_page:
            self.objects[number] = rows[len(page) :]
        lines = [line for index, one in enumerate(page) for line in self._row(index, one)]
        return text(f"found={len(page)}", *lines)

    def _row(self, index: int, one: File) -> list[str]:
        told = {
            "Channel": one.channel - 1 if one.shown is None else one.shown,
            "StartTime": self._text(one.start),
            "EndTime": self._text(one.end),
            "Type": one.path.rpartition(".")[2],
            "FilePath": one.path,
            "Length": len(one.body) if one.size is None else one.size,
            "Flags[0]": "Timing",
            "VideoStream": one.stream,
        }
        return [f"items[{index}].{name}={value}" for name, value in told.items()]

    def _text(self, moment: datetime) -> str:
        at = moment.astimezone(self.zone)
        return f"{at:%Y-%m-%d %H:%M:%S}" if self.padded else f"{at.year}-{at.month}-{at.day} {at:%H:%M:%S}"


def _md5(content: str) -> str:
    return hashlib.md5(content.encode()).hexdigest()  # noqa: S324  # what RFC 2617 says
