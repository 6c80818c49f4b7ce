"""Stream an uploaded file, as the request's whole body or as the file of a form.

Nothing is stored here. The length is counted, whatever the headers say; the file's type is ignored, and its name is
given to ``check`` alone.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from services.runtime.errors import Refused

Check = Callable[[Mapping[str, str]], None]

IDLE_SECONDS = 120.0
# Who sends more slowly is cut off, or a byte now and then would keep a place of the process for days. It is judged each
# time that RATE_SECONDS were spent waiting: a line may fall silent for a while, and a fast start pays for no slow end.
LEAST_RATE = 4 << 10  # bytes a second
RATE_SECONDS = 300.0
# What a form may hold beside the file: its boundaries, headers and small fields.
BESIDE = 64 << 10
PART = 64  # counted for each part, even an empty one
FILE_NAME = "file.name"


async def file_of(
    request: Request,
    *,
    largest: int,
    announced: int | None,
    check: Check | None = None,
    seconds: Callable[[], float] = time.monotonic,
) -> AsyncIterator[bytes]:
    """Yield the file's bytes.

    ``largest`` is the limit and ``announced`` the size that the person named, both in bytes. ``check`` is called with
    the form's fields before the first byte of the file, and for an empty file as well; ``FILE_NAME`` among them is the
    name that the browser gave the file. ``seconds`` is the clock by which the sender is judged.

    Raises Refused if the file is longer than ``largest``, if its length differs from ``announced`` or from
    Content-Length, if nothing arrives for ``IDLE_SECONDS`` or less than ``LEAST_RATE``, and if the body is not the form
    that it claims to be.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    parser = None
    if kind == b"multipart/form-data":
        parser = _FilePart(options.get(b"boundary", b""))
    content_length = _content_length(request)
    if content_length is not None and content_length > largest + (BESIDE if parser else 0):
        raise too_long(largest)
    received = length = 0
    async for chunk in _pieces(request, seconds):
        received += len(chunk)
        if received > largest + (BESIDE if parser else 0):
            raise too_long(largest)
        for piece in parser.feed(chunk) if parser else (chunk,):
            if parser is not None and check is not None and not length:
                check(parser.fields)
            length += len(piece)
            yield piece
    if parser is not None and not parser.whole:
        raise cut_short()
    if parser is not None and check is not None and not length:
        check(parser.fields)  # an empty file is a file as well
    if length > largest:
        raise too_long(largest)
    if (content_length is not None and received != content_length) or (announced is not None and length != announced):
        raise cut_short()


async def _pieces(request: Request, seconds: Callable[[], float]) -> AsyncIterator[bytes]:
    stream = aiter(request.stream())
    waited, came = 0.0, 0
    while True:
        since = seconds()  # what the reader does between two pieces is not the sender's time
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                chunk = await anext(stream)
        except StopAsyncIteration:
            return
        except (ClientDisconnect, TimeoutError) as error:
            raise cut_short() from error
        waited, came = waited + seconds() - since, came + len(chunk)
        if waited > RATE_SECONDS:
            if came < LEAST_RATE * waited:
                raise cut_short()
            waited, came = 0.0, 0
        if chunk:
            yield chunk


def _content_length(request: Request) -> int | None:
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Refused(
            "upload-encoded",
            "Send the file as it is, without an encoding.",
            status=422,
        )
    length = request.headers.get("content-length")
    if length is None:
        return None
    if not (length.isascii() and length.isdigit()) or len(length) > 18:
        raise cut_short()
    return int(length)


@dataclass
class _FilePart:
    """Extract the first part of a form that has a file name; buffers the last chunk only."""

    boundary: bytes
    whole: bool = False
    fields: dict[str, str] = field(default_factory=dict)  # those before the file
    _pieces: list[bytes] = field(default_factory=list)
    _header: bytes = b""
    _value: bytes = b""
    _inside: bool = False
    _done: bool = False
    _beside: int = 0
    _name: str = ""
    _text: bytes = b""

    def __post_init__(self) -> None:
        try:
            self._parser = MultipartParser(
                self.boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": self._on_header_name,
                    "on_header_value": self._on_header_value,
                    "on_header_end": self._header_end,
                    "on_part_data": self._data,
                    "on_part_end": self._part_end,
                    "on_end": self._end,
                },
            )
        except (FormParserError, ValueError) as error:
            raise no_form() from error

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the pieces of the chunk that belong to the file."""
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise no_form() from error
        pieces, self._pieces = self._pieces, []
        return pieces

    def _begin(self) -> None:
        self._spend(PART)
        self._header = self._value = self._text = b""
        self._name = ""

    def _on_header_name(self, data: bytes, start: int, end: int) -> None:
        self._spend(end - start)
        self._header += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._spend(end - start)
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition" and not self._done:
            options = parse_options_header(self._value)[1]
            self._inside = b"filename" in options
            self._name = options.get(b"name", b"").decode("utf-8", "replace")
            if self._inside:
                self.fields[FILE_NAME] = options[b"filename"].decode("utf-8", "replace")
        self._header = self._value = b""

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._inside:
            self._pieces.append(data[start:end])
            return
        self._spend(end - start)
        self._text += data[start:end]

    def _spend(self, count: int) -> None:
        """Count what is buffered beside the file: fields, names and headers, so that none can fill the memory."""
        self._beside += count
        if self._beside > BESIDE:
            raise no_form()

    def _part_end(self) -> None:
        if not self._inside and not self._done:
            self.fields[self._name] = self._text.decode("utf-8", "replace")
        self._done = self._done or self._inside
        self._inside = False

    def _end(self) -> None:
        self.whole = self._done


def too_long(largest: int) -> Refused:
    """Return the refusal of a file that is longer than the organisation allows."""
    return Refused(
        "upload-too-large",
        "The file is larger than {largest} MiB: upload only the part that is needed.",
        status=413,
        field="file",
        largest=largest >> 20,
    )


def cut_short() -> Refused:
    """Return the refusal of a body that ended early or came too slowly, or whose length is wrong."""
    return Refused(
        "upload-cut",
        "The file was not received completely and nothing was saved: upload it again.",
        status=422,
        field="file",
    )


def no_form() -> Refused:
    """Return the refusal of a body that is not the form it claims to be, or that has no file."""
    return Refused(
        "upload-no-form",
        "The request is not a valid upload form: reload the page and try again.",
        status=422,
        field="file",
    )
