"""WVP-PRO and LiveGBS as small servers, and the media server beside them: WVP's answers after its sources, LiveGBS's
after its public description. No gateway was at hand, and no answer was recorded.
"""

import hashlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from recorders.raw_server import Reply, Request, serving

USER, PASSWORD = "desk", "gb-s3cret"
HASHED = hashlib.md5(PASSWORD.encode()).hexdigest()  # noqa: S324  # what both ask for
DEVICE, CHANNEL = "34020000001180000001", "34020000001320000001"
SHANGHAI = ZoneInfo("Asia/Shanghai")
PAGE = Reply(b"<!DOCTYPE html>\n<html><title>login</title></html>", kind="text/html")
Wrong = Callable[[Request], Reply | None]


def json_reply(payload: Any, status: int = 200, **headers: str) -> Reply:
    return Reply(json.dumps(payload, ensure_ascii=False).encode(), status, headers=headers)


def envelope(data: Any = None, code: int = 0, msg: str = "成功", status: int = 200) -> Reply:
    return json_reply({"code": code, "msg": msg, "data": data}, status)


@dataclass
class Download:
    start: datetime
    end: datetime
    asked: int = 0  # times that it was asked for its progress
    ended: bool = False


@dataclass
class GatewayServer:
    """``film`` gives the file of a stretch; ``steps`` are the shares that a download tells one after another."""

    kind: str
    film: Callable[[datetime, datetime], bytes]
    records: list[tuple[datetime, datetime]]
    zone: ZoneInfo = SHANGHAI
    steps: tuple[float, ...] = (0.0, 0.4, 1.0)
    written_late: int = 1  # times that progress is 1 and the file has no address yet
    counts_more: int = 0  # recordings whose message was lost
    session: int = 1
    wrong: list[Wrong] = field(default_factory=list)
    asked: list[Request] = field(default_factory=list)
    media_asked: list[Request] = field(default_factory=list)
    downloads: dict[str, Download] = field(default_factory=dict)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[tuple[str, str]]:
        """The addresses of the gateway and of its media server."""
        async with serving(self.answer) as address, serving(self.media) as files:
            yield address, files

    def answer(self, request: Request) -> Reply:
        self.asked.append(request)
        wrong = next((reply for one in self.wrong if (reply := one(request)) is not None), None)
        return wrong or (self._wvp(request) if self.kind == "wvp" else self._livegbs(request))

    def media(self, request: Request) -> Reply:
        self.media_asked.append(request)
        wrong = next((reply for one in self.wrong if (reply := one(request)) is not None), None)
        name = request.path if self.kind == "livegbs" else request.query.get("file_path", "")
        found = self.downloads.get(name.rpartition("/")[2].removesuffix(".mp4"))
        if wrong or found is None:
            return wrong or Reply(b"<html>not found</html>", 404, "text/html")
        return self.sent(request, self.film(found.start, found.end))

    @staticmethod
    def sent(request: Request, body: bytes) -> Reply:
        """A file, or what is asked for of it."""
        first = int(request.headers.get("range", "bytes=0-")[6:].rstrip("-"))
        told = {"Content-Range": f"bytes {first}-{len(body) - 1}/{len(body)}"} if first else {}
        return Reply(body[first:], 206 if first else 200, "video/mp4", told)

    def open(self) -> list[str]:
        """Downloads whose session at the device was not given back."""
        return [name for name, one in self.downloads.items() if not one.ended]

    def _text(self, moment: datetime) -> str:
        form = "%Y-%m-%d %H:%M:%S" if self.kind == "wvp" else "%Y-%m-%dT%H:%M:%S"
        return moment.astimezone(self.zone).strftime(form)

    def _moment(self, text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=self.zone)

    def _rows(self, start: str, end: str, names: tuple[str, str]) -> list[dict[str, str]]:
        found = [one for one in self.records if self._text(one[1]) >= start and self._text(one[0]) <= end]
        return [{names[0]: self._text(first), names[1]: self._text(last)} for first, last in found]

    def _begin(self, start: str, end: str) -> str:
        name = f"{CHANNEL}_{len(self.downloads)}"
        self.downloads[name] = Download(self._moment(start), self._moment(end))
        return name

    def _progress(self, name: str) -> tuple[float, bool]:
        """How far a download is, and whether its file has an address."""
        one = self.downloads[name]
        one.asked += 1
        share = self.steps[min(one.asked, len(self.steps)) - 1]
        return share, share >= 1 and one.asked >= len(self.steps) + self.written_late

    def _wvp(self, request: Request) -> Reply:  # noqa: PLR0911 - one answer for each call
        if request.path == "/api/user/login":
            if request.query != {"username": USER, "password": HASHED}:
                return envelope(code=100, msg="用户名或密码错误")
            return Reply(envelope({"accessToken": "x"}).body, headers={"access-token": f"jwt.{self.session}"})
        if request.headers.get("access-token") != f"jwt.{self.session}":
            return envelope(code=401, msg="请登录后重新请求", status=401)
        parts = request.path.removeprefix("/api/").split("/")
        match parts:
            case ["device", "query", "devices"]:
                return envelope({"total": 1, "list": [{"deviceId": DEVICE, "onLine": True}]})
            case ["device", "query", "devices", _, "channels"]:
                return envelope({"total": 1, "list": [{"deviceId": CHANNEL, "name": "大门"}]})
            case ["gb_record", *rest] if rest[-2:] != [DEVICE, CHANNEL] and DEVICE not in rest:
                return envelope(code=100, msg=f"未找到设备：{rest[-2]}")
            case ["gb_record", "query", _, channel]:
                if channel != CHANNEL:
                    return envelope(code=100, msg=f"{channel} 不存在")
                rows = self._rows(request.query["startTime"], request.query["endTime"], ("startTime", "endTime"))
                return envelope({"sumNum": len(rows) + self.counts_more, "recordList": rows or None})
            case ["gb_record", "download", "start", *_]:
                name = self._begin(request.query["startTime"], request.query["endTime"])
                return envelope({"app": "rtp", "stream": name, "progress": 0})
            case ["gb_record", "download", "progress", _, _, name] if name in self.downloads:
                share, there = self._progress(name)
                url = f"http://10.9.9.9:80/index/api/downloadFile?file_path=/opt/media/record/rtp/{name}.mp4"
                return envelope({"progress": share, "downLoadFilePath": {"httpPath": url} if there else None})
            case ["gb_record", "download", "stop", _, _, name] if name in self.downloads:
                self.downloads[name].ended = True
                return envelope()
        return envelope(code=404, msg="资源未找到")

    def _livegbs(self, request: Request) -> Reply:  # noqa: PLR0911 - one answer for each call
        told = json.loads(request.body) if request.body else {}
        if request.path == "/api/v1/login":
            if (told.get("username"), told.get("password")) != (USER, HASHED):
                return Reply(b"username or password error", 400, "text/plain")
            cookie = {"Set-Cookie": f"token=tok{self.session}; Path=/; HttpOnly"}
            return json_reply({"CookieToken": f"tok{self.session}", "URLToken": "u"}, **cookie)
        if request.headers.get("cookie") != f"token=tok{self.session}":
            return Reply(b"Unauthorized", 401, "text/plain")
        told |= dict(parse_qsl("")) | request.query
        if "serial" in told and told["serial"] != DEVICE:
            return Reply(b"device not found", 400, "text/plain")
        if "code" in told and told["code"] != CHANNEL:
            return Reply(b"channel not found", 400, "text/plain")
        match request.path.removeprefix("/api/v1/"):
            case "device/channellist":
                return json_reply(
                    {"ChannelCount": 1, "ChannelList": [{"DeviceID": DEVICE, "ID": CHANNEL, "Name": "大门"}]}
                )
            case "playback/recordlist":
                rows = self._rows(told["starttime"], told["endtime"], ("StartTime", "EndTime"))
                return json_reply({"SumNum": len(rows) + self.counts_more, "RecordList": rows})
            case "playback/start" if told["download"] is True and told["timezone"] == self.zone.key:
                return json_reply({"StreamID": self._begin(told["starttime"], told["endtime"])})
            case "playback/streaminfo" if told["streamid"] in self.downloads:
                share, there = self._progress(told["streamid"])
                url = f"http://10.9.9.9:10000/playback/{told['streamid']}.mp4" if there else ""
                return json_reply({"DownloadProgress": share, "PlaybackFileURL": url, "PlaybackFileSize": 0})
            case "playback/stop" if told["streamid"] in self.downloads:
                self.downloads[told["streamid"]].ended = True
                return Reply(b"OK", kind="text/plain")
        return Reply(b"stream not found", 404, "text/plain")
