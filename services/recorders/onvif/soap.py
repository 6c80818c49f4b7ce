"""Calls to an ONVIF device: SOAP 1.2 with a UsernameToken or HTTP Digest, and a name for each answer that is none.

Every call goes to the host that was configured: of the addresses that a device states for its services the path counts,
so that no device can have a user and a password sent to another host.
"""

import base64
import hashlib
import re
import secrets
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from services.recorders import untrusted_xml
from services.recorders.clock import Clock
from services.recorders.http_client import Answer, HttpClient
from services.recorders.protocol import RecorderDown
from services.recorders.untrusted_xml import Node

DEVICE = "http://www.onvif.org/ver10/device/wsdl"
SEARCH = "http://www.onvif.org/ver10/search/wsdl"
REPLAY = "http://www.onvif.org/ver10/replay/wsdl"
DEVICE_PATH = "/onvif/device_service"
_SECURITY = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
_ENVELOPE = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:tt="http://www.onvif.org/ver10/schema"'
    ' xmlns:wsnt="http://docs.oasis-open.org/wsn/b-2" xmlns:tns1="http://www.onvif.org/ver10/topics" xmlns="{service}">'
    "<s:Header>{token}</s:Header><s:Body><{operation}>{body}</{operation}></s:Body></s:Envelope>"
)
_TOKEN = (
    f'<wsse:Security s:mustUnderstand="1" xmlns:wsse="{_SECURITY}wssecurity-secext-1.0.xsd"'
    f' xmlns:wsu="{_SECURITY}wssecurity-utility-1.0.xsd"><wsse:UsernameToken><wsse:Username>{{user}}</wsse:Username>'
    f'<wsse:Password Type="{_SECURITY}username-token-profile-1.0#PasswordDigest">{{digest}}</wsse:Password>'
    f'<wsse:Nonce EncodingType="{_SECURITY}soap-message-security-1.0#Base64Binary">{{nonce}}</wsse:Nonce>'
    "<wsu:Created>{created}</wsu:Created></wsse:UsernameToken></wsse:Security>"
)
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9]{0,60}", re.ASCII)


class Soap:
    """The services of one device. Every method raises RecorderDown, as ``HttpClient`` does."""

    def __init__(self, client: HttpClient, path: str, user: str, password: str) -> None:
        self.client = client
        self._paths = {DEVICE: path or DEVICE_PATH}
        self._user = user
        self._password = password
        self._clock: Clock | None = None
        self._complete = False  # whether the device was asked for its services

    async def clock(self) -> Clock:
        """The device's clock by its own account, else by the header Date; requested once, for tokens use it too."""
        if self._clock is None:
            try:
                reply, answer = await self._call(DEVICE, "GetSystemDateAndTime", "", signed=False)
            except RecorderDown as error:
                if error.code not in ("login", "forbidden") or not self._user:
                    raise
                reply, answer = await self._call(DEVICE, "GetSystemDateAndTime", "", signed=True)
            self._clock = _clock(reply, answer)
        return self._clock

    async def call(self, service: str, operation: str, body: str = "") -> Node:
        """The reply to an operation of the service with that namespace; ``body`` is XML of that namespace."""
        await self.clock()
        if service not in self._paths and not self._complete:
            reply, _ = await self._call(DEVICE, "GetServices", "<IncludeCapability>false</IncludeCapability>")
            for entry in untrusted_xml.children(reply, "Service"):
                path = _path(untrusted_xml.text(entry, "XAddr"))
                if path:
                    self._paths.setdefault(untrusted_xml.text(entry, "Namespace"), path)
            self._complete = True
        if service not in self._paths:
            cause = f"it has no {service.split('/')[-2]} service, which ONVIF Profile G asks for"
            raise self.client.down("not-a-recorder", cause)
        reply, _ = await self._call(service, operation, body)
        return reply

    def misunderstood(self, operation: str, why: str) -> RecorderDown:
        """The error for a reply that cannot be; ``why`` completes "its answer to …"."""
        return self.client.down("not-a-recorder", f"its answer to {operation} {why}")

    async def _call(self, service: str, operation: str, body: str, *, signed: bool = True) -> tuple[Node, Answer]:
        token = self._token() if signed and self._user else ""
        content = _ENVELOPE.format(service=service, operation=operation, body=body, token=token)
        answer = await self.client.request(
            "POST",
            self._paths[service],
            headers={"Content-Type": f'application/soap+xml; charset=utf-8; action="{service}/{operation}"'},
            content=content.encode(),
            accept=(200, 400, 500),
        )
        if answer.is_page:
            raise self.misunderstood(operation, "is a page for people")
        try:
            root = untrusted_xml.read(answer.body)
        except ValueError as error:
            raise self.misunderstood(operation, f"cannot be read: {error}") from error
        if untrusted_xml.name(root) != "Envelope":
            raise self.misunderstood(operation, "is no SOAP message")
        for fault in untrusted_xml.children(root, "Body", "Fault"):
            raise self._fault(operation, fault)
        for reply in untrusted_xml.children(root, "Body", f"{operation}Response"):
            return reply, answer
        raise self.misunderstood(operation, "answers something else")

    def _fault(self, operation: str, fault: Node) -> RecorderDown:
        """By the fault's codes alone: its reason is text that may repeat the request."""
        codes = [
            untrusted_xml.text(fault, "Code", *("Subcode",) * depth, "Value").rpartition(":")[2]
            for depth in range(1, 4)
        ]
        words = [code for code in codes if _WORD.fullmatch(code)]
        if "NotAuthorized" in words or "FailedAuthentication" in words:
            return self.client.down("login", "it does not accept the user and password")
        if "ResourceProblem" in words or "TooManySearches" in words:
            return self.client.down("busy", f"it has no room for {operation} now")
        return self.misunderstood(operation, f"is the fault {'/'.join(words) or 'without a code'}")

    def _token(self) -> str:
        """The digest of the UsernameToken profile; ``Created`` is a time of the device, which refuses any other."""
        offset = self._clock.offset_ms if self._clock is not None else None
        created = f"{datetime.now(UTC) + timedelta(milliseconds=offset or 0):%Y-%m-%dT%H:%M:%SZ}"
        nonce = secrets.token_bytes(16)
        # SHA-1 is what the profile asks for; over a network that others read, give the recorder an https address.
        digest = hashlib.sha1(nonce + created.encode() + self._password.encode(), usedforsecurity=False).digest()
        values = {"digest": digest, "nonce": nonce}
        coded = {name: base64.b64encode(value).decode() for name, value in values.items()}
        return _TOKEN.format(user=escape(self._user), created=created, **coded)


def _path(address: str) -> str:
    """Path and query of a service's address; empty where they cannot be used."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return path if path.startswith("/") and path.isascii() and path.isprintable() and len(path) <= 500 else ""


def _clock(reply: Node, answer: Answer) -> Clock:
    date, time = (("SystemDateAndTime", "UTCDateTime", part) for part in ("Date", "Time"))
    try:
        year, month, day = (int(untrusted_xml.text(reply, *date, part)) for part in ("Year", "Month", "Day"))
        hour, minute, second = (int(untrusted_xml.text(reply, *time, part)) for part in ("Hour", "Minute", "Second"))
        shown = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
    except ValueError:
        return answer.clock
    return Clock.of(shown, answer.asked, answer.answered, resolution=timedelta(seconds=1), method="api-time")
