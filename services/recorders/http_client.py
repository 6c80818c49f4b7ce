"""HTTP client for recorders: requests, streams, and a code for each kind of failure.

A status alone proves nothing: bodies are bounded, short ones are detected, and so are HTML pages in place of data.
No credentials, and no address with its query, reach the text of an error.
"""

import json
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Generator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, TypedDict, Unpack

import anyio
import httpx

from services.recorders.clock import Clock
from services.recorders.protocol import OutsideRoots, RecorderDown
from services.runtime.addresses import AddressRefused, Guard, guarded_client

LARGEST_ANSWER = 16 << 20  # bytes of a list; footage is streamed
PATIENCE = 30.0  # seconds without a byte
LONGEST_ANSWER = 10  # times ``PATIENCE`` for a whole list
LONGEST_HEAD = 3  # times ``PATIENCE`` for the head of an answer, another sign-in included
# A slower transfer hangs. It is judged each time that LONGEST_SLOW times ``PATIENCE`` were spent waiting for it: a
# recorder that answers a probe and then sends a byte now and then held its job for half a day of short segments.
LEAST_RATE = 1024  # bytes a second
LONGEST_SLOW = 3
RESUMES = 3  # times that a broken transfer is resumed where the recorder supports ranges
PAGE = (b"<!doctype html", b"<html")
HEAD_BYTES = 64  # bytes by which footage is distinguished from HTML and XML
BUSY = (429, 500, 502, 503, 504)


class BrokenOff(RecorderDown):
    """The recorder stopped in the middle of an answer."""


@dataclass(frozen=True)
class Answer:
    """A whole answer; ``asked`` and ``answered`` are true times around it."""

    status: int
    headers: httpx.Headers
    body: bytes
    asked: datetime
    answered: datetime
    clock: Clock = field(default_factory=Clock)  # by its header Date

    @property
    def is_page(self) -> bool:
        """Whether it is a page for people, such as a login page."""
        return self.body.lstrip()[:20].lower().startswith(PAGE)

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


@dataclass(frozen=True)
class Body:
    """The head of an answer that is being streamed; ``size`` in bytes where it was declared."""

    status: int
    headers: httpx.Headers
    size: int | None
    chunks: AsyncGenerator[bytes, None]


Begin = Callable[[int], AbstractAsyncContextManager[Body | None]]


class Request(TypedDict, total=False):
    """Options of a request; ``accept`` are the statuses that are an answer, by default 200.

    ``query`` is sent as it is, escaped already, for recorders that do not take what ``params`` makes of it.
    """

    query: str
    params: Mapping[str, str | int] | None
    headers: Mapping[str, str] | None
    content: bytes | None
    form: Mapping[str, str] | None
    accept: Collection[int]


class _Bounded(httpx.AsyncByteStream):
    """The body of an answer, with the size limit of a list."""

    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        came = 0
        async for chunk in self._stream:
            came += len(chunk)
            if came > LARGEST_ANSWER:
                raise httpx.ReadError("the answer is too large")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


def bound(response: httpx.Response) -> None:
    """Bound an answer that httpx reads whole by itself, as it does with each that is followed by another sign-in."""
    if isinstance(response.stream, httpx.AsyncByteStream):
        response.headers.pop("content-encoding", None)  # what is small may be large once it is unpacked
        response.stream = _Bounded(response.stream)


async def _bound_challenge(response: httpx.Response) -> None:
    if response.status_code == 401:
        bound(response)


def continues_at(body: Body, came: int, total: int | None) -> bool:
    """Return whether it continues at byte ``came``, in a file of the same size."""
    content_range = body.headers.get("content-range", "")
    return content_range.startswith(f"bytes {came}-") and (total is None or content_range.endswith(("/*", f"/{total}")))


class HttpClient:
    """The HTTP side of one recorder. Every method raises RecorderDown, whose ``code`` decides the advice of a form:

    unreachable, silent, tls, login, forbidden, busy, not-a-recorder, too-large (an answer that is read whole), and
    broken-off (BrokenOff). OutsideRoots where the settings allow no recorder.
    """

    def __init__(
        self,
        address: str,
        guard: Guard,
        *,
        identity: str = "",
        auth: httpx.Auth | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self.identity = identity or address
        self._address = address.rstrip("/")
        self._guard = guard
        self._auth = _Authenticator(auth) if auth is not None else None
        self._patience = patience

    async def request(self, method: str, path: str, **request: Unpack[Request]) -> Answer:
        """Send a request and read the whole answer; ``path`` begins with / and is escaped already."""
        asked, pieces = datetime.now(UTC), bytearray()
        try:
            with anyio.fail_after(LONGEST_ANSWER * self._patience):
                async with self.stream(method, path, **request) as body:
                    answered = datetime.now(UTC)
                    async for chunk in body.chunks:
                        pieces += chunk
                        if len(pieces) > LARGEST_ANSWER:
                            cause = f"its answer to {path} is larger than {LARGEST_ANSWER >> 20} MiB"
                            raise self.down("too-large", cause)
        except TimeoutError as error:
            cause = f"its answer to {path} did not end within {LONGEST_ANSWER * self._patience:g} s"
            raise self.down("silent", cause) from error
        clock = _dated(body.headers.get("date"), asked, answered)
        return Answer(body.status, body.headers, bytes(pieces), asked, answered, clock)

    def parsed(self, answer: Answer, path: str) -> Any:
        """Parse the JSON of an answer; ``path`` is for the error's text only."""
        if answer.is_page:
            raise self.down("not-a-recorder", f"it answered {path} with a page for people")
        try:
            return json.loads(answer.body)
        except (ValueError, RecursionError) as error:
            raise self.down("not-a-recorder", f"its answer to {path} is no JSON") from error

    @asynccontextmanager
    async def _answered(
        self, client: httpx.AsyncClient, method: str, path: str, query: str, arguments: Mapping[str, Any]
    ) -> AsyncIterator[httpx.Response]:
        """Send a request; yield the answer once its head is there, which may not come byte by byte for ever."""
        async with AsyncExitStack() as stack:
            answer = client.stream(method, self._address + path + query, auth=self._auth, **arguments)
            try:
                with anyio.fail_after(LONGEST_HEAD * self._patience):
                    response = await stack.enter_async_context(answer)
            except TimeoutError as error:
                cause = f"the head of its answer to {path} did not end within {LONGEST_HEAD * self._patience:g} s"
                raise self.down("silent", cause) from error
            yield response

    @asynccontextmanager
    async def stream(self, method: str, path: str, **request: Unpack[Request]) -> AsyncIterator[Body]:
        """Stream an answer; raises BrokenOff from its chunks where fewer bytes come than declared."""
        with self._errors_named(path):
            async with guarded_client(self._guard, timeout=self._patience) as client:
                client.event_hooks = {"response": [_bound_challenge]}
                arguments: dict[str, Any] = {
                    {"form": "data"}.get(name, name): value
                    for name, value in request.items()
                    if name not in ("accept", "query") and value is not None
                }
                query = f"?{request['query']}" if request.get("query") else ""
                async with self._answered(client, method, path, query, arguments) as response:
                    if response.status_code not in request.get("accept", (200,)):
                        raise self._refusal(response, path)
                    size = response.headers.get("content-length", "")
                    known = int(size) if size.isdecimal() and "content-encoding" not in response.headers else None
                    chunks = self._chunks(response, path)
                    async with aclosing(chunks):
                        yield Body(response.status_code, response.headers, known, chunks)

    async def read(
        self,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        ranges: bool = False,
        absent: Collection[int] = (),
    ) -> AsyncIterator[bytes]:
        """Yield the bytes of a GET; with ``ranges`` resume a broken transfer RESUMES times.

        ``absent`` are the statuses for a listed file that does not exist: it yields no bytes and raises nothing.
        """

        @asynccontextmanager
        async def begin(came: int) -> AsyncIterator[Body | None]:
            asked = dict(headers or {}) | ({"Range": f"bytes={came}-"} if came else {})
            accept = (206,) if came else (200, *absent)
            async with self.stream("GET", path, params=params, headers=asked, accept=accept) as body:
                yield None if body.status in absent else body

        async with aclosing(self.resumed(path, begin, ranges=ranges)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def resumed(self, path: str, begin: Begin, *, ranges: bool = True) -> AsyncGenerator[bytes, None]:
        """Yield what ``begin`` opens from byte 0 on; with ``ranges`` resume RESUMES times where it broke off.

        One that hangs is resumed once. It yields None where there is nothing.
        """
        came, tries = 0, 0
        total: int | None = None
        while True:
            try:
                async with begin(came) as body:
                    if body is None:
                        return
                    if came and not continues_at(body, came, total):
                        raise self.down(
                            "not-a-recorder", f"it was asked for {path} from byte {came} and sent another part"
                        )
                    total = total if came else body.size
                    async for chunk in body.chunks:
                        came += len(chunk)
                        yield chunk
            except BrokenOff as error:
                tries += RESUMES if error.hangs else 1
                if not ranges or not came or tries > RESUMES:
                    raise
            else:
                return

    def down(self, code: str, cause: str, *, hangs: bool = False) -> RecorderDown:
        """Build the error; ``cause`` completes its sentence and holds nothing secret."""
        kind = BrokenOff if code == "broken-off" else RecorderDown
        return kind(f"Recorder {self.identity} did not give what it was asked for: {cause}.", code, hangs=hangs)

    async def _chunks(self, response: httpx.Response, path: str) -> AsyncGenerator[bytes, None]:
        with self._errors_named(path, began=True):
            since, waited, came = time.monotonic(), 0.0, 0
            # As they come: chunks made to a size would be lost with a transfer that breaks off.
            async for chunk in response.aiter_bytes():
                came, waited = came + len(chunk), waited + time.monotonic() - since
                if waited > LONGEST_SLOW * self._patience:
                    if came < LEAST_RATE * waited:
                        raise self.down("broken-off", f"{path} comes too slowly to ever end", hangs=True)
                    waited, came = 0.0, 0
                yield chunk
                since = time.monotonic()  # the reader's own time is not the recorder's

    @contextmanager
    def _errors_named(self, path: str, *, began: bool = False) -> Iterator[None]:
        try:
            yield
        except AddressRefused as error:
            raise OutsideRoots(f"Recorder {self.identity} is where the settings let none be: {error}") from error
        except httpx.TimeoutException as error:
            what = f"nothing came for {self._patience:g} s from {path}"
            raise self.down("broken-off" if began else "silent", what, hangs=True) from error
        except httpx.ConnectError as error:
            if isinstance(error.__context__, ssl.SSLError) or "CERTIFICATE" in str(error).upper():
                raise self.down("tls", "its certificate is not trusted; give its authority to the system") from error
            raise self.down("unreachable", "no connection can be made to its address") from error
        except httpx.ReadError as error:
            raise self.down("broken-off" if began else "unreachable", f"the connection broke at {path}") from error
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            cause = f"it broke off or does not keep to HTTP at {path}"
            raise self.down("broken-off" if began else "not-a-recorder", cause) from error

    def _refusal(self, response: httpx.Response, path: str) -> RecorderDown:
        status = response.status_code
        if status == 401:
            return self.down("login", "it does not accept the user and password")
        if status == 403:
            return self.down("forbidden", f"the user has no right to {path}")
        if status in BUSY:
            return self.down("busy", f"it answered {status} to {path}")
        if response.is_redirect:
            return self.down("not-a-recorder", f"it sends whoever asks for {path} elsewhere")
        return self.down("not-a-recorder", f"it answered {status} to {path}")


async def head_of(chunks: AsyncIterator[bytes]) -> bytes:
    """Read enough of a body to distinguish a page from footage."""
    head = b""
    async for chunk in chunks:
        head += chunk
        if len(head) >= HEAD_BYTES:
            break
    return head


class _Authenticator(httpx.Auth):
    """Delegates to another authenticator; raises an HTTP error for a challenge that it cannot parse."""

    def __init__(self, other: httpx.Auth) -> None:
        self._other = other

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        try:
            yield from self._other.auth_flow(request)
        except (LookupError, ValueError, NotImplementedError) as error:
            raise httpx.RemoteProtocolError("a challenge that cannot be answered", request=request) from error


def _dated(text: str | None, asked: datetime, answered: datetime) -> Clock:
    try:
        shown = parsedate_to_datetime(text or "")
    except ValueError:
        return Clock()
    if shown.tzinfo is None:
        return Clock()
    return Clock.of(shown, asked, answered, resolution=timedelta(seconds=1), method="http-date")
