"""A playback server that answers as MediaMTX's was seen to (1.15): /list, /get as fragmented MP4, and its API's list.

What /get gives is muxed from segments on disk by the same rules: it ends at the first gap without a word, and a start
between key frames has the pictures since the last key frame squeezed into its first moment.
"""

import base64
import io
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from fractions import Fraction

import av
from footage_maker import SEGMENT, Written

from recorders.raw_server import CHUNKED, Reply, Request, serving

TICKS = 90_000
Change = Callable[[Request, Reply], Reply]
NOTHING = {"status": "error", "error": "no recording segments found"}


@dataclass
class MediamtxServer:
    """``runs`` by channel: segments without a gap between them. ``change`` turns right answers into wrong ones, by
    path. ``now`` is what its clock shows."""

    runs: dict[str, list[list[Written]]]
    user: str = "archivist"
    password: str = "arc-pass"
    now: datetime | None = None
    change: dict[str, Change] = field(default_factory=dict)
    asked: list[Request] = field(default_factory=list)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        async with serving(self.answer) as address:
            yield address

    def answer(self, request: Request) -> Reply:
        self.asked.append(request)
        reply = self._answer(request)
        return self.change.get(request.path, lambda _, right: right)(request, reply)

    def _answer(self, request: Request) -> Reply:
        told = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        headers = {} if self.now is None else {"Date": format_datetime(self.now, usegmt=True)}
        if request.headers.get("authorization") != f"Basic {told}":
            return _json(401, {"status": "error", "error": "authentication error"}, headers)
        if request.path == "/v3/recordings/list":
            return _json(200, self._api_list(request), headers)
        if request.path == "/v3/paths/list":
            names = [{"name": name, "ready": True} for name in sorted(self.runs)]
            return _json(200, {"itemCount": len(names), "pageCount": 1, "items": names}, headers)
        if request.path == "/v3/info":
            return _json(200, {"version": "v1.15.0", "started": "2026-11-24T22:40:00Z"}, headers)
        return self._playback(request.query["path"], request, headers)

    def _playback(self, channel: str, request: Request, headers: dict[str, str]) -> Reply:
        if not self.runs.get(channel):
            known = channel in self.runs
            why = f"lstat /srv/recordings/{channel}: no such file or directory"
            error = why if known else f"path '{channel}' is not configured"
            return _json(400, {"status": "error", "error": error}, headers)
        return (
            self._list(channel, request, headers) if request.path == "/list" else self._get(channel, request, headers)
        )

    def _list(self, channel: str, request: Request, headers: dict[str, str]) -> Reply:
        start, end = (datetime.fromisoformat(request.query[name]) for name in ("start", "end"))
        entries = []
        for run in self.runs[channel]:
            part = [one for one in run if one.start < end and one.end > start]
            if any(one.path.read_bytes()[4:8] != b"ftyp" for one in part):
                return _json(500, {"status": "error", "error": "ftyp box not found"}, headers)
            if part:
                first, last = max(part[0].start, start), min(part[-1].end, end)
                entries.append(
                    {"start": _time(first), "duration": (last - first).total_seconds(), "url": "http://x/get"}
                )
        return _json(200, entries, headers) if entries else _json(404, NOTHING, headers)

    def _get(self, channel: str, request: Request, headers: dict[str, str]) -> Reply:
        start = datetime.fromisoformat(request.query["start"])
        end = start + timedelta(seconds=float(request.query["duration"]))
        run = next((run for run in self.runs[channel] if run[0].start < end and run[-1].end > start), None)
        if run is None or run[0].start > start + timedelta(seconds=1):
            return _json(404, NOTHING, headers)
        body = muxed(run, start, end)
        return Reply(body, 200, "video/mp4", headers | {"Accept-Ranges": "none"}, CHUNKED)

    def _api_list(self, request: Request) -> dict[str, object]:
        page, size = int(request.query.get("page", 0)), int(request.query.get("itemsPerPage", 100))
        items = [
            {"name": name, "segments": [{"start": _time(one.start)} for run in runs for one in run]}
            for name, runs in sorted(self.runs.items())
            if runs
        ]
        return {"itemCount": len(items), "pageCount": -(-len(items) // size), "items": items[page * size :][:size]}


def muxed(run: list[Written], start: datetime, end: datetime) -> bytes:
    """What /get gives of a run; from the first damage on nothing more."""
    target = io.BytesIO()
    with (
        av.open(str(run[0].path)) as template,
        av.open(target, "w", format="mp4", options=SEGMENT) as container,
    ):
        stream = container.add_stream_from_template(template.streams.video[0], opaque=True)
        stream.time_base = Fraction(1, TICKS)
        following = 0
        for packet, dts, length in _kept(run, start, end):
            copy = av.Packet(bytes(packet))
            copy.is_keyframe = packet.is_keyframe
            copy.time_base = Fraction(1, TICKS)
            copy.pts = copy.dts = max(following, dts)
            copy.duration = length
            copy.stream = stream
            following = copy.dts + 1
            container.mux_one(copy)
    return target.getvalue()


def _kept(run: list[Written], start: datetime, end: datetime) -> Iterator[tuple["av.Packet", int, int]]:
    lead: list[av.Packet] = []
    for packet, at in _packets(run):
        ticks = round((at - start) / timedelta(seconds=1) * TICKS)
        if at >= end:
            return
        if ticks < 0:
            lead = [packet] if packet.is_keyframe else [*lead, packet]
            continue
        if not packet.is_keyframe:
            yield from ((one, 0, 0) for one in lead)
        lead = []
        yield packet, ticks, round(packet.duration * packet.time_base * TICKS)


def _packets(run: list[Written]) -> Iterator[tuple["av.Packet", datetime]]:
    for written in run:
        with av.open(str(written.path)) as source:
            try:
                for packet in source.demux(video=0):
                    if packet.size:
                        if packet.is_corrupt:
                            return
                        yield packet, written.start + timedelta(seconds=float(packet.dts * packet.time_base))
            except av.FFmpegError:
                return


def _json(status: int, told: object, headers: dict[str, str]) -> Reply:
    return Reply(json.dumps(told).encode(), status, headers=headers)


def _time(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
