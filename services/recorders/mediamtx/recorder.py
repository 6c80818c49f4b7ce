"""MediaMTX through its playback server: its list, and the footage of each stretch of the list.

An answer to /get ends at the first gap without a word, and bytes that broke off cannot be resumed. So /list is
asked before every /get, each stretch that it names is asked for by itself, and a long one in pieces. Pieces overlap by
a few pictures, for one that begins between key frames has the pictures since the last key frame squeezed into its
first moment; the clip leaves out what it has already.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import httpx

from services.recorders.clock import Clock
from services.recorders.configuration_schema import (
    IDENTITY,
    PARALLEL,
    PASSWORD,
    USER,
    ZONE,
    ConfigurationSchema,
    Field,
    zone_of,
)
from services.recorders.http_client import PATIENCE, Answer, HttpClient
from services.recorders.protocol import (
    JOIN_TOLERANCE,
    ListedCamera,
    RecorderDown,
    RecorderFacts,
    Segment,
    WrongChannel,
)
from services.recorders.snapshot import picture_in
from services.runtime.addresses import Guard
from services.runtime.errors import Fatal
from services.runtime.spans import Span, merge_within
from services.runtime.translations import Message

PIECE = timedelta(minutes=10)  # what is lost where one breaks off
OVERLAP = timedelta(seconds=5)  # of a piece with the one before
LEAD = timedelta(seconds=30)  # before the asked start, so that a true key frame lies there
NARROWEST = timedelta(seconds=30)  # a list that fails is asked for in halves down to this
MOST_ASKS = 4000  # for one list: a garbled file of an hour takes up to 350, and one of a minute some 20
DAMAGED = "damaged-files"  # the code where they are used up
SAMPLES, FEW_ASKS = 16, 64  # of a list that fails; where none of the samples can be listed, few more asks are made
LONGEST = timedelta(days=3650)  # that a stretch may be, and how far back the oldest is searched
PAGES = 1000
PER_PAGE = 5  # channels; each comes with all its segments

SCHEMA = ConfigurationSchema(
    "mediamtx",
    Message("MediaMTX recorder"),
    (
        Field(
            *("address", "address", Message("playback address")),
            Message("Address of the playback server, such as http://192.168.1.20:9996."),
            required=True,
            schemes=("http", "https"),
        ),
        Field(
            *("api_address", "address", Message("API address")),
            Message("Optional; such as http://192.168.1.20:9997, to list the channels and their oldest footage."),
            schemes=("http", "https"),
        ),
        USER,
        PASSWORD,
        Field(
            *("channels", "text", Message("channels")),
            Message("Used if no API address is given; separated by commas, such as gate,hall."),
        ),
        ZONE,
        IDENTITY,
        PARALLEL,
    ),
)


@dataclass
class MediamtxRecorder:
    """Reads only. ``api`` is None where its API is not to be asked."""

    client: HttpClient
    api: HttpClient | None
    zone: ZoneInfo
    channels: tuple[str, ...] = ()

    @classmethod
    def from_configuration(
        cls, configuration: Mapping[str, str], guard: Guard, *, patience: float = PATIENCE
    ) -> "MediamtxRecorder":
        """Keys as in SCHEMA; raises Fatal with what to correct."""
        if not configuration.get("address"):
            raise Fatal("A MediaMTX recorder has no address: set that of its playback server.")
        user, password = configuration.get("user", ""), configuration.get("password", "")
        auth = httpx.BasicAuth(user, password) if user else None
        identity = configuration.get("identity", "")

        def client(address: str) -> HttpClient:
            return HttpClient(
                address, guard, identity=identity or configuration["address"], auth=auth, patience=patience
            )

        names = tuple(name.strip() for name in configuration.get("channels", "").split(",") if name.strip())
        api = client(configuration["api_address"]) if configuration.get("api_address") else None
        return cls(client(configuration["address"]), api, zone_of(configuration, "MediaMTX"), names)

    async def probe(self) -> RecorderFacts:
        oldest: dict[str, datetime] = {}
        clock, version, reachable = Clock(), "", True
        try:
            if self.api is not None:
                oldest, version = await self._oldest_by_api(self.api), await self._version(self.api)
            channels = self.channels or tuple(sorted(oldest)) or ("-",)
            now = datetime.now(UTC)
            answer, _ = await self._ask_list(channels[0], Span(now - NARROWEST, now))
            clock = answer.clock
            if self.api is None:
                oldest = {name: first for name in self.channels if (first := await self._oldest(name))}
        except RecorderDown:
            oldest, reachable = {}, False
        return RecorderFacts(
            make="MediaMTX",
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
        return merge_within(span, await self._stretches(channel, span), tolerance=JOIN_TOLERANCE)

    async def fetch(self, channel: str, span: Span) -> AsyncIterator[Segment]:
        for stretch in await self._stretches(channel, Span(span.start - LEAD, span.end)):
            wanted = stretch.intersect(span)
            if wanted is None:
                continue
            start, until = max(stretch.start, span.start - LEAD), wanted.start
            while until < wanted.end:
                until = min(until + PIECE, wanted.end)
                piece = Span(start, until)
                yield Segment(
                    name=f"{quote(channel, safe='')}_{start:%Y-%m-%dT%H-%M-%S-%f}Z.mp4",
                    channel=channel,
                    span=piece,
                    size=None,
                    container="fmp4",
                    open=partial(self._bytes, channel, piece),
                )
                start = max(until - OVERLAP, stretch.start)

    async def snapshot(self, channel: str, at: datetime) -> bytes:
        return await picture_in(self.fetch(channel, Span(at, at + timedelta(seconds=1))), at)

    async def protect(self, channel: str, span: Span) -> bool:
        return False  # it deletes by age alone

    async def release(self, channel: str, span: Span) -> None:
        return None

    async def list_cameras(self) -> list[ListedCamera]:
        """See ``protocol.TellsCameras``: the paths of which its API has recordings, or else the channels entered."""
        if self.api is not None:
            listed, unnamed = await self._listed_by_api(self.api)
            if unnamed:
                raise self.client.down("too-large", f"the lists of {unnamed} channels are too long to read their names")
            return [ListedCamera(channel) for channel in sorted(listed)]
        if not self.channels:
            raise self.client.down("no-list", "its playback server lists no channels; enter the address of its API")
        return [ListedCamera(channel) for channel in self.channels]

    async def _bytes(self, channel: str, piece: Span) -> AsyncIterator[bytes]:
        params = {
            "path": channel,
            "start": _moment(piece.start),
            "duration": f"{piece.duration.total_seconds():.6f}",
            "format": "fmp4",
        }
        # Its files may have been deleted since they were listed: then there are no bytes, and the clip reports it.
        async with self.client.stream("GET", "/get", params=params, accept=(200, 404)) as body:
            if body.status == 200:
                async for chunk in body.chunks:
                    yield chunk

    async def _stretches(self, channel: str, span: Span, *, first: bool = False) -> list[Span]:
        """What it lists of the span, in order of time, each without a gap; raises WrongChannel.

        One garbled file makes a whole list fail: then it is asked for in halves, and what is next to it is still
        listed. ``first``: no more than the first part that has anything.
        """
        listed = await self._listed(channel, span) if span.duration else []
        if listed is None:
            some = span.duration > NARROWEST and await self._lists_some(channel, span)
            if some or not first:
                asks = iter(range(MOST_ASKS if some else FEW_ASKS))
                try:
                    listed = await self._halved(channel, span, asks, first=first)
                except RecorderDown as error:
                    if some or error.code != DAMAGED:
                        raise
                    listed = None  # it lists nothing at all, which may be for a while only
        if listed is None:
            raise self.client.down("busy", "it answered 500 to /list")
        return listed

    async def _lists_some(self, channel: str, span: Span) -> bool:
        """Whether anything of it can be listed, as far as samples tell: then some files are garbled, and not all."""
        step = span.duration / SAMPLES
        starts = (span.start + number * step for number in range(SAMPLES))
        for sample in (Span(start, start + min(step, NARROWEST)) for start in starts):
            if await self._listed(channel, sample) is not None:
                return True
        return False

    async def _halved(self, channel: str, span: Span, asks: Iterator[int], *, first: bool) -> list[Span] | None:
        """What a list that fails has by halves; None where nothing of it can be listed.

        Raises RecorderDown where ``asks`` are used up: what was not asked for may have been recorded.
        """
        if span.duration <= NARROWEST:
            return None
        middle = span.start + span.duration / 2
        halves = []
        for half in (Span(span.start, middle), Span(middle, span.end)):
            if next(asks, None) is None:
                raise self.client.down(
                    DAMAGED, f"it cannot list {channel!r} for its garbled files; remove them from its disk"
                )
            listed = await self._listed(channel, half)
            if listed is None:
                listed = await self._halved(channel, half, asks, first=first)
            if listed and first:
                return listed
            halves.append(listed)
        before, after = halves
        return None if before is None and after is None else _joined(before or [], after or [])

    async def _listed(self, channel: str, span: Span) -> list[Span] | None:
        """What one list has of the span; None where it fails. Raises WrongChannel."""
        answer, payload = await self._ask_list(channel, span)
        if answer.status == 200:
            return sorted(set(self._understood(payload)))
        why = str(payload.get("error", "")) if isinstance(payload, dict) else ""
        if answer.status == 404 or "lstat" in why:  # no folder: nothing was ever recorded
            return []
        if answer.status == 400:
            raise WrongChannel(
                f"Recorder {self.client.identity} has no channel {channel!r}, or gives back nothing of it: correct the "
                "camera's channel in the register, or the path in mediamtx.yml, then retry."
            )
        return None

    async def _ask_list(self, channel: str, span: Span) -> tuple[Answer, Any]:
        params = {"path": channel, "start": _moment(span.start), "end": _moment(span.end)}
        answer = await self.client.request("GET", "/list", params=params, accept=(200, 400, 404, 500))
        return answer, self.client.parsed(answer, "/list")

    def _understood(self, payload: Any) -> list[Span]:
        try:
            stretches = []
            for entry in payload:
                start = self._time(entry["start"])
                length = timedelta(seconds=float(entry["duration"]))
                if timedelta() < length < LONGEST:
                    stretches.append(Span(start, start + length))
        except (TypeError, KeyError, ValueError, OverflowError) as error:
            raise self.client.down("not-a-recorder", "its list is none of MediaMTX") from error
        return stretches

    def _time(self, text: str) -> datetime:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=self.zone)).astimezone(UTC)

    async def _oldest(self, channel: str) -> datetime | None:
        """Looked for from the far past on: each list opens all its files, so that a short one is asked for."""
        now = datetime.now(UTC)
        back = LONGEST
        while back > timedelta(hours=12):
            back /= 2
            end = now - back if back > timedelta(hours=12) else now
            try:
                listed = await self._stretches(channel, Span(now - LONGEST, end), first=True)
            except WrongChannel:
                return None
            except RecorderDown as error:
                if error.code != DAMAGED:
                    raise
                return None  # unknown; the recorder is there all the same
            if listed:
                return listed[0].start
        return None

    async def _oldest_by_api(self, api: HttpClient) -> dict[str, datetime]:
        listed, _ = await self._listed_by_api(api)
        return {name: first for name, first in listed.items() if first is not None}

    async def _listed_by_api(self, api: HttpClient) -> tuple[dict[str, datetime | None], int]:
        """The channels by name, with the start of the first recording; None where there is none any more.

        An answer has all files of its channels. Where it is too large, they are asked for one by one; a channel whose
        own answer is too large is looked for in the playback server's lists. With how many of these have no name.
        """
        oldest: dict[str, datetime | None] = {}
        page, per_page, large = 0, PER_PAGE, 0
        for _ in range(PAGES):
            try:
                channels, pages = await self._page(api, page, per_page)
            except RecorderDown as error:
                if error.code != "too-large":
                    raise
                page, per_page, large = (page * per_page, 1, 0) if per_page > 1 else (page + 1, 1, large + 1)
                continue
            repeated = channels.keys() <= oldest.keys()
            oldest |= channels
            page += 1
            if repeated or page >= pages:
                break
        if large:
            others = {*self.channels, *await self._paths(api)} - oldest.keys()
            found = {name: first for name in sorted(others) if (first := await self._oldest(name))}
            oldest |= found
            large = max(0, large - len(found))
        return oldest, large

    async def _page(self, api: HttpClient, page: int, per_page: int) -> tuple[dict[str, datetime | None], int]:
        """Channels as ``_listed_by_api`` gives them, and how many pages of as many there are."""
        path = "/v3/recordings/list"
        answer = await api.request("GET", path, params={"itemsPerPage": per_page, "page": page})
        payload = api.parsed(answer, path)
        try:
            channels = {
                str(item["name"]): min(
                    (self._time(segment["start"]) for segment in item["segments"] or ()), default=None
                )
                for item in payload["items"]
            }
            return channels, int(payload["pageCount"])
        except (TypeError, KeyError, ValueError, OverflowError) as error:
            raise api.down("not-a-recorder", f"its answer to {path} is none of MediaMTX") from error

    async def _paths(self, api: HttpClient) -> list[str]:
        """The names of the paths that it knows of now, whether they have recordings or not."""
        names: list[str] = []
        path = "/v3/paths/list"
        for page in range(PAGES):
            payload = api.parsed(await api.request("GET", path, params={"itemsPerPage": 100, "page": page}), path)
            try:
                names += [str(item["name"]) for item in payload["items"]]
                pages = int(payload["pageCount"])
            except (TypeError, KeyError, ValueError) as error:
                raise api.down("not-a-recorder", f"its answer to {path} is none of MediaMTX") from error
            if page + 1 >= pages:
                break
        return names

    async def _version(self, api: HttpClient) -> str:
        answer = await api.request("GET", "/v3/info", accept=(200, 404))  # older versions have no such path
        payload = api.parsed(answer, "/v3/info") if answer.status == 200 else None
        return str(payload.get("version", "")) if isinstance(payload, dict) else ""


def _joined(before: list[Span], after: list[Span]) -> list[Span]:
    """The lists of two halves, where one stretch may have been cut in two."""
    if before and after and after[0].start <= before[-1].end:
        whole = Span(before[-1].start, max(before[-1].end, after[0].end))
        return [*before[:-1], whole, *after[1:]]
    return before + after


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
