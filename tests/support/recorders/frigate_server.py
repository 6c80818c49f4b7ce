"""Frigate as a small server: its API from 0.15 to 0.18 and the files that its nginx gives, as its source has them."""

import io
import json
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
from footage_maker import Written

from recorders.raw_server import Reply, Request, serving

USER, PASSWORD = "archivist", "s3cret-word"
PAGE = Reply(b"<!DOCTYPE html><html><title>Login</title><form></form></html>", kind="text/html")
Wrong = Callable[[Request], Reply | None]


def answer(told: Any, status: int = 200, **more: Any) -> Reply:
    return Reply(json.dumps(told).encode(), status, **more)


def ranged(request: Request, body: bytes) -> Reply:
    """A file as nginx gives it: whole, or from the byte that was asked for."""
    begin = int(request.headers.get("range", "").partition("bytes=")[2].partition("-")[0] or 0)
    if not begin:
        return Reply(body, kind="video/mp4", headers={"Accept-Ranges": "bytes"})
    return Reply(body[begin:], 206, "video/mp4", {"Content-Range": f"bytes {begin}-{len(body) - 1}/{len(body)}"})


@dataclass
class Recording:
    """One file and its row. Its name, and so its start, is the whole second in which it begins."""

    start: datetime
    duration: timedelta
    body: bytes

    @property
    def named(self) -> datetime:
        return self.start.replace(microsecond=0)

    @property
    def path(self) -> str:
        return self.named.astimezone(UTC).strftime("%Y-%m-%d/%H/{}/%M.%S.mp4")

    def row(self, number: int) -> dict[str, Any]:
        start, duration = self.named.timestamp(), self.duration.total_seconds()
        times = {"id": f"{start}-{number:06}", "start_time": start, "end_time": start + duration, "duration": duration}
        return times | {"segment_size": round(len(self.body) / 2**20, 2), "motion": 12, "objects": 0}


def recording(written: Written) -> Recording:
    """A file as Frigate keeps it: plain MP4, its index in front."""
    return Recording(written.start, written.end - written.start, joined([written.path.read_bytes()]))


@dataclass
class FrigateServer:
    """``wrong`` may answer first. ``version`` 0.18 has jobs, 0.17 has none. ``login`` False is port 5000."""

    cameras: dict[str, list[Recording]]
    version: str = "0.18.0-77a66e7"
    login: bool = True
    wrong: list[Wrong] = field(default_factory=list)
    polls: int = 2  # looks at an export until it is through
    tokens: set[str] = field(default_factory=set)
    logins: int = 0
    exports: dict[str, dict[str, Any]] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    asked: list[Request] = field(default_factory=list)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        async with serving(self.answer) as address:
            yield address

    def answer(self, asked: Request) -> Reply:
        self.asked.append(asked)
        reply = self._reply(asked)
        return replace(reply, headers={"Date": format_datetime(datetime.now(UTC), usegmt=True), **reply.headers})

    def _reply(self, asked: Request) -> Reply:
        if asked.path == "/api/login":
            return self._login(asked)
        if self.login and asked.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return Reply(b"<html>401 Authorization Required</html>", 401, "text/html", {"Location": "/login"})
        for one in self.wrong:
            reply = one(asked)
            if reply is not None:
                return reply
        return self._answered(asked)

    def paths(self, prefix: str) -> list[str]:
        return [one.path for one in self.asked if one.path.startswith(prefix)]

    def _login(self, asked: Request) -> Reply:
        if json.loads(asked.body) != {"user": USER, "password": PASSWORD}:
            return answer({"message": "Login failed"}, 401)
        self.logins += 1
        token = f"eyJ.t{self.logins}.sig"
        self.tokens = {token}
        cookie = f"frigate_token={token}; expires=Thu, 01 Jan 2099 00:00:00 GMT; HttpOnly; Path=/; SameSite=lax"
        return answer({}, headers={"Set-Cookie": cookie})

    def _answered(self, asked: Request) -> Reply:
        reply = answer({"detail": "Not Found"}, 404)
        match asked.path.strip("/").split("/"):
            case ["api", "stats"]:
                cameras = {name: {"camera_fps": 5.1} for name in self.cameras}
                reply = answer({"cameras": cameras, "service": {"uptime": 86400, "version": self.version}})
            case ["api", camera, "recordings", "summary"]:
                reply = answer(self._summary(camera))
            case ["api", camera, "recordings"]:
                after, before = float(asked.query["after"]), float(asked.query["before"])
                rows = [one.row(number) for number, one in enumerate(self.cameras.get(camera, []))]
                reply = answer([one for one in rows if one["end_time"] >= after and one["start_time"] <= before])
            case ["recordings", day, hour, camera, name]:
                files = {one.path.format(camera): one.body for one in self.cameras.get(camera, [])}
                body = files.get(f"{day}/{hour}/{camera}/{name}")
                reply = _missing() if body is None else ranged(asked, body)
            case ["api", "export", camera, "start", start, "end", end] if asked.method == "POST":
                reply = self._export(camera, float(start), float(end))
            case ["api", "jobs", "export", number] if self.version >= "0.18":
                reply = self._job(number)
            case ["api", "exports", "delete"] if self.version >= "0.18" and asked.method == "POST":
                reply = self._deleted(json.loads(asked.body)["ids"])
            case ["api", "exports", number]:
                reply = self._row(number)
            case ["api", "export", number] if self.version < "0.18" and asked.method == "DELETE":
                reply = self._deleted([number])
            case ["exports", name]:
                bodies = {f"{number}.mp4": one["body"] for number, one in self.exports.items()}
                reply = ranged(asked, bodies[name]) if name in bodies else _missing()
        return reply

    def _summary(self, camera: str) -> list[dict[str, Any]]:
        hours: dict[str, set[str]] = {}
        for one in self.cameras.get(camera, []):
            hours.setdefault(one.named.strftime("%Y-%m-%d"), set()).add(one.named.strftime("%H"))
        newest = sorted(hours, reverse=True)
        return [{"day": day, "events": 0, "hours": [{"hour": one} for one in sorted(hours[day])]} for day in newest]

    def _export(self, camera: str, start: float, end: float) -> Reply:
        rows = [one for one in self.cameras.get(camera, []) if _holds(one, start, end)]
        if not rows:
            return answer({"success": False, "message": "No recordings found for time range"}, 400)
        number = f"{camera}_{len(self.exports):06}"
        self.exports[number] = {"body": joined([one.body for one in rows]), "looks": 0}
        if self.version < "0.18":
            return answer({"success": True, "message": "Starting export of recording.", "export_id": number})
        return answer({"success": True, "export_id": number, "status": "queued"}, 202)

    def _through(self, number: str) -> bool:
        self.exports[number]["looks"] += 1
        return bool(self.exports[number]["looks"] > self.polls)

    def _job(self, number: str) -> Reply:
        if number not in self.exports:
            return answer({"success": False, "message": "Job not found"}, 404)
        through = self._through(number)
        return answer({"id": number, "status": "success" if through else "running", "progress_percent": 50.0})

    def _row(self, number: str) -> Reply:
        if number not in self.exports:
            return answer({"success": False, "message": "Export not found"}, 404)
        through = self.version >= "0.18" or self._through(number)
        return answer({"id": number, "in_progress": not through, "video_path": f"/media/frigate/exports/{number}.mp4"})

    def _deleted(self, numbers: list[str]) -> Reply:
        for number in numbers:
            self.deleted.append(number)
            del self.exports[number]
        return answer({"success": True, "message": "Successfully deleted export."})


def _holds(one: Recording, start: float, end: float) -> bool:
    """As Frigate's query has it: a row that ends at the very start counts."""
    begins = one.named.timestamp()
    return begins <= math.floor(end) and begins + one.duration.total_seconds() > math.floor(start) + 0.1


def _missing() -> Reply:
    return Reply(b"<html><head><title>404 Not Found</title></head></html>", 404, "text/html")


def joined(bodies: list[bytes]) -> bytes:
    """The packets of MP4s one after another in one MP4, as FFmpeg's concat has them: gaps are closed up."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "joined.mp4"
        with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
            stream, offset = None, 0
            for body in bodies:
                with av.open(io.BytesIO(body)) as source:
                    video = source.streams.video[0]
                    stream = stream or container.add_stream_from_template(video, opaque=True)
                    length = 0
                    for packet in source.demux(video):
                        if packet.size:
                            packet.pts, packet.dts = packet.pts + offset, packet.dts + offset
                            length = max(length, packet.dts + packet.duration - offset)
                            packet.stream = stream
                            container.mux(packet)
                    offset += length
        return path.read_bytes()
