"""The file of an upload on its way in, piece by piece: as the request's whole body, or as the file of a form.

Nothing of it is written down here. Its length is counted, whatever the headers say, and what they say besides of its
type or name is not looked at.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from services.runtime.errors import Refused

Check = Callable[[Mapping[str, str]], None]

IDLE_SECONDS = 120.0
# What a form may hold beside the file: its boundaries, headers and small fields.
BESIDE = 64 << 10
PART = 64  # what a part costs of that, though nothing be in it


async def file_of(
    request: Request, *, largest: int, announced: int | None, check: Check | None = None
) -> AsyncIterator[bytes]:
    """The file's bytes. ``largest`` is the limit in bytes, ``announced`` what the person said it has.

    ``check`` is asked with the form's fields before the first byte of the file is given out; of an empty file as well.

    Refused where it is longer than that, shorter or longer than was announced or than Content-Length says, where
    nothing comes for a while, and where the body is no form although it says so.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    parser = None
    if kind == b"multipart/form-data":
        parser = _FilePart(options.get(b"boundary", b""))
    told = _told_length(request)
    if told is not None and told > largest + (BESIDE if parser else 0):
        raise too_long(largest)
    taken = length = 0
    async for chunk in _pieces(request):
        taken += len(chunk)
        if taken > largest + (BESIDE if parser else 0):
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
    if (told is not None and taken != told) or (announced is not None and length != announced):
        raise cut_short()


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    stream = aiter(request.stream())
    while True:
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                chunk = await anext(stream)
        except StopAsyncIteration:
            return
        except (ClientDisconnect, TimeoutError) as error:
            raise cut_short() from error
        if chunk:
            yield chunk


def _told_length(request: Request) -> int | None:
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Refused(
            "upload-encoded",
            "Send the file as it is, without an encoding.",
            status=422,
        )
    told = request.headers.get("content-length")
    if told is None:
        return None
    if not (told.isascii() and told.isdigit()) or len(told) > 18:
        raise cut_short()
    return int(told)


@dataclass
class _FilePart:
    """Takes the first part of a form that has a file name; holds nothing but what the last chunk gave."""

    boundary: bytes
    whole: bool = False
    fields: dict[str, str] = field(default_factory=dict)  # that came before the file
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
                    "on_header_field": self._take_header,
                    "on_header_value": self._take_value,
                    "on_header_end": self._header_end,
                    "on_part_data": self._data,
                    "on_part_end": self._part_end,
                    "on_end": self._end,
                },
            )
        except (FormParserError, ValueError) as error:
            raise no_form() from error

    def feed(self, chunk: bytes) -> list[bytes]:
        """What of the chunk is the file's."""
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

    def _take_header(self, data: bytes, start: int, end: int) -> None:
        self._spend(end - start)
        self._header += data[start:end]

    def _take_value(self, data: bytes, start: int, end: int) -> None:
        self._spend(end - start)
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition" and not self._done:
            told = parse_options_header(self._value)[1]
            self._inside = b"filename" in told
            self._name = told.get(b"name", b"").decode("utf-8", "replace")
        self._header = self._value = b""

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._inside:
            self._pieces.append(data[start:end])
            return
        self._spend(end - start)
        self._text += data[start:end]

    def _spend(self, count: int) -> None:
        """Count what is kept beside the file: names and headers as well as fields, or a form of headers alone would
        fill the memory."""
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
    """The file is longer than the organisation allows."""
    return Refused(
        "upload-too-large",
        "The file is larger than the {largest} MiB allowed: upload the part that is needed.",
        status=413,
        field="file",
        largest=largest >> 20,
    )


def cut_short() -> Refused:
    """Less or more came than was said, or nothing came any more."""
    return Refused(
        "upload-cut",
        "The file did not arrive whole and nothing of it was kept: upload it again.",
        status=422,
        field="file",
    )


def no_form() -> Refused:
    """The body says that it is a form, and is none, or has no file."""
    return Refused(
        "upload-no-form",
        "The request is no proper upload form: reload the page and try again.",
        status=422,
        field="file",
    )
