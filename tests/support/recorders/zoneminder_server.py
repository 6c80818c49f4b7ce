"""A server that answers as ZoneMinder 1.36.33 was seen to: tokens, events by filter, files by range, and its traps."""

import io
import json
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

import av
from footage_maker import Picture, Written

from recorders.raw_server import Reply, Request, serving

TICKS = 90_000
UTC_ZONE = ZoneInfo("UTC")
WHEN = "%Y-%m-%d %H:%M:%S"
LOGIN_PAGE = b"<!DOCTYPE html><html><head><title>ZM - Login</title></head></html>".ljust(3206)
Change = Callable[[Request, Reply], Reply]


@dataclass
class Event:
    """An event and its file. ``begins`` is the first picture of the file, which comes before the event's start;
    ``end`` is the time of the last picture, None in the row where it goes on."""

    number: int
    monitor: int
    begins: datetime
    start: datetime
    end: datetime
    body: bytes | None
    pictures: tuple[Picture, ...] = ()
    going_on: bool = False
    archived: int = 0
    notes: str = ""
    stills: bool = False  # single pictures only, as where it could not open its file

    @property
    def video(self) -> str:
        return "" if self.stills else f"{self.number}-video.mp4"

    def row(self, zone: ZoneInfo) -> dict[str, object]:
        start, end = (moment.astimezone(zone).strftime(WHEN) for moment in (self.start, self.end))
        length = f"{(self.end - self.start).total_seconds():.2f}"
        shown = None if self.going_on else end
        return {
            **{"Id": self.number, "MonitorId": self.monitor, "StartDateTime": start, "EndDateTime": shown},
            **{"StartTime": start, "EndTime": shown, "Length": length, "DefaultVideo": self.video},
            **{"Archived": self.archived, "Locked": False, "Notes": self.notes, "DiskSpace": None},
        }


def filmed_as(
    number: int, filmed: Sequence[Written], start: datetime, end: datetime, *, lead: float = 0, monitor: int = 1
) -> Event:
    """The event from ``start`` to ``end`` of what a camera filmed, its file beginning ``lead`` seconds before."""
    first = start - timedelta(seconds=lead)
    pictures = [one for written in filmed for one in written.pictures if first <= one.at < end]
    body = _file(filmed, pictures)
    return Event(number, monitor, pictures[0].at, start, pictures[-1].at, body, tuple(pictures))


def _file(filmed: Sequence[Written], pictures: Sequence[Picture]) -> bytes:
    """As ZoneMinder writes it: fragmented MP4, a list of fragments at its end."""
    target = io.BytesIO()
    options = {"movflags": "frag_keyframe+empty_moov", "use_editlist": "0"}
    wanted = {one.sha256: one for one in pictures}
    with (
        av.open(str(filmed[0].path)) as template,
        av.open(target, "w", format="mp4", options=options) as container,
    ):
        stream = container.add_stream_from_template(template.streams.video[0], opaque=True)
        stream.time_base = Fraction(1, TICKS)
        for written in filmed:
            with av.open(str(written.path)) as source:
                packets = [packet for packet in source.demux(video=0) if packet.size]
                for packet, picture in zip(packets, written.pictures, strict=True):
                    if picture.sha256 not in wanted:
                        continue
                    packet.stream, packet.time_base = stream, Fraction(1, TICKS)
                    packet.pts = packet.dts = round((picture.at - pictures[0].at) / timedelta(seconds=1) * TICKS)
                    packet.duration = TICKS // 10
                    container.mux_one(packet)
    return target.getvalue()


@dataclass
class ZoneMinderServer:
    """``change`` turns right answers into wrong ones, by the first part of the path behind the root; ``lapsed`` are
    tokens that are not accepted any more."""

    events: list[Event]
    zone: ZoneInfo = UTC_ZONE
    told_zone: str = "UTC"
    user: str = "archivist"
    password: str = "arc-pass"
    may_edit: bool = True
    does_not_save: frozenset[int] = frozenset()  # events whose change it answers with an error, status 200
    now: datetime | None = None
    signs_in: bool = True
    change: dict[str, Change] = field(default_factory=dict)
    asked: list[Request] = field(default_factory=list)
    lapsed: set[str] = field(default_factory=set)
    _tokens: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        async with serving(self.answer) as address:
            yield f"{address}/zm"

    @property
    def logins(self) -> int:
        return sum("pass" in one.form for one in self.asked if one.path.endswith("/login.json"))

    def lapse(self) -> None:
        """All tokens given so far end now, and none can be renewed."""
        self.lapsed |= {*self._tokens, *(f"refresh-{token}" for token in self._tokens)}

    def answer(self, request: Request) -> Reply:
        self.asked.append(request)
        path = request.path.removeprefix("/zm").removeprefix("/api")
        kind = path.strip("/").split("/")[0].split(".")[0] if path != "/host/login.json" else "login"
        right = self._answer(path, request)
        if self.now is not None:
            right.headers["Date"] = format_datetime(self.now, usegmt=True)
        return self.change.get(kind, lambda _, right: right)(request, right)

    def _answer(self, path: str, request: Request) -> Reply:
        if path == "/host/login.json":
            return self._login(request.form)
        token = request.query.get("token", "")
        accepted = not self.signs_in or (token in self._tokens and token not in self.lapsed)
        if path == "/index.php":
            if not token and not accepted:
                return Reply(b"", 302, "text/html", {"Location": "/zm/index.php?view=login"})
            return self._video(request) if accepted else Reply(LOGIN_PAGE, 200, "text/html; charset=UTF-8")
        if not accepted:
            return _error(401, "Expired token" if token else "Not Authenticated", request)
        room, *rest = path.removesuffix(".json").strip("/").split("/")
        rooms = {"host": self._host, "monitors": self._monitors, "events": self._events}
        return rooms[room](rest, request)

    def _host(self, rest: list[str], _: Request) -> Reply:
        told = {"getVersion": {"version": "1.36.33", "apiversion": "2.0"}, "getTimeZone": {"tz": self.told_zone}}
        return _json(told[rest[0]])

    def _events(self, rest: list[str], request: Request) -> Reply:
        return self._index(rest[1:], request) if rest[0] == "index" else self._event(int(rest[0]), request)

    def _login(self, form: dict[str, str]) -> Reply:
        if not self.signs_in:
            return _json({"access_token": None, "access_token_expires": None, "version": "1.36.33"})
        renewing = form.get("token")
        given = {"version": "1.36.33", "apiversion": "2.0", "access_token_expires": 7200}
        if renewing is None and (form.get("user"), form.get("pass")) != (self.user, self.password):
            return _json({"success": False, "data": {"name": f'Login denied for user "{form.get("user")}"'}}, 401)
        if renewing is not None and (renewing in self.lapsed or renewing.removeprefix("refresh-") not in self._tokens):
            return _json({"success": False, "data": {"name": "Incorrect token type"}}, 401)
        self._tokens.append(f"eyJ.t0ken-{len(self._tokens)}.x")
        given["access_token"] = self._tokens[-1]
        if renewing is None:
            given |= {"refresh_token": f"refresh-{self._tokens[-1]}", "refresh_token_expires": 86400}
        return _json(given)

    def _monitors(self, number: list[str], request: Request) -> Reply:
        known = sorted({event.monitor for event in self.events})
        if not number:
            path = "rtsp://publisher:pubpass@127.0.0.1:8554/cam1"
            return _json({"monitors": [{"Monitor": {"Id": one, "Name": "front", "Path": path}} for one in known]})
        if int(number[0]) not in known:
            return _error(404, "Invalid monitor", request)
        return _json({"monitor": {"Monitor": {"Id": int(number[0])}}})

    def _index(self, filters: list[str], request: Request) -> Reply:
        rows = [event.row(self.zone) for event in self.events]
        for one in filters:
            found = re.fullmatch(r"(\w+) ?(<=|>=|<|>|):(.*)", one)
            if found is None:
                return _error(400, "Invalid filter", request)
            name, operator, value = found.groups()
            tests = {"<": lambda a, b: a < b, "<=": lambda a, b: a <= b, ">=": lambda a, b: a >= b, "": _same}
            rows = [row for row in rows if row[name] is not None and tests[operator](str(row[name]), value)]
        rows.sort(key=lambda row: str(row["StartTime"]), reverse=request.query["direction"] == "desc")
        limit, page = min(100, int(request.query["limit"])), int(request.query.get("page", 1))
        part = rows[(page - 1) * limit :][:limit]
        pagination = {"page": page, "count": len(rows), "nextPage": page * limit < len(rows), "limit": limit}
        return _json({"events": [{"Event": row} for row in part], "pagination": pagination})

    def _event(self, number: int, request: Request) -> Reply:
        event = next((one for one in self.events if one.number == number), None)
        if event is None:
            return _error(404, "Invalid event", request)
        if request.method == "PUT":
            if not self.may_edit:
                return _error(401, "Insufficient privileges", request)
            if number in self.does_not_save:
                return _json({"message": "Error"})
            event.archived, event.notes = int(request.form["Event[Archived]"]), request.form["Event[Notes]"]
            return _json({"message": "Saved"})
        there = {"fileExists": int(event.body is not None), "fileSize": len(event.body or b"") or False}
        return _json({"event": {"Event": event.row(self.zone) | there}})

    def _video(self, request: Request) -> Reply:
        event = next((one for one in self.events if str(one.number) == request.query["eid"]), None)
        if event is None:
            return Reply(b"", 200, "video/mp4", length=4096)
        if event.stills:
            return Reply(b"", 200, "video/mp4", {"Accept-Ranges": "bytes"}, length=20480)
        if event.body is None:
            return Reply(b"", 404, "text/html; charset=UTF-8")
        size = len(event.body)
        begin, end = 0, size - 1
        if found := re.match(r"bytes=\s*(\d+)-(\d*)", request.headers.get("range", "")):
            begin, end = int(found[1]), int(found[2] or end)
        headers = {"Accept-Ranges": "bytes"}
        if begin == 0 and end >= size - 1:
            return Reply(event.body, 200, "video/mp4", headers)
        headers["Content-Range"] = f"bytes {begin}-{end}/{size}"
        return Reply(event.body[begin : end + 1], 206, "video/mp4", headers, length=end - begin + 1)


def _same(one: str, other: str) -> bool:
    return one == other


def _json(told: object, status: int = 200) -> Reply:
    return Reply(json.dumps(told).encode(), status)


def _error(status: int, name: str, request: Request) -> Reply:
    address = f"{request.path}?token={request.query.get('token', '')}"  # it echoes the token
    data = {"name": name, "message": name, "url": address, "exception": {"class": "Exception", "code": status}}
    return _json({"success": False, "data": data}, status)


def moment(text: str) -> datetime:
    """A time as the real answers tell it, of a server whose zone was UTC."""
    return datetime.strptime(text, WHEN).replace(tzinfo=UTC)
