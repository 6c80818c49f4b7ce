"""Recorders of GB/T 28181 behind a gateway, which has them send stretches of their recordings into files.

A device sends footage as fast as it was asked to and says neither how much there is nor what it left out. So
recordings are listed first, each is asked for by itself and in short pieces, and the clip measures what came. Pieces
overlap, for a device begins with a key frame near the moment that was asked for; the clip leaves out what it has.
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from urllib.parse import quote

import anyio

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
from services.recorders.gb28181.gateway import Gateway, Progress, Stretch, Unknown
from services.recorders.gb28181.livegbs import LiveGbs
from services.recorders.gb28181.wvp import Wvp
from services.recorders.http_client import PAGE, PATIENCE, Body, HttpClient, head_of
from services.recorders.protocol import (
    ListedCamera,
    RecorderDown,
    RecorderFacts,
    ReplayUnsupported,
    Segment,
    WrongChannel,
)
from services.recorders.snapshot import picture_in
from services.runtime.addresses import Guard
from services.runtime.errors import Fatal
from services.runtime.logs import get_logger
from services.runtime.spans import Span, merge, merge_within
from services.runtime.translations import Message

log = get_logger(__name__)

GATEWAYS: dict[str, type[Wvp | LiveGbs]] = {"wvp": Wvp, "livegbs": LiveGbs}
SPEED, PIECE_SECONDS = 4, 120
SCHEMA = ConfigurationSchema(
    "gb28181",
    Message("GB/T 28181 gateway"),
    (
        Field(
            *("gateway", "choice", Message("gateway")),
            Message("wvp: WVP-PRO; livegbs: LiveGBS."),
            default="wvp",
            choices=tuple(GATEWAYS),
        ),
        replace(ADDRESS, hint=Message("Address of the gateway, such as http://192.168.1.20:18080.")),
        Field(
            *("files", "address", Message("media server address")),
            Message("Finished downloads are read from here, such as http://192.168.1.20:80; empty: the gateway's own."),
            schemes=("http", "https"),
        ),
        USER,
        PASSWORD,
        Field(
            *("device", "text", Message("device number")),
            Message("Number of the recorder in the gateway (20 digits); cameras then need their channel number only."),
        ),
        Field(
            *("zone", "zone", Message("time zone of the clock")),
            Message("Time zone that the clock is set to."),
            default="Asia/Shanghai",
        ),
        Field(
            *("speed", "whole", Message("download speed")),
            Message("Multiple of real time; many devices allow at most 4."),
            default=str(SPEED),
            least=1,
            most=16,
        ),
        Field(
            *("piece", "whole", Message("length of a download in seconds")),
            Message("A shorter one needs less memory, a longer one fewer requests."),
            default=str(PIECE_SECONDS),
            least=30,
            most=3600,
        ),
        IDENTITY,
        replace(PARALLEL, default="1"),
    ),
)
JOIN = timedelta(seconds=1)  # its times are whole seconds
LEAD = timedelta(seconds=10)  # before the asked start, so that a key frame lies there
OVERLAP = timedelta(seconds=5)  # of a piece with the one before
POLL = 2.0  # seconds between two questions for progress
STALLED = 60.0  # seconds without progress
CLOSING = 30.0  # seconds for ending a download, also where the fetch was cancelled
UNSEEN = 3  # questions in a row after which an unknown download is lost
_NUMBER = re.compile(r"[0-9]{18,20}", re.ASCII)


@dataclass(frozen=True)
class Waits:
    """Seconds between questions for progress, and without any."""

    poll: float = POLL
    stalled: float = STALLED


class Gb28181Recorder:
    """Reads only. A channel is ``<device>/<channel>``, or the channel alone where the configuration names a device."""

    def __init__(self, gateway: Gateway, files: HttpClient, configuration: Mapping[str, str], waits: Waits) -> None:
        self._gateway = gateway
        self._files = files
        self._device = configuration.get("device", "")
        self._times = DeviceTimes(zone_of(configuration, "GB/T 28181", "Asia/Shanghai"), form=gateway.form)
        self._speed = _whole(configuration, "speed", SPEED)
        self._piece = timedelta(seconds=_whole(configuration, "piece", PIECE_SECONDS))
        self._waits = waits

    @classmethod
    def from_configuration(
        cls,
        configuration: Mapping[str, str],
        guard: Guard,
        *,
        patience: float = PATIENCE,
        waits: Waits = Waits(),
    ) -> "Gb28181Recorder":
        """Keys as in SCHEMA. Raises Fatal with what to correct."""
        address = configuration.get("address", "")
        if not address:
            raise Fatal("A GB/T 28181 gateway has no address: set where it answers, such as http://192.168.1.20:18080.")
        kind = configuration.get("gateway", "wvp")
        if kind not in GATEWAYS:
            raise Fatal(f"The gateway of a GB/T 28181 recorder is {kind!r}: set one of {', '.join(GATEWAYS)}.")
        device = configuration.get("device", "")
        if device and not _NUMBER.fullmatch(device):
            raise Fatal(f"The device of a GB/T 28181 recorder is {device[:100]!r}: set its number of 20 digits.")
        user, password, identity = (configuration.get(name, "") for name in ("user", "password", "identity"))
        gateway = GATEWAYS[kind](address, guard, user=user, password=password, identity=identity, patience=patience)
        # Without the gateway's token: it is another server.
        files = HttpClient(
            configuration.get("files") or address, guard, identity=gateway.client.identity, patience=patience
        )
        return cls(gateway, files, configuration, waits)

    async def probe(self) -> RecorderFacts:
        """Its clock is not told: the gateway's own is not the one in the pictures."""
        reachable = True
        try:
            await self._gateway.channels(self._device)
        except (RecorderDown, WrongChannel, Unknown):
            reachable = False
        return RecorderFacts(
            make="GB/T 28181",
            model=self._gateway.make,
            identity=self._gateway.client.identity,
            reachable=reachable,
            oldest_frame={},
            clock_offset_ms=None,
            clock_method="unknown",
            clock_uncertainty_ms=None,
            zone=self._times.zone.key,
        )

    async def coverage(self, channel: str, span: Span) -> list[Span]:
        return merge_within(span, await self._records(channel, span), tolerance=JOIN)

    async def fetch(self, channel: str, span: Span) -> AsyncIterator[Segment]:
        device, number = await self._numbers(channel)
        stretches, twice = [], False
        for piece in _pieces(await self._records(channel, span), span, self._piece):
            written = self._times.exact(piece)
            if written is None:
                twice = True  # promised, and not given: a loss
                continue
            stretches.append((piece, Stretch(device, number, *written)))
        if twice and not stretches:
            raise ReplayUnsupported(
                f"The clock of recorder {self._gateway.client.identity} is set back between "
                f"{span.start.isoformat()} and {span.end.isoformat()}. Of an hour that it shows twice the device "
                f"cannot be told which is meant: ask for a span outside of it, or export channel {channel} on the "
                "recorder and upload the file."
            )
        for piece, stretch in stretches:
            yield Segment(
                name=f"{device}_{number}_{piece.start:%Y%m%dT%H%M%SZ}-{piece.end:%Y%m%dT%H%M%SZ}.mp4",
                channel=channel,
                span=piece,
                size=None,
                container="mp4",
                open=partial(self._footage, stretch),
                step=JOIN,
            )

    async def snapshot(self, channel: str, at: datetime) -> bytes:
        return await picture_in(self.fetch(channel, Span(at, at + timedelta(seconds=1))), at)

    async def protect(self, channel: str, span: Span) -> bool:
        return False  # the standard has no way to lock a recording

    async def release(self, channel: str, span: Span) -> None:
        return None

    async def list_cameras(self) -> list[ListedCamera]:
        """See ``protocol.TellsCameras``."""
        try:
            channels = await self._gateway.channels(self._device)
        except Unknown as error:
            raise self._gateway.client.down("not-a-recorder", "it does not know the device") from error
        if self._device:
            return [ListedCamera(number, name, frozenset({f"{device}/{number}"})) for device, number, name in channels]
        return [ListedCamera(f"{device}/{number}", name) for device, number, name in channels]

    async def _records(self, channel: str, span: Span) -> list[Span]:
        """What the device lists, in order of time."""
        device, number = await self._numbers(channel)
        start, end = self._times.written(span)
        try:
            rows = await self._gateway.records(Stretch(device, number, start, end))
        except Unknown as error:
            raise self._gateway.client.no_channel(channel) from error
        spans: list[Span] = []
        after: datetime | None = None
        if rows and rows[0] > rows[-1]:
            rows.reverse()  # some devices list the latest first
        for first, last in rows:
            try:
                after = self._times.read(_plain(first), after)
                spans.append(Span(after, self._times.read(_plain(last), after)))
            except ValueError as error:
                raise self._gateway.client.down("not-a-recorder", "it lists a recording without times") from error
        return sorted(one for one in spans if one.duration and one.intersect(span))

    async def _numbers(self, channel: str) -> tuple[str, str]:
        device, _, number = channel.rpartition("/")
        device = device or self._device
        if not _NUMBER.fullmatch(device) or not _NUMBER.fullmatch(number):
            # One that is away, or refuses the user, tells that first.
            with suppress(Unknown):
                await self._gateway.channels(self._device)
            raise self._gateway.client.no_channel(channel)
        return device, number

    async def _footage(self, asked: Stretch) -> AsyncIterator[bytes]:
        """The bytes of a stretch, once the device has sent it; the session is given back before they are read."""
        try:
            stream = await self._gateway.begin(asked, self._speed, self._times.zone.key)
        except Unknown as error:
            raise self._gateway.client.no_channel(f"{asked.device}/{asked.channel}") from error
        try:
            file = await self._finished(asked, stream)
        finally:
            with anyio.move_on_after(CLOSING, shield=True):
                await self._end(asked, stream)
        async with aclosing(self._read(file)) as chunks:
            head = await head_of(chunks)
            if head.lstrip().lower().startswith((*PAGE, b"{")):
                raise self._files.down("not-a-recorder", "the media server has no footage at the address of a download")
            if head:
                yield head
            async for chunk in chunks:
                yield chunk

    async def _finished(self, asked: Stretch, stream: str) -> str:
        """Wait for a download; return where its file lies. Raises RecorderDown where it does not go on."""
        last, unseen, client = -1.0, 0, self._gateway.client
        while True:
            with anyio.move_on_after(self._waits.stalled):
                while unseen < UNSEEN:
                    seen = await self._progress(asked, stream)
                    if seen is not None and seen.file is not None:
                        return seen.file
                    unseen = 0 if seen else unseen + 1
                    await anyio.sleep(self._waits.poll)
                    if seen and seen.share > last:
                        last = seen.share
                        break
                else:
                    raise client.down("broken-off", "it has lost a download")
                continue
            cause = f"a download has stood still at {max(last, 0):.0%} for {self._waits.stalled:g} s"
            raise client.down("broken-off", cause, hangs=True)

    async def _progress(self, asked: Stretch, stream: str) -> Progress | None:
        try:
            return await self._gateway.progress(asked, stream)
        except Unknown:
            return None

    async def _end(self, asked: Stretch, stream: str) -> None:
        """Where it cannot be ended, the footage is good all the same."""
        try:
            await self._gateway.end(asked, stream)
        except Unknown:
            pass  # it has ended by itself
        except (RecorderDown, WrongChannel) as error:
            code = error.code if isinstance(error, RecorderDown) else "no-channel"
            log.warning("download-left-behind", recorder=self._gateway.client.identity, cause=code)

    async def _read(self, file: str) -> AsyncGenerator[bytes, None]:
        path, _, query = file.partition("?")
        path, query = quote(path, safe="/%:@+,()"), quote(query, safe="/%:@+,()=&")

        @asynccontextmanager
        async def begin(came: int) -> AsyncIterator[Body | None]:
            headers = {"Range": f"bytes={came}-"} if came else {}
            accept = (206,) if came else (200, 404)
            async with self._files.stream("GET", path, query=query, headers=headers, accept=accept) as body:
                yield None if body.status == 404 else body

        async with aclosing(self._files.resumed(path, begin)) as chunks:
            async for chunk in chunks:
                yield chunk


def _whole(configuration: Mapping[str, str], name: str, default: int) -> int:
    text = configuration.get(name) or str(default)
    if not text.isascii() or not text.isdecimal() or not 0 < int(text) <= 3600:
        raise Fatal(f"The {name} of a GB/T 28181 recorder is {text[:20]!r}: set a whole number from 1 to 3600.")
    return int(text)


def _pieces(records: Sequence[Span], span: Span, length: timedelta) -> Iterator[Span]:
    """Cut what is recorded of the span into stretches that are asked for; each begins some seconds earlier."""
    for record in merge(records, tolerance=JOIN):
        wanted = record.intersect(span)
        if wanted is None:
            continue
        start, until = max(record.start, _second(span.start - LEAD)), wanted.start
        while until < wanted.end:
            until = min(until + length, wanted.end)
            yield Span(start, until)
            start = max(_second(until - OVERLAP), record.start)


def _second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


def _plain(text: str) -> str:
    """Its times as ISO 8601 has them, without a zone: what a gateway puts behind them is not the device's. Raises
    ValueError."""
    wall = text[:19].replace("T", " ")
    return datetime.strptime(wall, "%Y-%m-%d %H:%M:%S").isoformat()  # noqa: DTZ007 - the device's own wall clock
