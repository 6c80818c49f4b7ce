"""An ONVIF recorder (Profile G) on this machine: it answers as real ones were seen to, and as badly as it is told to.

Its envelopes are in the manner of gSOAP's devices: prefixes of their own, events of all tracks among one another, and
topics that nobody asked for.
"""

import asyncio
import base64
import hashlib
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from lxml import etree

from recorders.raw_server import listening

USER, PASSWORD = "archivist", "pa&ss<w0rd>"
NAMESPACES = (
    'xmlns:SOAP-ENV="http://www.w3.org/2003/05/soap-envelope" xmlns:tds="http://www.onvif.org/ver10/device/wsdl"'
    ' xmlns:trp="http://www.onvif.org/ver10/replay/wsdl" xmlns:tse="http://www.onvif.org/ver10/search/wsdl" xmlns:tse2="http://www.onvif.org/ver10/schema"'
    ' xmlns:tse3="http://docs.oasis-open.org/wsn/b-2" xmlns:tns1="http://www.onvif.org/ver10/topics"'
    ' xmlns:ter="http://www.onvif.org/ver10/error" xmlns:tev8="http://www.onvif.org/ver10/schema"'
)
Write = Callable[[datetime], str]


@dataclass(frozen=True)
class Told:
    """One change of a track, as FindEvents gives it."""

    recording: str
    track: str
    at: datetime
    present: bool
    virtual: bool = False


@dataclass
class Held:
    """One recording: a video track that has data in ``spans``, and an audio track that has it always."""

    token: str
    source: str
    spans: list[tuple[datetime, datetime]]
    status: str = "Stopped"


def utc(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class OnvifDevice:
    """``wrong`` is what it does wrong, in one word of its own; ``write`` how it spells times."""

    recordings: list[Held]
    wrong: str = ""
    offset: timedelta = timedelta()
    write: Write = utc
    starts: bool = True  # whether it tells the state at the start of a search
    events: bool = True  # whether it tells changes at all
    asked: list[str] = field(default_factory=list)
    searches: dict[str, list[str]] = field(default_factory=dict)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset

    def answer(self, head: str, body: bytes) -> tuple[str, str]:
        """Status and body for a request."""
        root = etree.fromstring(body)
        call = root.find("{*}Body")[0]
        operation = etree.QName(call).localname
        self.asked.append(operation)
        if operation != "GetSystemDateAndTime" and not self.signed(root):
            return "400 Bad Request", fault("Sender", "NotAuthorized", "Sender not Authorized")
        return "200 OK", envelope(operation, getattr(self, operation)(call))

    def signed(self, root: Any) -> bool:
        """Whether the token is right and of now, by this clock."""
        token = root.find(".//{*}UsernameToken")
        if token is None or token.findtext("{*}Username") != USER:
            return False
        nonce, created = base64.b64decode(token.findtext("{*}Nonce")), token.findtext("{*}Created")
        digest = hashlib.sha1(nonce + created.encode() + PASSWORD.encode()).digest()  # noqa: S324 - as ONVIF says
        late = abs(datetime.fromisoformat(created) - self.now())
        return token.findtext("{*}Password") == base64.b64encode(digest).decode() and late < timedelta(seconds=5)

    def GetSystemDateAndTime(self, _call: Any) -> str:
        now = self.now()
        time = f"<tse2:Hour>{now.hour}</tse2:Hour><tse2:Minute>{now.minute}</tse2:Minute><tse2:Second>{now.second}"
        date = f"<tse2:Year>{now.year}</tse2:Year><tse2:Month>{now.month}</tse2:Month><tse2:Day>{now.day}"
        return (
            "<tds:SystemDateAndTime><tse2:DateTimeType>NTP</tse2:DateTimeType><tse2:DaylightSavings>false"
            "</tse2:DaylightSavings><tse2:TimeZone><tse2:TZ>CST-8</tse2:TZ></tse2:TimeZone><tse2:UTCDateTime>"
            f"<tse2:Time>{time}</tse2:Second></tse2:Time><tse2:Date>{date}</tse2:Day></tse2:Date>"
            "</tse2:UTCDateTime></tds:SystemDateAndTime>"
        )

    def GetDeviceInformation(self, _call: Any) -> str:
        return (
            "<tds:Manufacturer>Example</tds:Manufacturer><tds:Model>NVR-16</tds:Model>"
            "<tds:FirmwareVersion>4.61.025</tds:FirmwareVersion><tds:SerialNumber>DS-0042</tds:SerialNumber>"
            "<tds:HardwareId>88</tds:HardwareId>"
        )

    def GetServices(self, _call: Any) -> str:
        host = "198.51.100.7" if self.wrong == "another host" else "127.0.0.1"
        names = ["recording", "replay"] + ([] if self.wrong == "no search" else ["search"])
        return "".join(
            f"<tds:Service><tds:Namespace>http://www.onvif.org/ver10/{name}/wsdl</tds:Namespace>"
            f"<tds:XAddr>http://{host}/onvif/{name}_service</tds:XAddr></tds:Service>"
            for name in names
        )

    def FindRecordings(self, _call: Any) -> str:
        return self.search([self.information(one) for one in self.recordings])

    def FindEvents(self, call: Any) -> str:
        topic = call.findtext("{*}SearchFilter/{*}TopicExpression")
        assert topic == "tns1:RecordingHistory/Track/State", topic
        start = self.asked_for(call.findtext("{*}StartPoint"))
        end = self.asked_for(call.findtext("{*}EndPoint"))
        [token] = [node.text for node in call.findall("{*}Scope/{*}IncludedRecordings")]
        chosen = (
            self.recordings
            if self.wrong == "other channels"
            else [one for one in self.recordings if one.token == token]
        )
        changes = [told for one in chosen for told in self.changes(one, start, end)] if self.events else []
        changes.sort(key=lambda told: told.at, reverse=self.wrong == "out of order")
        return self.search([self.result(told) for told in changes])

    def asked_for(self, text: str) -> datetime:
        """A time as the client wrote it; it has to be spelled as this recorder spells its own."""
        moment = datetime.fromisoformat(text)
        shift = datetime.fromisoformat(self.write(moment)[:19] + "+00:00") - moment.replace(microsecond=0)
        return moment - shift if text.endswith("Z") else moment

    def changes(self, one: Held, start: datetime, end: datetime) -> list[Told]:
        video, audio = f"{one.token}-video", f"{one.token}-audio"
        alone = self.wrong == "no tracks"
        found = [] if alone else [Told(one.token, audio, start, present=True, virtual=True)]
        if self.starts:
            state = any(begin <= start < until for begin, until in one.spans)
            found.append(Told(one.token, video, start, present=state, virtual=True))
        for begin, until in one.spans:
            running = one.status == "Recording" and until == one.spans[-1][1]
            found += [Told(one.token, video, begin, present=True)] if start < begin < end else []
            found += [Told(one.token, video, until, present=False)] if start < until < end and not running else []
        return found

    def information(self, one: Held) -> str:
        first, last = (self.write(one.spans[0][0]), self.write(one.spans[-1][1])) if one.spans else ("", "")
        whole = ""
        if self.wrong in ("bare tracks", "no tracks"):
            whole = f"<tse2:EarliestRecording>{first}</tse2:EarliestRecording><tse2:LatestRecording>{last}"
            whole, first, last = f"{whole}</tse2:LatestRecording>", "", ""
        tracks = "".join(
            f"<tse2:Track><tse2:TrackToken>{one.token}-{kind.lower()}</tse2:TrackToken><tse2:TrackType>{kind}"
            f"</tse2:TrackType><tse2:Description/><tse2:DataFrom>{first}</tse2:DataFrom><tse2:DataTo>{last}"
            "</tse2:DataTo></tse2:Track>"
            for kind in (() if self.wrong == "no tracks" else ("Video", "Audio"))
        )
        return (
            f"<tse2:RecordingInformation><tse2:RecordingToken>{one.token}</tse2:RecordingToken><tse2:Source>"
            f"<tse2:SourceId>{one.source}</tse2:SourceId><tse2:Name/><tse2:Location/><tse2:Description/>"
            f"<tse2:Address/></tse2:Source>{whole}<tse2:Content/>{tracks if one.spans else ''}"
            f"<tse2:RecordingStatus>{one.status}</tse2:RecordingStatus></tse2:RecordingInformation>"
        )

    def result(self, told: Told) -> str:
        time = self.write(told.at)
        return (
            f"<tse2:Result><tse2:RecordingToken>{told.recording}</tse2:RecordingToken><tse2:TrackToken>{told.track}"
            f"</tse2:TrackToken><tse2:Time>{time}</tse2:Time><tse2:Event><tse3:Topic "
            'Dialect="http://docs.oasis-open.org/wsn/t-1/TopicExpression/Concrete">'
            "tns1:RecordingHistory/Track/State</tse3:Topic><tse3:Message>"
            f'<tev8:Message PropertyOperation="Changed" UtcTime="{time}"><tev8:Source><tev8:SimpleItem '
            f'Value="{told.recording}" Name="RecordingToken"/><tev8:SimpleItem Value="{told.track}" Name="Track"/>'
            '</tev8:Source><tev8:Key/><tev8:Data><tev8:SimpleItem Name="IsDataPresent" '
            f'Value="{str(told.present).lower()}"/></tev8:Data></tev8:Message></tse3:Message></tse2:Event>'
            f"<tse2:StartStateEvent>{str(told.virtual).lower()}</tse2:StartStateEvent></tse2:Result>"
        )

    def search(self, results: list[str]) -> str:
        token = f"search-{len(self.searches)}"
        self.searches[token] = results
        return f"<tse:SearchToken>{token}</tse:SearchToken>"

    def GetRecordingSearchResults(self, call: Any) -> str:
        return self.results(call.findtext("{*}SearchToken"))

    def GetEventSearchResults(self, call: Any) -> str:
        return self.results(call.findtext("{*}SearchToken"))

    def results(self, token: str) -> str:
        """Two at a time; the last with Completed, unless it repeats itself or never ends."""
        left = self.searches[token]
        now, self.searches[token] = left[:2], left[2:]
        state = "Searching" if self.searches[token] or self.wrong in ("never ends", "repeats for ever") else "Completed"
        if self.wrong == "repeats for ever":
            self.searches[token] = left
        if self.wrong == "repeats":
            now += now
        if self.wrong == "no state":
            state = ""
        return f"<tse:ResultList><tse2:SearchState>{state}</tse2:SearchState>{''.join(now)}</tse:ResultList>"

    def GetReplayUri(self, call: Any) -> str:
        """With a query that is nobody's business; the host may be one that none may call."""
        host = "169.254.169.254" if self.wrong == "inside" else "127.0.0.1"
        return f"<trp:Uri>rtsp://{host}:8554/replay/{call.findtext('{*}RecordingToken')}?ticket=t0ken</trp:Uri>"

    def EndSearch(self, _call: Any) -> str:
        return f"<tse:Endpoint>{utc(self.now())}</tse:Endpoint>"


def envelope(operation: str, body: str) -> str:
    device = ("GetSystemDateAndTime", "GetServices", "GetDeviceInformation")
    prefix = "tds" if operation in device else "trp" if operation == "GetReplayUri" else "tse"
    name = f"{prefix}:{operation}Response"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\r\n<SOAP-ENV:Envelope {NAMESPACES}><SOAP-ENV:Body>'
        f"<{name}>{body}</{name}></SOAP-ENV:Body></SOAP-ENV:Envelope>"
    )


def fault(code: str, subcode: str, reason: str) -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><SOAP-ENV:Envelope {NAMESPACES}><SOAP-ENV:Body><SOAP-ENV:Fault>'
        f"<SOAP-ENV:Code><SOAP-ENV:Value>SOAP-ENV:{code}</SOAP-ENV:Value><SOAP-ENV:Subcode><SOAP-ENV:Value>"
        f"ter:{subcode}</SOAP-ENV:Value></SOAP-ENV:Subcode></SOAP-ENV:Code><SOAP-ENV:Reason>"
        f'<SOAP-ENV:Text xml:lang="en">{reason}</SOAP-ENV:Text></SOAP-ENV:Reason></SOAP-ENV:Fault>'
        "</SOAP-ENV:Body></SOAP-ENV:Envelope>"
    )


@asynccontextmanager
async def serving(device: OnvifDevice, *, instead: dict[str, bytes | None] | None = None) -> AsyncIterator[str]:
    """The device's address. ``instead`` gives whole HTTP answers by operation; None: it hangs."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, over: asyncio.Event) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = re.search(r"(?i)content-length: (\d+)", head)
        body = await reader.readexactly(int(length[1]) if length else 0)
        operation = etree.QName(etree.fromstring(body).find("{*}Body")[0]).localname
        if instead and operation in instead:
            device.asked.append(operation)
            given = instead[operation]
            if given is None:
                await over.wait()
            writer.write(given or b"")
        else:
            writer.write(says(*device.answer(head, body)))
        await writer.drain()

    async with listening(serve) as address:
        yield address


def says(status: str, body: str = "", *, headers: str = "", length: int | None = None) -> bytes:
    """A whole HTTP answer; ``length`` where it is not to be the true one."""
    told = len(body.encode()) if length is None else length
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/soap+xml\r\nContent-Length: {told}\r\n{headers}"
    return f"{head}Connection: close\r\n\r\n{body}".encode()
