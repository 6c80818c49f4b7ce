"""Turn an uploaded photograph into a small JPEG.

The format comes from the content, and sizes are checked before anything is decoded. Only decoded pixels are stored: no
EXIF data, no location, no data behind the picture.
"""

import struct
from dataclasses import dataclass

from starlette.requests import Request

from services.runtime.confined import answer_of
from services.runtime.errors import Refused
from services.runtime.media_kinds import HEAD, kind_of
from services.runtime.translations import Message, Text
from services.vault.uploaded_file import KIND_NAMES
from services.web import upload_body
from services.web.upload_body import Check

MAX_BYTES = 8 << 20
MAX_PIXELS = 40_000_000  # the largest phone cameras; 320 MB at most while one is decoded
MOST_PARTS = 20_000  # of a file that are looked at here, where others wait meanwhile
MIN_WIDTH, MIN_HEIGHT = 160, 90
TIMEOUT = 30.0

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # JPEG start-of-frame markers, which hold the size
_MARKERS_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})
_OTHER_KINDS = {
    "image": Message("an image in another format"),
    None: Message("an HEIC image or a video"),
}


@dataclass(frozen=True)
class Form:
    """What an uploaded picture is made into: a JPEG within these sides in pixels, of at most ``largest`` bytes.

    ``quantizer``: from 2, the finest, to 31, the coarsest.
    """

    width: int
    height: int
    quantizer: int
    largest: int


REFERENCE = Form(640, 360, 3, 1 << 20)
PLAN = Form(2400, 2400, 2, 6 << 20)  # the lettering of a large floor can be read


@dataclass(frozen=True)
class Picture:
    """A JPEG that was made here, with its width and height in pixels."""

    jpeg: bytes
    width: int
    height: int


@dataclass(frozen=True)
class Header:
    """What the first bytes of a JPEG or PNG say: its decoder, and width and height in pixels, None where damaged.

    ``content`` is what is decoded: of a PNG the picture chunks alone.
    """

    codec: str
    content: bytes
    size: tuple[int, int] | None


def read_header(content: bytes) -> Header | None:
    """Return the header of a JPEG or PNG; None for anything else."""
    if content.startswith(_PNG):
        content = _without_metadata(content)
        return Header("png", content, _png_size(content))
    return Header("mjpeg", content, _jpeg_size(content)) if content.startswith(_JPEG) else None


async def read_photograph(request: Request, check: Check | None = None) -> bytes:
    """Return the uploaded photograph as JPEG of at most 640 by 360.

    ``check`` gets the form's fields before the photograph is read. Raises Refused.
    """
    return await make_thumbnail(await _read(request, check))


async def read_plan(request: Request, check: Check | None = None) -> Picture:
    """Return the uploaded plan of a floor as JPEG. As ``read_photograph``."""
    content = await _read(request, check)
    jpeg = await _normalise(content, PLAN)
    header = read_header(jpeg)
    if header is None or header.size is None:
        raise _damaged()
    return Picture(jpeg, *header.size)


async def _read(request: Request, check: Check | None) -> bytes:
    try:
        chunks = [chunk async for chunk in upload_body.file_of(request, largest=MAX_BYTES, announced=None, check=check)]
    except Refused as refusal:
        if refusal.code != "upload-too-large":
            raise
        raise _refused(
            "picture-too-large",
            Message(
                "Not saved: the image is larger than {largest} MiB. Make it smaller first.",
                largest=MAX_BYTES >> 20,
            ),
            status=413,
        ) from refusal
    return b"".join(chunks)


async def make_thumbnail(content: bytes) -> bytes:
    """Return the photograph as JPEG of at most 640 by 360.

    Refused for other formats, and for pictures that are too large, too small or damaged.
    """
    return await _normalise(content, REFERENCE)


async def _normalise(content: bytes, form: Form) -> bytes:
    header = read_header(content)
    if header is None:
        raise _wrong_kind(content)
    if header.size is None:
        raise _damaged()
    width, height = header.size
    if not (width >= MIN_WIDTH and height >= MIN_HEIGHT and width * height <= MAX_PIXELS):
        raise _refused(
            "picture-size",
            Message(
                "Not saved: an image must have at least {least_width}×{least_height} and at most {millions} "
                "million pixels, and this one has {width}×{height}. Choose another one.",
                least_width=MIN_WIDTH,
                least_height=MIN_HEIGHT,
                millions=MAX_PIXELS // 1_000_000,
                width=width,
                height=height,
            ),
        )
    return await _decode(header.content, header.codec, form)


async def _decode(content: bytes, codec: str, form: Form) -> bytes:
    output = await answer_of(
        *("services.domain.cameras.photograph_process", codec, str(MAX_PIXELS)),
        *(str(form.width), str(form.height), str(form.quantizer)),
        given=content,
        seconds=TIMEOUT,
        largest=form.largest,
    )
    if not output:
        raise _damaged()
    return output


def _without_metadata(content: bytes) -> bytes:
    """Return the PNG with its picture chunks alone, of its first ``MOST_PARTS``.

    Text and profile chunks may expand from a few bytes to gigabytes.
    """
    chunks, offset = [content[: len(_PNG)]], len(_PNG)
    for _ in range(MOST_PARTS):
        if offset + 12 > len(content):
            break
        end = offset + 12 + struct.unpack_from(">I", content, offset)[0]
        if content[offset + 4 : offset + 8] in _CHUNKS:
            chunks.append(content[offset:end])
        offset = end
    return b"".join(chunks)


def _png_size(content: bytes) -> tuple[int, int] | None:
    """Return width and height of the header chunk."""
    if len(content) < 24 or content[12:16] != b"IHDR":
        return None
    width, height = struct.unpack_from(">II", content, 16)
    return width, height


def _jpeg_size(content: bytes) -> tuple[int, int] | None:
    """Return width and height of the first frame header, or None where none is among the first ``MOST_PARTS``."""
    offset = 2
    for _ in range(MOST_PARTS):
        if offset + 9 > len(content) or content[offset] != 0xFF:
            break
        marker = content[offset + 1]
        if marker in _FRAME_MARKERS:
            height, width = struct.unpack_from(">HH", content, offset + 5)
            return width, height
        if marker == 0xFF:  # padding
            offset += 1
        else:
            offset += 2 if marker in _MARKERS_WITHOUT_LENGTH else 2 + struct.unpack_from(">H", content, offset + 2)[0]
    return None


def _wrong_kind(content: bytes) -> Refused:
    kind = kind_of(content[:HEAD])
    message = _OTHER_KINDS[kind] if kind in _OTHER_KINDS else KIND_NAMES[str(kind)]
    return _refused(
        "picture-kind",
        Message("Not saved: an image must be JPEG or PNG, and this file is {what}. Choose another one.", what=message),
    )


def _damaged() -> Refused:
    return _refused(
        "picture-damaged",
        Message("Not saved: the image is damaged and cannot be shown. Check it and upload it again."),
    )


def _refused(code: str, message: Text, *, status: int = 422) -> Refused:
    return Refused(code, message, status=status, field="file")
