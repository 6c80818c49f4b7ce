"""ONVIF recorders (Profile G): what they hold, and their clock. Their footage is not fetched.

It is replayed over RTSP for a range of clock time, with headers of its own, or exported by the recorder itself
(ExportRecordedData). No maintained RTSP client for Python requests such a range and returns its footage;
docs/recorders.md names those that were examined.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

import httpx
from lxml import etree

from services.recorders import untrusted_xml
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
from services.recorders.http_client import PATIENCE, HttpClient
from services.recorders.onvif.history import TRACK_STATE, Change, Recording, Times, change, recorded, recording
from services.recorders.onvif.soap import DEVICE, REPLAY, SEARCH, Soap
from services.recorders.protocol import (
    JOIN_TOLERANCE,
    ListedCamera,
    RecorderDown,
    RecorderFacts,
    ReplayUnsupported,
    Segment,
    WrongChannel,
)
from services.recorders.untrusted_xml import Node
from services.runtime.addresses import AddressRefused, Guard
from services.runtime.errors import Fatal
from services.runtime.spans import Span, merge_within
from services.runtime.translations import Message

AT_ONCE = 100  # results in one answer
IDLE = 20  # answers without anything new, until a search is abandoned
MOST = 100_000  # results of one search
LONGEST_NAME = 100
_STREAM = (
    "<StreamSetup><tt:Stream>RTP-Unicast</tt:Stream><tt:Transport><tt:Protocol>RTSP</tt:Protocol></tt:Transport>"
    "</StreamSetup><RecordingToken>{token}</RecordingToken>"
)

SCHEMA = ConfigurationSchema(
    "onvif",
    Message("ONVIF recorder (query only, no retrieval)"),
    (
        Field(
            *("address", "address", Message("address")),
            Message(
                "Such as http://192.168.1.20. Only recordings and clock are queried; export footage on the "
                "recorder and upload it."
            ),
            required=True,
            schemes=("http", "https"),
        ),
        USER,
        PASSWORD,
        Field(
            *("times", "choice", Message("meaning of its times")),
            Message(
                "utc: as the ONVIF standard requires; device: the recorder marks local time with Z, which is "
                "then read in the time zone below."
            ),
            default="utc",
            choices=("utc", "device"),
        ),
        ZONE,
        IDENTITY,
        PARALLEL,
    ),
)


@dataclass
class OnvifRecorder:
    """Asks only, and changes nothing."""

    soap: Soap
    times: Times
    streams: Guard  # which addresses of RTSP may be shown
    identity: str = ""

    @classmethod
    def from_configuration(
        cls, configuration: Mapping[str, str], guard: Guard, *, patience: float = PATIENCE
    ) -> "OnvifRecorder":
        """Keys as in SCHEMA; an address with a path names the device service. Raises Fatal with what to correct."""
        parts = urlsplit(configuration.get("address", ""))
        if not parts.netloc:
            raise Fatal("An ONVIF recorder has no address: set where it answers.")
        zone = zone_of(configuration, "ONVIF")
        address = f"{parts.scheme}://{parts.netloc}"
        user, password = configuration.get("user", ""), configuration.get("password", "")
        auth = httpx.DigestAuth(user, password) if user else None
        identity = configuration.get("identity", "")
        client = HttpClient(address, guard, identity=identity or address, auth=auth, patience=patience)
        soap = Soap(client, parts.path.rstrip("/"), user, password)
        streams = Guard(guard.networks, ("rtsp", "rtsps"))
        return cls(soap, Times(zone, configuration.get("times") == "device"), streams, identity)

    async def probe(self) -> RecorderFacts:
        try:
            clock = await self.soap.clock()
            device = await self.soap.call(DEVICE, "GetDeviceInformation")
            recordings = await self._recordings()
        except RecorderDown:
            return self._facts({}, {}, Clock(), reachable=False)
        names = {
            name: _shown(untrusted_xml.text(device, name)) for name in ("Manufacturer", "Model", "FirmwareVersion")
        }
        names["SerialNumber"] = _shown(untrusted_xml.text(device, "SerialNumber"))
        return self._facts(names, _oldest(recordings), clock, reachable=True)

    async def coverage(self, channel: str, span: Span) -> list[Span]:
        """``channel`` is a recording's token, or the id of its source."""
        found: list[Span] = []
        for one in await self._chosen(channel):
            held = await self._held(one)
            if held is None or held.intersect(span) is None:
                continue
            changes = await self._changes(one.token, span)
            if not one.tracks <= {item.track for item in changes} | ({""} if changes else set()):
                # It states no state at the start of a search: the last change before it does.
                changes += await self._changes(one.token, Span(held.start, max(held.start, span.end)))
            for track in one.tracks:
                found += recorded((item for item in changes if track in ("", item.track)), span, held)
        return merge_within(span, found, tolerance=JOIN_TOLERANCE)

    async def fetch(self, channel: str, span: Span) -> AsyncIterator[Segment]:
        raise await self._unsupported(channel)
        yield

    async def snapshot(self, channel: str, at: datetime) -> bytes:
        raise await self._unsupported(channel)

    async def protect(self, channel: str, span: Span) -> bool:
        return False  # ONVIF has no lock for what is recorded

    async def release(self, channel: str, span: Span) -> None:
        return None

    async def list_cameras(self) -> list[ListedCamera]:
        """See ``protocol.TellsCameras``: the sources of its recordings; one without a source goes by its token."""
        tokens: dict[str, set[str]] = {}
        names: dict[str, str] = {}
        for node in await self._search("Recording", "<Scope/>", "RecordingInformation"):
            token, source = untrusted_xml.text(node, "RecordingToken"), untrusted_xml.text(node, "Source", "SourceId")
            if not token:
                raise self.soap.misunderstood("GetRecordingSearchResults", "has a recording without a token")
            channel = source or token
            tokens.setdefault(channel, set()).add(token)
            called = (untrusted_xml.text(node, "Source", part) for part in ("Name", "Location", "Description"))
            names[channel] = names.get(channel) or _shown(next(filter(None, called), ""))
        return [ListedCamera(channel, names[channel], frozenset(also - {channel})) for channel, also in tokens.items()]

    async def replay_addresses(self, channel: str) -> list[str]:
        """Where the channel's recordings are replayed over RTSP, for a range of clock time; without their queries.

        Raises AddressRefused where one lies where the settings allow none.
        """
        addresses = []
        for one in await self._chosen(channel):
            reply = await self.soap.call(REPLAY, "GetReplayUri", _STREAM.format(token=escape(one.token)))
            target = await self.streams.check(untrusted_xml.text(reply, "Uri"))
            addresses.append(target.url.partition("?")[0])
        return addresses

    async def _unsupported(self, channel: str) -> ReplayUnsupported:
        try:
            where = f" ({', '.join(await self.replay_addresses(channel))})"
        except (RecorderDown, WrongChannel, AddressRefused):
            where = ""  # what is to be said holds without it
        return ReplayUnsupported(
            f"Recorder {self.soap.client.identity} gives its footage by ONVIF replay over RTSP{where} or by "
            f"ExportRecordedData, and neither is supported: export channel {channel} on the recorder and upload the "
            "file, or enter the recorder as another kind."
        )

    def _facts(
        self, names: Mapping[str, str], oldest: dict[str, datetime], clock: Clock, *, reachable: bool
    ) -> RecorderFacts:
        return RecorderFacts(
            make=names.get("Manufacturer") or "onvif",
            model=" ".join(names[part] for part in ("Model", "FirmwareVersion") if names.get(part)),
            identity=self.identity or names.get("SerialNumber") or self.soap.client.identity,
            reachable=reachable,
            oldest_frame=oldest,
            clock_offset_ms=clock.offset_ms,
            clock_method=clock.method,
            clock_uncertainty_ms=clock.uncertainty_ms,
            zone=self.times.zone.key,
        )

    async def _held(self, one: Recording) -> Span | None:
        if one.held is None or not one.running:
            return one.held
        # Still recording: the newest picture that it stated is older than the answer.
        now = datetime.now(UTC) + timedelta(milliseconds=(await self.soap.clock()).offset_ms or 0)
        return Span(one.held.start, max(one.held.end, now))

    async def _chosen(self, channel: str) -> list[Recording]:
        chosen = [one for one in await self._recordings() if channel and channel in (one.token, one.source)]
        if not chosen:
            raise WrongChannel(
                f"Recorder {self.soap.client.identity} has no recording and no source {channel!r}: correct the "
                "camera's channel in the register, then retry."
            )
        return chosen

    async def _recordings(self) -> list[Recording]:
        found = await self._search("Recording", "<Scope/>", "RecordingInformation")
        try:
            return [recording(node, self.times) for node in found]
        except ValueError as error:
            raise self.soap.misunderstood("GetRecordingSearchResults", str(error)) from error

    async def _changes(self, token: str, span: Span) -> list[Change]:
        start, end = (self.times.write(moment) for moment in (span.start, span.end))
        scope = f"<tt:IncludedRecordings>{escape(token)}</tt:IncludedRecordings>"
        dialect = "http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet"
        topic = f'<wsnt:TopicExpression Dialect="{dialect}">tns1:{TRACK_STATE}</wsnt:TopicExpression>'
        body = (
            f"<StartPoint>{start}</StartPoint><EndPoint>{end}</EndPoint><Scope>{scope}</Scope>"
            f"<SearchFilter>{topic}</SearchFilter><IncludeStartState>true</IncludeStartState>"
        )
        found = await self._search("Event", body, "Result")
        try:
            changes = [change(node, self.times) for node in found]
        except ValueError as error:
            raise self.soap.misunderstood("GetEventSearchResults", str(error)) from error
        # A device may search in more than it was asked to.
        return [item for item in changes if item is not None and item.recording == token]

    async def _search(self, what: str, body: str, item: str) -> list[Node]:
        """All results of a search, each once."""
        begun = await self.soap.call(SEARCH, f"Find{what}s", f"{body}<KeepAliveTime>PT60S</KeepAliveTime>")
        token = f"<SearchToken>{escape(untrusted_xml.text(begun, 'SearchToken'))}</SearchToken>"
        ask = f"{token}<MaxResults>{AT_ONCE}</MaxResults><WaitTime>PT5S</WaitTime>"
        operation = f"Get{what}SearchResults"
        found: dict[bytes, Node] = {}
        idle = 0
        while idle < IDLE and len(found) <= MOST:
            reply = await self.soap.call(SEARCH, operation, ask)
            before = len(found)
            for node in untrusted_xml.children(reply, "ResultList", item):
                found.setdefault(etree.tostring(node, method="c14n"), node)
            state = untrusted_xml.text(reply, "ResultList", "SearchState")
            if state == "Completed":
                return list(found.values())
            if state not in ("Queued", "Searching"):
                raise self.soap.misunderstood(operation, "does not say whether the search goes on")
            idle = 0 if len(found) > before else idle + 1
        with suppress(RecorderDown):
            await self.soap.call(SEARCH, "EndSearch", token)
        raise self.soap.client.down("busy", f"its search does not come to an end ({operation})")


def _oldest(recordings: list[Recording]) -> dict[str, datetime]:
    """By token, and by source, for either may be a camera's channel."""
    oldest: dict[str, datetime] = {}
    for one in recordings:
        for channel in (one.token, one.source):
            if channel and one.held is not None:
                oldest[channel] = min(one.held.start, oldest.get(channel, one.held.start))
    return oldest


def _shown(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())[:LONGEST_NAME]
