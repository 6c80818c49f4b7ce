"""What a gateway of GB/T 28181 does for us: lists recordings, and has a device send a stretch of one into a file."""

import hashlib
import json
import re
from collections.abc import Callable, Collection, Generator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx

from services.recorders.http_client import Answer, HttpClient, bound
from services.recorders.protocol import RecorderDown, WrongChannel
from services.runtime.addresses import Guard

TOKEN = re.compile(r"[\x21-\x7e]{1,4096}")
STREAM = re.compile(r"[\w.:@-]{1,200}", re.ASCII)


class Unknown(Exception):
    """The gateway does not know what was asked for: a download that has ended, or was never begun."""


@dataclass(frozen=True)
class Stretch:
    """What is asked for; times as the gateway writes them."""

    device: str
    channel: str
    start: str
    end: str


@dataclass(frozen=True)
class Progress:
    """``share`` is how far a download is by the gateway's own account, ``file`` where it lies once it has ended."""

    share: float
    file: str | None


class Gateway(Protocol):
    """Every method raises RecorderDown and WrongChannel."""

    client: "GatewayClient"
    make: str
    form: str  # of its times

    async def channels(self, device: str) -> list[tuple[str, str, str]]:
        """Device, channel and its name of what it has, of one device where one is named."""
        ...

    async def records(self, asked: Stretch) -> list[tuple[str, str]]:
        """Start and end of each recording, as it writes them."""
        ...

    async def begin(self, asked: Stretch, speed: int, zone: str) -> str:
        """Let the device send the stretch; return the name of the download."""
        ...

    async def progress(self, asked: Stretch, stream: str) -> Progress:
        """How far it is; raises Unknown."""
        ...

    async def end(self, asked: Stretch, stream: str) -> None:
        """Give the device's session back; raises Unknown."""
        ...


class LoginRefused(Exception):
    """The gateway does not accept user and password."""


@dataclass(frozen=True)
class Login:
    """How a gateway is logged in to: ``request`` of the address, ``token`` of an answer, and the header it goes in."""

    request: Callable[[str], httpx.Request]
    token: Callable[[httpx.Response], str | None]
    header: Callable[[str], tuple[str, str]]


def hashed(password: str) -> str:
    """Both gateways ask for the MD5 of a password in its place."""
    return hashlib.md5(password.encode()).hexdigest()  # noqa: S324 - what their descriptions ask for


class Token(httpx.Auth):
    """Logs in when a token is needed, and holds it in memory only."""

    def __init__(self, address: str, login: Login) -> None:
        self._address = address.rstrip("/")
        self._login = login
        self._token = ""

    def forget(self) -> None:
        self._token = ""

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        for fresh in (not self._token, True):
            if not self._token:
                login = self._login.request(self._address)
                login.extensions = dict(request.extensions)  # its time-outs are among them
                response = yield login
                if response.status_code >= 500:
                    return  # the answer of the login is the answer
                self._take(response)
            name, value = self._login.header(self._token)
            request.headers[name] = value
            response = yield request
            if response.status_code != 401 or fresh:
                return
            self.forget()

    def _take(self, response: httpx.Response) -> None:
        """Keep the token of an answer to a login; raises LoginRefused."""
        bound(response)
        token = self._login.token(response) if response.status_code == 200 else None
        if token is None or not TOKEN.fullmatch(token):
            raise LoginRefused
        self._token = token


class GatewayClient:
    """A gateway over HTTP. Every method raises what ``HttpClient``'s raise."""

    def __init__(self, address: str, guard: Guard, *, login: Login | None, identity: str = "", patience: float) -> None:
        self._token = Token(address, login) if login else None
        self._client = HttpClient(address, guard, identity=identity, auth=self._token, patience=patience)
        self.identity = self._client.identity

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        payload: Mapping[str, Any] | None = None,
        accept: Collection[int] = (200,),
    ) -> Answer:
        """The answer; a login page is answered by a new login, once."""
        headers = {"Accept": "application/json"} | ({} if payload is None else {"Content-Type": "application/json"})
        content = None if payload is None else json.dumps(payload).encode()
        for _ in range(2):
            try:
                answer = await self._client.request(
                    method, path, params=params, headers=headers, content=content, accept=accept
                )
            except LoginRefused as error:
                raise self.down("login", "it does not accept the user and password") from error
            if not (answer.status == 200 and answer.is_page):
                return answer
            self.forget_login()
        raise self.down("not-a-recorder", f"it answered {path} with a page for people, such as a login page")

    def forget_login(self) -> None:
        if self._token is not None:
            self._token.forget()

    def parsed(self, answer: Answer, path: str) -> Any:
        """Parse the JSON of an answer."""
        return self._client.parsed(answer, path)

    def down(self, code: str, cause: str, *, hangs: bool = False) -> RecorderDown:
        """The error to raise, as ``HttpClient.down``."""
        return self._client.down(code, cause, hangs=hangs)

    def no_channel(self, channel: str) -> WrongChannel:
        return WrongChannel(
            f"Gateway {self.identity} has no channel {channel[:100]!r}: set the camera's channel in the register to "
            "the number of the device and that of the channel, such as 34020000001180000001/34020000001320000001, then "
            "retry."
        )


def place_of(url: object) -> str | None:
    """Path and query of a file's address; None where it is none. Its host does not count (docs/recorders.md)."""
    if not isinstance(url, str) or not url.isprintable() or not 0 < len(url) <= 2000:
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if parts.scheme not in ("http", "https", "") or not parts.path.startswith("/"):
        return None
    return parts.path + (f"?{parts.query}" if parts.query else "")


def rows_in(client: GatewayClient, payload: Any, names: tuple[str, str, str, str]) -> list[tuple[str, str]]:
    """The recordings of a list; ``names`` of the list, of how many there are, of start and end."""
    listed, total, start, end = names
    rows = payload.get(listed) if isinstance(payload, dict) else None
    count = payload.get(total) if isinstance(payload, dict) else None
    if not isinstance(payload, dict) or not isinstance(rows, list | None) or not isinstance(count, int | None):
        raise client.down("not-a-recorder", "its list of recordings is none")
    rows = rows or []
    if (count or 0) > len(rows):
        # The device sends its list in several messages, and some of them were lost.
        raise client.down("busy", f"its list of recordings came incomplete: {len(rows)} of {count}")
    if not all(isinstance(row, dict) and all(isinstance(row.get(name), str) for name in (start, end)) for row in rows):
        raise client.down("not-a-recorder", "it lists a recording without times")
    return [(row[start], row[end]) for row in rows]


def share_of(told: object) -> float:
    """How far a download is, from 0 to 1; what is no number is 0."""
    return min(max(float(told), 0.0), 1.0) if isinstance(told, int | float) and not isinstance(told, bool) else 0.0


def short(text: object) -> str:
    """A short text of a gateway, fit for records."""
    return text[:100] if isinstance(text, str) and text[:100].isprintable() else ""
