"""Dahua recorders and cameras through their HTTP API: search, whole files, and a clock of their own.

Files are fetched as they are listed. What the recorder cuts by time (``loadfile.cgi``) has bytes before it that are no
footage, no length, and begins where its firmware thinks best: it is not used (docs/recorders.md).
"""

import re
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

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
from services.recorders.dahua.client import DahuaClient, short
from services.recorders.dahua.finder import WRITTEN, Channel, Finder, Found
from services.recorders.device_times import DeviceTimes
from services.recorders.http_client import PATIENCE
from services.recorders.protocol import ListedCamera, RecorderDown, RecorderFacts, Segment, WrongChannel
from services.recorders.snapshot import picture_in
from services.runtime.addresses import Guard
from services.runtime.errors import Fatal
from services.runtime.spans import Span, merge_within
from services.runtime.storage_health import Disk, whole
from services.runtime.translations import Message

SCHEMA = ConfigurationSchema(
    "dahua",
    Message("Dahua recorder"),
    (
        ADDRESS,
        USER,
        PASSWORD,
        Field(
            *("zone", "zone", Message("time zone of the clock")),
            Message("Time zone that the clock is set to."),
            required=True,
        ),
        IDENTITY,
        PARALLEL,
    ),
)
JOIN = timedelta(seconds=1)  # its times are whole seconds
GROWING = timedelta(minutes=2)  # what ended this little ago may still be written to
MOST_CHANNELS = 256
MOST_DISKS = 256
WORKS = frozenset({"success", "normal", "running", "initializing"})
_CHANNEL = re.compile(r"([1-9][0-9]{0,3})(?:/(Main|Extra[1-3]))?", re.ASCII)
_TITLE = re.compile(r"table\.ChannelTitle\[([0-9]{1,4})\]\.Name", re.ASCII)
_DISK = re.compile(r"list\.info\[([0-9]{1,4})\]\.(Name|State|Detail\[[0-9]{1,3}\]\.(?:TotalBytes|IsError))", re.ASCII)


class DahuaRecorder:
    """Reads only. A channel is its number, counted from 1, for its main stream, or ``2/Extra1`` for another."""

    def __init__(self, client: DahuaClient, times: DeviceTimes, identity: str) -> None:
        self._client = client
        self._times = times
        self._identity = identity
        self._finder = Finder(client, times)

    @classmethod
    def from_configuration(
        cls, configuration: Mapping[str, str], guard: Guard, *, patience: float = PATIENCE
    ) -> "DahuaRecorder":
        """Keys as in SCHEMA. Raises Fatal with what to correct."""
        if not configuration.get("address"):
            raise Fatal("A Dahua recorder has no address: set where it answers, such as http://192.168.1.20.")
        zone = zone_of(configuration, "Dahua", "")
        user, password, identity = (configuration.get(name, "") for name in ("user", "password", "identity"))
        client = DahuaClient(
            configuration["address"], guard, user=user, password=password, identity=identity, patience=patience
        )
        return cls(client, DeviceTimes(zone, form=WRITTEN), identity)

    async def probe(self) -> RecorderFacts:
        model, serial = "", ""
        oldest: dict[str, datetime] = {}
        clock, reachable = Clock(), True
        try:
            device, _ = await self._client.ask("magicBox.cgi", action="getSystemInfo")
            if not device:
                raise self._client.down("not-a-recorder", "its answer to magicBox.cgi is none")
            software, _ = await self._client.ask("magicBox.cgi", action="getSoftwareVersion")
            model = " ".join(one for one in (short(device, "deviceType"), short(software, "version")) if one)
            serial = short(device, "serialNumber")
            clock = await self._clock()
            channels = [Channel(number + 1) for number in range(min(await self._channels(), MOST_CHANNELS))]
            oldest = {str(number): first for number, first in (await self._finder.oldest(channels)).items()}
        except RecorderDown:
            reachable = False
        return RecorderFacts(
            make="Dahua",
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
        spans = [one.span for one in await self._files(channel, span)]
        return merge_within(span, spans, tolerance=JOIN)

    async def fetch(self, channel: str, span: Span) -> AsyncIterator[Segment]:
        for one in await self._files(channel, span):
            grows = one.span.end > datetime.now(UTC) - GROWING
            stream = partial(self._client.footage, one.path)
            yield Segment(one.path, channel, one.span, None if grows else one.size, one.container, stream, JOIN)

    async def snapshot(self, channel: str, at: datetime) -> bytes:
        return await picture_in(self.fetch(channel, Span(at, at + timedelta(milliseconds=1))), at)

    async def protect(self, channel: str, span: Span) -> bool:
        return False  # its description tells of no call that locks a file

    async def release(self, channel: str, span: Span) -> None:
        return None

    async def list_disks(self) -> list[Disk]:
        """See ``protocol.TellsDisks``. It fills its disks when it formats them, so that what is free says nothing."""
        told, _ = await self._client.ask("storageDevice.cgi", action="getDeviceAllInfo")
        rows: dict[int, dict[str, str]] = {}
        for name, value in (told or {}).items():
            if row := _DISK.fullmatch(name):
                rows.setdefault(int(row[1]), {})[row[2]] = value
        if not rows:
            raise self._client.down("not-a-recorder", "its answer to storageDevice.cgi names no disk")
        return [_disk(rows[index]) for index in sorted(rows)][:MOST_DISKS]

    async def list_cameras(self) -> list[ListedCamera]:
        """See ``protocol.TellsCameras``: by the titles of its channels, whether something is connected there or not."""
        titles = await self._titles()
        if not titles:
            raise self._client.down("not-a-recorder", "its answer to configManager.cgi names no channel")
        return [
            ListedCamera(str(number + 1), name, frozenset({f"{number + 1}/Main"}))
            for number, name in sorted(titles.items())[:MOST_CHANNELS]
        ]

    async def _files(self, channel: str, span: Span) -> list[Found]:
        """What it lists. A search is refused for a channel that it does not have, and by some firmware where it finds
        nothing: only the first is refused for all times too."""
        wanted = self._channel(channel)
        if wanted is None:
            await self._channels()  # one that is away, or refuses the user, tells that first
            raise self._no_channel(channel)
        files = await self._finder.files(wanted, span)
        if files:
            return files
        if wanted.number > (await self._channels() or wanted.number):
            raise self._no_channel(channel)
        if files is None and not await self._finder.oldest([wanted]):
            raise self._no_channel(channel)
        return []

    @staticmethod
    def _channel(channel: str) -> Channel | None:
        told = _CHANNEL.fullmatch(channel)
        return None if told is None else Channel(int(told[1]), told[2] or "Main")

    async def _channels(self) -> int:
        """How many channels it names; 0 where it names none."""
        return max(await self._titles(), default=-1) + 1

    async def _titles(self) -> dict[int, str]:
        """What its channels are called, by their number counted from 0."""
        told, _ = await self._client.ask("configManager.cgi", action="getConfig", name="ChannelTitle")
        return {int(title[1]): short(told, name) for name in told or {} if (title := _TITLE.fullmatch(name))}

    async def _clock(self) -> Clock:
        """By its own time, and by the header Date where it does not state it."""
        told, answer = await self._client.ask("global.cgi", action="getCurrentTime")
        middle = answer.asked + (answer.answered - answer.asked) / 2
        try:
            wall = datetime.strptime((told or {}).get("result", ""), WRITTEN)  # noqa: DTZ007 - its own wall clock
            shown = self._times.shown(wall.isoformat(), middle)
        except ValueError:
            return answer.clock
        return Clock.of(shown, answer.asked, answer.answered, resolution=timedelta(seconds=1), method="api-time")

    def _no_channel(self, channel: str) -> WrongChannel:
        return WrongChannel(
            f"Recorder {self._client.identity} has no channel {channel[:100]!r}, or has never recorded it: correct the "
            "camera's channel in the register (1 is the first, 1/Extra1 its second stream), then retry."
        )


def _disk(row: Mapping[str, str]) -> Disk:
    status = short(row, "State")
    errors = [value for name, value in row.items() if name.endswith("IsError")]
    sizes = [value.partition(".")[0] for name, value in row.items() if name.endswith("TotalBytes")]
    failed = True if "true" in errors or status.lower() == "error" else False if status.lower() in WORKS else None
    known = sizes and all(one.isascii() and one.isdecimal() and len(one) <= 18 for one in sizes)
    return Disk(short(row, "Name"), status, failed, whole(sum(map(int, sizes))) if known else None)
