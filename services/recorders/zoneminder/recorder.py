"""ZoneMinder, asked through its API for events, whose files are fetched whole.

A file begins up to some seconds before its event, back to a key frame, and ends with it; so its media time 0 is found
from its end: the event's end less the length of its pictures, which a few of its bytes state. Where they do not, as in
a file that is cut off or still being written, it is placed by the event's start, which may be late by as much.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.recorders.clock import Clock
from services.recorders.configuration_schema import (
    IDENTITY,
    PARALLEL,
    PASSWORD,
    USER,
    ConfigurationSchema,
    Field,
    zone_of,
)
from services.recorders.http_client import PATIENCE
from services.recorders.protocol import (
    JOIN_TOLERANCE,
    ListedCamera,
    RecorderDown,
    RecorderFacts,
    Segment,
    WrongChannel,
)
from services.recorders.snapshot import picture_in
from services.recorders.zoneminder.client import ZoneMinderClient
from services.recorders.zoneminder.events import SECOND, WHEN, Event, Row, bounds, placed, rows_of
from services.recorders.zoneminder.media_length import Lengths, measure
from services.runtime.addresses import Guard
from services.runtime.errors import Fatal
from services.runtime.spans import Span, merge_within
from services.runtime.translations import Message

PER_PAGE = 100  # its own limit
MOST_PAGES = 2000
BEFORE = 5  # events that began before the span and may reach into it
BEHIND = timedelta(minutes=5)  # how far the stated length of a running event lags
LEAD = timedelta(seconds=10)  # that a file may begin before its event
MOST_LEAD = timedelta(minutes=1)
MARK = " [Footage Desk]"
EVER = "StartTime >=:1970-01-01 00:00:00"

SCHEMA = ConfigurationSchema(
    "zoneminder",
    Message("ZoneMinder recorder"),
    (
        Field(
            *("address", "address", Message("address")),
            Message("Address of its web pages with the path, such as http://192.168.1.20/zm."),
            required=True,
            schemes=("http", "https"),
        ),
        USER,
        PASSWORD,
        Field(
            *("zone", "zone", Message("time zone")),
            Message("Its times have no time zone and are read in this one; it must match the recorder's own setting."),
            required=True,
        ),
        IDENTITY,
        PARALLEL,
    ),
)


@dataclass
class ZoneMinderRecorder:
    """One ZoneMinder. A channel is the number of a monitor."""

    client: ZoneMinderClient
    zone: ZoneInfo
    _zone_agrees: bool = field(default=False, init=False)

    @classmethod
    def from_configuration(
        cls, configuration: Mapping[str, str], guard: Guard, *, patience: float = PATIENCE
    ) -> "ZoneMinderRecorder":
        """Keys as in SCHEMA; raises Fatal with what to correct."""
        if not configuration.get("address"):
            raise Fatal("A ZoneMinder recorder has no address: set that of its pages, such as http://192.168.1.20/zm.")
        zone = zone_of(configuration, "ZoneMinder")
        client = ZoneMinderClient(
            configuration["address"],
            guard,
            user=configuration.get("user", ""),
            password=configuration.get("password", ""),
            identity=configuration.get("identity", "") or configuration["address"],
            patience=patience,
        )
        return cls(client, zone)

    async def probe(self) -> RecorderFacts:
        oldest: dict[str, datetime] = {}
        clock, version, reachable = Clock(), "", True
        try:
            await self._check_zone()
            answer, payload = await self.client.request("GET", "/api/host/getVersion.json")
            clock, version = answer.clock, str(payload.get("version", "")) if isinstance(payload, dict) else ""
            oldest = await self._oldest()
        except RecorderDown:
            reachable = False
        return RecorderFacts(
            make="ZoneMinder",
            model=version,
            identity=self.client.identity,
            reachable=reachable,
            oldest_frame=oldest,
            clock_offset_ms=clock.offset_ms,
            clock_method=clock.method,
            clock_uncertainty_ms=clock.uncertainty_ms,
            zone=self.zone.key,
        )

    async def coverage(self, channel: str, span: Span) -> list[Span]:
        events = await self._events(channel, span)
        return merge_within(span, (event.span for event in events), tolerance=JOIN_TOLERANCE)

    async def fetch(self, channel: str, span: Span) -> AsyncIterator[Segment]:
        for event in await self._events(channel, Span(span.start, span.end + LEAD)):
            segment = await self._segment(channel, event)
            if event.ongoing or segment.span.intersect(span) is not None:
                yield segment

    async def snapshot(self, channel: str, at: datetime) -> bytes:
        return await picture_in(self.fetch(channel, Span(at, at + timedelta(milliseconds=1))), at)

    async def protect(self, channel: str, span: Span) -> bool:
        """Archive the events, which its filters spare as they come; False where the user may not edit events."""
        rows = [event.row for event in await self._events(channel, span)]
        saved: list[bool] = []
        try:
            for row in rows:
                saved.append(row.archived or await self._edit(row, archived=True, notes=row.notes + MARK))
        except RecorderDown as error:
            # If this said no, nobody would release the events that were archived before.
            if error.code != "forbidden" or any(saved):
                raise
            return False
        return bool(saved) and all(saved)

    async def release(self, channel: str, span: Span) -> None:
        """Release only what was archived from here."""
        rows = [event.row for event in await self._events(channel, span)]
        ours = [row for row in rows if row.archived and MARK in row.notes]
        saved = [await self._edit(row, archived=False, notes=row.notes.replace(MARK, "")) for row in ours]
        if not all(saved):
            raise self.client.down("busy", "it did not save that events are archived no more")

    async def _edit(self, row: Row, *, archived: bool, notes: str) -> bool:
        form = {"Event[Archived]": str(int(archived)), "Event[Notes]": notes}
        _, payload = await self.client.request("PUT", f"/api/events/{row.number}.json", form=form)
        return isinstance(payload, dict) and payload.get("message") == "Saved"

    async def _segment(self, channel: str, event: Event) -> Segment:
        row = event.row
        # An event of single pictures names no file, and is answered with the length of its folder and nothing.
        size = await self._size(row) if row.video else None
        span, fragmented = event.span, True
        lengths = None
        if size is not None and not event.ongoing:
            lengths = await self._lengths(row.number, size)
        if lengths is not None:
            fragmented = lengths.fragmented
            # Shorter than its event, something lacks; longer than a lead can be, its times are wrong: no way to know
            # where, so it lies where the event does, and what lacks is seen at its end.
            if -SECOND < lengths.last - row.length < MOST_LEAD:
                zero = event.span.end - lengths.last
                span = Span(zero, zero + lengths.end)
        return Segment(
            name=f"{row.number}-{row.start:%Y%m%dT%H%M%S}",
            channel=channel,
            span=span,
            size=None if event.ongoing else size,
            container="mkv" if row.video.endswith(".mkv") else "fmp4" if fragmented else "mp4",
            open=partial(self.client.file, row.number) if row.video else _nothing,
        )

    async def _size(self, row: Row) -> int | None:
        _, payload = await self.client.request(
            "GET", f"/api/events/{row.number}.json", params={"noframes": "true"}, accept=(200, 404)
        )
        try:
            size = int(payload["event"]["Event"]["fileSize"])
        except (KeyError, TypeError, ValueError):
            return None
        return size if size > 0 else None

    async def _lengths(self, event: int, size: int) -> Lengths | None:
        try:
            return await measure(partial(self.client.part, event), size)
        except RecorderDown as error:
            if error.hangs or error.code not in ("broken-off", "not-a-recorder"):
                raise
            return None  # what is wrong with the file is reported when it is fetched

    async def _events(self, channel: str, span: Span) -> list[Event]:
        """The channel's events that may hold something of the span, in order of time; raises WrongChannel.

        No filter asks for an end, as one drops the running event. Those that began before the span are the last
        few before it. The rest is asked for from the last start on, page after page: pages by number lose events while
        the oldest are deleted.
        """
        await self._check_zone()
        first, last = bounds(span, self.zone)
        rows = {row.number: row for row in await self._page(channel, f"StartTime <:{first:{WHEN}}", "desc", BEFORE)}
        begin = first
        for _ in range(MOST_PAGES):
            page = await self._page(
                channel, f"StartTime >=:{begin:{WHEN}}", "asc", PER_PAGE, f"StartTime <=:{last:{WHEN}}"
            )
            new = [row for row in page if row.number not in rows and begin <= row.start <= last]
            rows |= {row.number: row for row in new}
            if not new:
                break
            begin = max(row.start for row in new)
        else:
            raise self.client.down("not-a-recorder", "its list of events has no end")
        if not rows:
            await self._check_channel(channel)
        near = span.widen(SECOND)
        return [
            event
            for event in placed(rows.values(), self.zone)
            if event.span.intersect(near)
            or (event.ongoing and Span(event.span.start, event.span.end + BEHIND).intersect(span))
        ]

    async def _page(self, channel: str, condition: str, direction: str, limit: int, *more: str) -> list[Row]:
        if not channel.isascii() or not channel.isdecimal():
            raise self._wrong(channel)
        path = "/".join(quote(part, safe=":") for part in (f"MonitorId:{channel}", condition, *more))
        params: dict[str, str | int] = {"sort": "StartTime", "direction": direction, "limit": limit, "page": 1}
        _, payload = await self.client.request("GET", f"/api/events/index/{path}.json", params=params)
        try:
            return rows_of(payload, channel)
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise self.client.down("not-a-recorder", "its list of events is none of ZoneMinder") from error

    async def list_cameras(self) -> list[ListedCamera]:
        """See ``protocol.TellsCameras``: its monitors, those that are switched off as well."""
        return [ListedCamera(channel, name) for channel, name in (await self._monitors()).items()]

    async def _monitors(self) -> dict[str, str]:
        """The names of its monitors, by number; those that were deleted are left out."""
        _, payload = await self.client.request("GET", "/api/monitors.json")
        try:
            monitors = [one["Monitor"] for one in payload["monitors"]]
            return {
                str(int(one["Id"])): str(one.get("Name") or "")
                for one in monitors
                if str(one.get("Deleted") or 0).lower() not in ("1", "true")
            }
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise self.client.down("not-a-recorder", "its list of monitors is none of ZoneMinder") from error

    async def _oldest(self) -> dict[str, datetime]:
        oldest = {}
        for channel in await self._monitors():
            rows = await self._page(channel, EVER, "asc", 1)
            if events := placed(rows, self.zone):
                oldest[channel] = events[0].span.start
        return oldest

    async def _check_channel(self, channel: str) -> None:
        answer, _ = await self.client.request("GET", f"/api/monitors/{channel}.json", accept=(200, 404))
        if answer.status == 404:
            raise self._wrong(channel)

    def _wrong(self, channel: str) -> WrongChannel:
        return WrongChannel(
            f"Recorder {self.client.identity} has no monitor {channel!r}: set the number of its monitor as the "
            "camera's channel in the register, then retry."
        )

    async def _check_zone(self) -> None:
        """Its own zone is held against the one that its times are read in; once is enough."""
        if self._zone_agrees:
            return
        answer, payload = await self.client.request("GET", "/api/host/getTimeZone.json", accept=(200, 404))
        name = payload.get("tz") if answer.status == 200 and isinstance(payload, dict) else None
        try:
            own = ZoneInfo(str(name)) if name else self.zone
        except (ZoneInfoNotFoundError, ValueError, OSError):
            own = self.zone  # a name that is not known here says nothing
        days = [datetime.now(UTC) + timedelta(days=days) for days in range(0, 365, 30)]
        if any(day.astimezone(own).utcoffset() != day.astimezone(self.zone).utcoffset() for day in days):
            raise self.client.down("zone", f"it says that its time zone is {own.key}, and {self.zone.key} is entered")
        self._zone_agrees = True


async def _nothing() -> AsyncIterator[bytes]:
    chunks: tuple[bytes, ...] = ()
    for chunk in chunks:
        yield chunk
