"""Hikvision recorders and cameras through ISAPI: search, whole recordings, and a clock of their own.

A recording is downloaded by the address that the search gave for it, unchanged: firmware that cuts by time and such
that does not cannot be recognised, and what is cut from a whole one is cut here, packet by packet (docs/recorders.md).
"""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

from services.recorders import untrusted_xml
from services.recorders.clock import Clock
from services.recorders.configuration_schema import (
    ADDRESS,
    IDENTITY,
    PARALLEL,
    PASSWORD,
    USER,
    ConfigurationSchema,
    Field,
    zone_of,
)
from services.recorders.device_times import DeviceTimes
from services.recorders.hikvision import disks
from services.recorders.hikvision.client import HikvisionClient
from services.recorders.hikvision.search import Match, Search
from services.recorders.http_client import PATIENCE
from services.recorders.protocol import ListedCamera, RecorderDown, RecorderFacts, Segment, WrongChannel
from services.recorders.snapshot import picture_in
from services.runtime.addresses import Guard
from services.runtime.errors import Fatal
from services.runtime.spans import Span, merge_within
from services.runtime.storage_health import Disk
from services.runtime.translations import Message

DEVICE, TRUE = "device", "utc"
SCHEMA = ConfigurationSchema(
    "hikvision",
    Message("Hikvision recorder"),
    (
        ADDRESS,
        USER,
        PASSWORD,
        Field(
            *("zone", "zone", Message("time zone of the clock")),
            Message("Time zone that the clock is set to."),
            required=True,
        ),
        Field(
            *("times", "choice", Message("meaning of its times")),
            Message("device: local time of the recorder, although marked Z; utc: real UTC."),
            default=DEVICE,
            choices=(DEVICE, TRUE),
        ),
        IDENTITY,
        PARALLEL,
    ),
)
# Where ISAPI lists the channels of network cameras, and those that are wired to the device: path and element.
CHANNEL_LISTS = (
    ("/ISAPI/ContentMgmt/InputProxy/channels", "InputProxyChannel"),
    ("/ISAPI/System/Video/inputs/channels", "VideoInputChannel"),
)
STREAMS = 3  # of a channel: its main stream and two more have tracks of their own
JOIN = timedelta(seconds=1)  # its times are whole seconds
GROWING = timedelta(minutes=2)  # what ended this little ago may still be written to
MAIN = 100  # track 101 is the main stream of channel 1, 102 its second one


class HikvisionRecorder:
    """Reads only."""

    def __init__(self, client: HikvisionClient, times: DeviceTimes, identity: str) -> None:
        self._client = client
        self._times = times
        self._identity = identity
        self._search = Search(client, times)

    @classmethod
    def from_configuration(
        cls, configuration: Mapping[str, str], guard: Guard, *, patience: float = PATIENCE
    ) -> "HikvisionRecorder":
        """Keys as in SCHEMA. Raises Fatal with what to correct."""
        if not configuration.get("address"):
            raise Fatal("A Hikvision recorder has no address: set where it answers, such as http://192.168.1.20.")
        meaning = configuration.get("times", DEVICE)
        if meaning not in (DEVICE, TRUE):
            raise Fatal(f"A Hikvision recorder's times are {meaning!r}: set {DEVICE} or {TRUE}.")
        zone = zone_of(configuration, "Hikvision", "")
        user, password, identity = (configuration.get(name, "") for name in ("user", "password", "identity"))
        client = HikvisionClient(
            configuration["address"], guard, user=user, password=password, identity=identity, patience=patience
        )
        return cls(client, DeviceTimes(zone, meaning == TRUE), identity)

    async def probe(self) -> RecorderFacts:
        make, model, serial = "Hikvision", "", ""
        oldest: dict[str, datetime] = {}
        clock, reachable = Clock(), True
        try:
            device = await self._client.document("GET", "/ISAPI/System/deviceInfo")
            if device is None or untrusted_xml.name(device) != "DeviceInfo":
                raise self._client.down("not-a-recorder", "its answer to /ISAPI/System/deviceInfo is none")
            make = _short_text(device, "manufacturer") or make
            model = " ".join(one for name in ("model", "firmwareVersion") if (one := _short_text(device, name)))
            serial = _short_text(device, "serialNumber")
            clock = await self._clock()
            until = datetime.now(UTC) + timedelta(days=1)
            for track in await self._tracks():
                first = await self._search.oldest(track, until) if track % MAIN == 1 else None
                if first is not None:
                    oldest[str(track)] = oldest[str(track // MAIN)] = first
        except RecorderDown:
            reachable = False
        return RecorderFacts(
            make=make,
            model=model,
            identity=self._identity or serial or self._client.identity,
            reachable=reachable,
            oldest_frame=oldest,
            clock_offset_ms=clock.offset_ms,
            clock_method=clock.method,
            clock_uncertainty_ms=clock.uncertainty_ms,
            zone=self._times.zone.key,
        )

    async def coverage(self, channel: str, span: Span) -> list[Span]:
        spans = [match.span for match in await self._matches(channel, span)]
        return merge_within(span, spans, tolerance=JOIN)

    async def fetch(self, channel: str, span: Span) -> AsyncIterator[Segment]:
        for match in await self._matches(channel, span):
            name = match.name or match.begins
            size = None if self._grows(match) else match.size
            yield Segment(name, channel, match.span, size, "ps", partial(self._client.footage, match.uri), JOIN)

    async def snapshot(self, channel: str, at: datetime) -> bytes:
        return await picture_in(self.fetch(channel, Span(at, at + timedelta(milliseconds=1))), at)

    async def protect(self, channel: str, span: Span) -> bool:
        return False  # a search returns lockStatus, and no guide says how to set it

    async def release(self, channel: str, span: Span) -> None:
        return None

    async def list_disks(self) -> list[Disk]:
        """See ``protocol.TellsDisks``."""
        root = await self._client.document("GET", disks.PATH)
        if root is None or untrusted_xml.name(root) != "storage":
            raise self._client.down("not-a-recorder", f"its answer to {disks.PATH} is none")
        return disks.disks_in(root)

    async def list_cameras(self) -> list[ListedCamera]:
        """See ``protocol.TellsCameras``: by both lists of channels, and by its tracks where it has neither."""
        named: dict[int, str] = {}
        for path, element in CHANNEL_LISTS:
            root = await self._client.optional(path)
            if root is None:
                continue
            if untrusted_xml.name(root) != f"{element}List":
                raise self._client.down("not-a-recorder", f"its answer to {path} is no list of channels")
            for node in untrusted_xml.children(root, element):
                text = untrusted_xml.text(node, "id")
                if not (text.isascii() and text.isdecimal() and len(text) <= 6 and int(text)):
                    raise self._client.down("not-a-recorder", f"its answer to {path} has a channel without a number")
                named[int(text)] = named.get(int(text)) or _short_text(node, "name")
        if not named:
            named = {track // MAIN: "" for track in await self._tracks() if track % MAIN == 1}
        return [_listed(number, name) for number, name in sorted(named.items())]

    async def _matches(self, channel: str, span: Span) -> list[Match]:
        track = self._track(channel)
        matches = await self._search.matches(track, span)
        if not matches:
            tracks = await self._tracks()
            if tracks and track not in tracks:
                raise self._no_channel(channel)
        return matches

    def _track(self, channel: str) -> int:
        """A channel is its number, for its main stream, or the number of a track."""
        if not (channel.isascii() and channel.isdecimal() and len(channel) <= 6 and int(channel)):
            raise self._no_channel(channel)
        number = int(channel)
        return number * MAIN + 1 if number < MAIN else number

    def _grows(self, match: Match) -> bool:
        return match.span.end > datetime.now(UTC) - GROWING

    async def _tracks(self) -> list[int]:
        """The numbers of its tracks; none where it does not list them."""
        answer = await self._client.request("GET", "/ISAPI/ContentMgmt/record/tracks")
        try:
            root = untrusted_xml.read(answer.body) if answer.status == 200 else None
        except ValueError:
            root = None
        texts = (
            [untrusted_xml.text(track, "id") for track in untrusted_xml.children(root, "Track")]
            if root is not None
            else []
        )
        return [int(text) for text in texts if text.isascii() and text.isdecimal() and len(text) <= 6]

    async def _clock(self) -> Clock:
        """By its own time, and by the header Date where it does not state it."""
        answer = await self._client.request("GET", "/ISAPI/System/time")
        middle = answer.asked + (answer.answered - answer.asked) / 2
        try:
            text = untrusted_xml.text(untrusted_xml.read(answer.body), "localTime")
            shown = self._times.shown(text, middle)
        except ValueError:
            return answer.clock
        return Clock.of(shown, answer.asked, answer.answered, resolution=timedelta(seconds=1), method="api-time")

    def _no_channel(self, channel: str) -> WrongChannel:
        return WrongChannel(
            f"Recorder {self._client.identity} has no channel {channel[:100]!r}: correct the camera's channel in the "
            "register, then retry."
        )


def _listed(number: int, name: str) -> ListedCamera:
    tracks = frozenset(str(number * MAIN + stream) for stream in range(1, STREAMS + 1))
    return ListedCamera(str(number), name, tracks) if number < MAIN else ListedCamera(str(number * MAIN + 1), name)


def _short_text(node: untrusted_xml.Node, name: str) -> str:
    """A short text of the device, fit for records."""
    text = untrusted_xml.text(node, name)[:100]
    return text if text.isprintable() else ""
