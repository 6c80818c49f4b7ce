"""Frigate: the files that it has recorded, one for each row of its database, or exports of them.

The files are fetched by default: each is what was recorded, byte for byte, with a length, ranges, and a place on the
clock of its own. An export closes gaps up and may begin some pictures early, so it is asked for within a gap-free run
only. ``clip.mp4`` says 200 before it has begun, has no length, and is not used. Times are UTC (docs/recorders.md).
"""

import math
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import quote

from services.recorders.clock import Clock
from services.recorders.configuration_schema import (
    ADDRESS,
    IDENTITY,
    PARALLEL,
    PASSWORD,
    USER,
    ConfigurationSchema,
    Field,
)
from services.recorders.frigate.client import FrigateClient
from services.recorders.frigate.exports import Exports
from services.recorders.http_client import PATIENCE
from services.recorders.protocol import (
    ListedCamera,
    RecorderDown,
    RecorderExport,
    RecorderFacts,
    Segment,
    WrongChannel,
)
from services.recorders.snapshot import picture_in
from services.recorders.whole_seconds import TIMESTAMP_TOLERANCE, runs_of
from services.runtime.addresses import Guard
from services.runtime.errors import Fatal
from services.runtime.spans import Span, merge_within
from services.runtime.storage_health import Disk, whole
from services.runtime.translations import Message

WAYS = ("files", "export")
SCHEMA = ConfigurationSchema(
    "frigate",
    Message("Frigate recorder"),
    (
        ADDRESS,
        USER,
        PASSWORD,
        Field(
            *("fetch", "choice", Message("retrieval method")),
            Message(
                "files: the original recorded files; export: exports made by Frigate, if the files cannot be read."
            ),
            default="files",
            choices=WAYS,
        ),
        Field(
            *("zone", "zone", Message("time zone")),
            Message("Time zone of the recorder's location; Frigate's own times are always UTC."),
            default="UTC",
        ),
        IDENTITY,
        PARALLEL,
    ),
)
PIECE = timedelta(minutes=10)  # the longest export: a break costs no more
AROUND = timedelta(minutes=10)  # rows beside the span, whose starts place those of the span more exactly
AT_ONCE = timedelta(days=1)  # of rows in one answer: some 9000
LONGEST = timedelta(hours=2)  # of one row; Frigate itself allows ten minutes
MEDIA = "/media/"  # its other places are in memory
MOST_MEDIA = 20
UNIT = 1 << 20  # its numbers are MiB
_CAMERA = re.compile(r"[A-Za-z0-9_-]{1,100}")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_HOUR = re.compile(r"\d{1,2}")


@dataclass(frozen=True)
class Row:
    """A recording: ``named`` by Frigate's own time, ``placed`` by its neighbours."""

    named: Span
    placed: Span

    @property
    def file(self) -> str:
        return self.named.start.strftime("%Y-%m-%d/%H/%M.%S.mp4")


class FrigateRecorder:
    """Reads what Frigate has recorded; deletes nothing but its own exports."""

    def __init__(self, client: FrigateClient, *, way: str, zone: str, exports: Exports) -> None:
        self._client = client
        self._way = way
        self._zone = zone
        self._exports = exports

    @classmethod
    def from_configuration(
        cls, configuration: Mapping[str, str], guard: Guard, *, patience: float = PATIENCE, poll: float | None = None
    ) -> "FrigateRecorder":
        """Keys as in SCHEMA. ``poll`` seconds lie between two requests for an export. Raises Fatal."""
        if not configuration.get("address"):
            raise Fatal("A Frigate recorder has no address: set where it answers, such as https://192.168.1.20:8971.")
        way = configuration.get("fetch", WAYS[0])
        if way not in WAYS:
            raise Fatal(f"A Frigate recorder's fetch is {way!r}: set one of {', '.join(WAYS)}.")
        client = FrigateClient(
            configuration["address"],
            guard,
            user=configuration.get("user", ""),
            password=configuration.get("password", ""),
            identity=configuration.get("identity", ""),
            patience=patience,
        )
        exports = Exports(client) if poll is None else Exports(client, poll=poll)
        return cls(client, way=way, zone=configuration.get("zone", "UTC"), exports=exports)

    async def probe(self) -> RecorderFacts:
        model, oldest, clock, reachable = "", {}, Clock(), True
        try:
            answer = await self._client.request("GET", "/api/stats")
            cameras, model = self._stats(self._client.parsed(answer, "/api/stats"))
            clock = answer.clock
            for camera in cameras:
                first = await self._oldest(camera)
                if first is not None:
                    oldest[camera] = first
        except RecorderDown:
            reachable = False
        return RecorderFacts(
            make="Frigate",
            model=model,
            identity=self._client.identity,
            reachable=reachable,
            oldest_frame=oldest,
            clock_offset_ms=clock.offset_ms,
            clock_method=clock.method,
            clock_uncertainty_ms=clock.uncertainty_ms,
            zone=self._zone,
        )

    async def coverage(self, channel: str, span: Span) -> list[Span]:
        placed = [row.placed for run in await self._runs(channel, span) for row in run]
        return merge_within(span, placed, tolerance=TIMESTAMP_TOLERANCE)

    async def fetch(self, channel: str, span: Span) -> AsyncIterator[Segment]:
        for run in await self._runs(channel, span):
            wanted = [row for row in run if row.placed.intersect(span) is not None]
            for segment in self._files(channel, wanted) if self._way == "files" else self._exported(channel, wanted):
                yield segment

    async def snapshot(self, channel: str, at: datetime) -> bytes:
        return await picture_in(self.fetch(channel, Span(at, at + timedelta(milliseconds=1))), at)

    async def protect(self, channel: str, span: Span) -> bool:
        return False  # Frigate retains events and exports, and recordings only for as long as it is set to

    async def release(self, channel: str, span: Span) -> None:
        return None

    async def list_exports(self) -> list[RecorderExport]:
        """See ``protocol.TellsExports``."""
        return await self._exports.list_all()

    async def list_disks(self) -> list[Disk]:
        """See ``protocol.TellsDisks``: the space of its media, and not whether a disk fails."""
        path = "/api/stats"
        payload = self._client.parsed(await self._client.request("GET", path), path)
        service = payload.get("service") if isinstance(payload, dict) else None
        storage = service.get("storage") if isinstance(service, dict) else None
        if not isinstance(storage, dict):
            raise self._client.down("not-a-recorder", f"its answer to {path} names no storage")
        media = [(name, told) for name, told in storage.items() if name.startswith(MEDIA) and isinstance(told, dict)]
        return [
            Disk(name[:100], total_bytes=_bytes(told.get("total")), free_bytes=_bytes(told.get("free")))
            for name, told in media[:MOST_MEDIA]
            if name.isprintable()
        ]

    async def list_cameras(self) -> list[ListedCamera]:
        """See ``protocol.TellsCameras``: Frigate's names are its channels."""
        path = "/api/stats"
        cameras, _ = self._stats(self._client.parsed(await self._client.request("GET", path), path))
        return [ListedCamera(camera) for camera in cameras]

    def _files(self, channel: str, rows: Sequence[Row]) -> Iterator[Segment]:
        for row in rows:
            day_and_hour, _, name = row.file.rpartition("/")
            path = f"/recordings/{day_and_hour}/{quote(channel)}/{name}"
            yield Segment(row.file, channel, row.placed, None, "mp4", partial(self._client.footage, path))

    def _exported(self, channel: str, rows: Sequence[Row]) -> Iterator[Segment]:
        for piece in _pieces(rows):
            first, last = piece[0], piece[-1]
            start, end = int(first.named.start.timestamp()), math.ceil(last.named.end.timestamp())
            span = Span(first.placed.start, last.placed.end)
            name = f"{first.file}+{end - start}s"
            yield Segment(name, channel, span, None, "mp4", partial(self._exports.footage, channel, start, end))

    async def _runs(self, channel: str, span: Span) -> list[list[Row]]:
        """The rows around the span, in gap-free runs."""
        if not _CAMERA.fullmatch(channel):
            raise self._no_channel(channel)
        named = await self._named(channel, span.widen(AROUND))
        if not named:
            path = "/api/stats"
            cameras, _ = self._stats(self._client.parsed(await self._client.request("GET", path), path))
            if channel not in cameras:
                raise self._no_channel(channel)
        rows = iter(named)
        return [[Row(next(rows), placed) for placed in run] for run in runs_of(named)]

    async def _named(self, channel: str, span: Span) -> list[Span]:
        """Frigate's list of its recordings, in order of time. Its own defaults for the times are stale: it takes
        them when it starts."""
        path = f"/api/{channel}/recordings"
        found: dict[datetime, Span] = {}
        after = span.start
        while after < span.end:
            before = min(after + AT_ONCE, span.end)
            params = {"after": str(after.timestamp()), "before": str(before.timestamp())}
            answer = await self._client.request("GET", path, params=params, accept=(200, 404))
            payload = [] if answer.status == 404 else self._client.parsed(answer, path)
            if not isinstance(payload, list):
                raise self._client.down("not-a-recorder", f"its answer to {path} is no list")
            for one in payload:
                row = _row(one)
                if row is None:
                    raise self._client.down("not-a-recorder", f"its answer to {path} holds what is no recording")
                known = found.setdefault(row.start, row)
                if row.duration > known.duration:
                    found[row.start] = row
            after = before
        return [found[start] for start in sorted(found) if found[start].duration]

    async def _oldest(self, camera: str) -> datetime | None:
        """By the hours that hold something, and the rows of the first of them."""
        path = f"/api/{camera}/recordings/summary"
        days = self._client.parsed(await self._client.request("GET", path), path)
        hours = (
            [hour for day in days if isinstance(day, dict) for hour in _hours(day)] if isinstance(days, list) else []
        )
        if not hours:
            return None
        named = await self._named(camera, Span(min(hours), min(hours) + timedelta(hours=1)))
        return named[0].start if named else None

    def _stats(self, payload: Any) -> tuple[list[str], str]:
        """Cameras and version."""
        cameras = payload.get("cameras") if isinstance(payload, dict) else None
        if not isinstance(cameras, dict):
            raise self._client.down("not-a-recorder", "its answer to /api/stats names no cameras")
        service = payload.get("service")
        version = service.get("version") if isinstance(service, dict) else None
        named = sorted(name for name in cameras if _CAMERA.fullmatch(name))
        return named, version[:50] if isinstance(version, str) else ""

    def _no_channel(self, channel: str) -> WrongChannel:
        return WrongChannel(
            f"Recorder {self._client.identity} has no camera {channel[:100]!r}: correct the camera's channel in the "
            "register, then retry."
        )


def _row(payload: Any) -> Span | None:
    """The span of a row, or None where it is none."""
    if not isinstance(payload, dict):
        return None
    start, end = _moment(payload.get("start_time")), _moment(payload.get("end_time"))
    if start is None or end is None or not timedelta() <= end - start <= LONGEST:
        return None
    return Span(start, end)


def _moment(payload: Any) -> datetime | None:
    if isinstance(payload, bool) or not isinstance(payload, int | float):
        return None
    try:
        return datetime.fromtimestamp(payload, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _hours(day: Mapping[str, Any]) -> Iterator[datetime]:
    date, hours = day.get("day"), day.get("hours")
    if not isinstance(date, str) or not _DAY.fullmatch(date) or not isinstance(hours, list):
        return
    for one in hours:
        hour = one.get("hour") if isinstance(one, dict) else None
        if not isinstance(hour, str) or not _HOUR.fullmatch(hour):
            continue
        try:
            yield datetime.strptime(f"{date} {hour}", "%Y-%m-%d %H").replace(tzinfo=UTC)
        except ValueError:
            continue


def _pieces(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """The rows of a run, in pieces of PIECE at most."""
    piece: list[Row] = []
    for row in rows:
        if piece and row.placed.end - piece[0].placed.start > PIECE:
            yield piece
            piece = []
        piece.append(row)
    if piece:
        yield piece


def _bytes(told: Any) -> int | None:
    known = isinstance(told, int | float) and not isinstance(told, bool)
    return whole(told * UNIT) if known else None
