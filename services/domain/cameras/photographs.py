"""A photograph that a person brings: told by its content, bounded before it is decoded, and made anew as a small JPEG.

What is kept is what was decoded and nothing else: no EXIF, no place where it was taken, no file hidden behind it.
"""

import struct

from starlette.requests import Request

from services.runtime.confined import answer_of
from services.runtime.errors import Refused
from services.runtime.translations import Message, Text
from services.vault.uploaded_file import HEAD, KIND_NAMES, kind_of
from services.web import upload_body
from services.web.upload_body import Check

MAX_BYTES = 8 << 20
MAX_PIXELS = 40_000_000  # as the largest cameras of phones take them; 320 MB at most while one is decoded
MIN_WIDTH, MIN_HEIGHT = 160, 90
TIMEOUT = 30.0

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # the JPEG markers that tell a size
_BARE = frozenset({0x01, *range(0xD0, 0xD8)})  # markers without a length
_ELSE = {
    "image": Message("a picture of another kind"),
    None: Message("an HEIC picture or a video"),
}


async def read_photograph(request: Request, check: Check | None = None) -> bytes:
    """The photograph in the request's body, or in its form, as JPEG of at most 640 by 360. Refused with a sentence.

    ``check`` is asked with the form's fields before the photograph is looked at.
    """
    try:
        pieces = [piece async for piece in upload_body.file_of(request, largest=MAX_BYTES, announced=None, check=check)]
    except Refused as refusal:
        if refusal.code != "upload-too-large":
            raise
        raise _refused(
            "picture-too-large",
            Message(
                "The picture is larger than the {largest} MiB allowed and was not kept: make it smaller first.",
                largest=MAX_BYTES >> 20,
            ),
            status=413,
        ) from refusal
    return await make_thumbnail(b"".join(pieces))


async def make_thumbnail(content: bytes) -> bytes:
    """The photograph as a JPEG of at most 640 by 360. Refused where it is none, too large, too small or damaged."""
    if content.startswith(_PNG):
        content = _without_metadata(content)
        codec, size = "png", _png_size(content)
    elif content.startswith(_JPEG):
        codec, size = "mjpeg", _jpeg_size(content)
    else:
        raise _wrong_kind(content)
    if size is None:
        raise _damaged()
    width, height = size
    if not (width >= MIN_WIDTH and height >= MIN_HEIGHT and width * height <= MAX_PIXELS):
        raise _refused(
            "picture-size",
            Message(
                "A picture has at least {least_width}×{least_height} and at most {millions} million pixels, "
                "and this one has {width}×{height}: nothing was kept, choose another one.",
                least_width=MIN_WIDTH,
                least_height=MIN_HEIGHT,
                millions=MAX_PIXELS // 1_000_000,
                width=width,
                height=height,
            ),
        )
    return await _decoded(content, codec)


async def _decoded(content: bytes, codec: str) -> bytes:
    output = await answer_of(
        "services.domain.cameras.photograph_process", codec, str(MAX_PIXELS), given=content, seconds=TIMEOUT
    )
    if not output:
        raise _damaged()
    return output


def _without_metadata(content: bytes) -> bytes:
    """The picture's own chunks: the others may hold gigabytes of text and profiles in a few bytes."""
    kept, at = [content[: len(_PNG)]], len(_PNG)
    while at + 12 <= len(content):
        end = at + 12 + struct.unpack_from(">I", content, at)[0]
        if content[at + 4 : at + 8] in _CHUNKS:
            kept.append(content[at:end])
        at = end
    return b"".join(kept)


def _png_size(content: bytes) -> tuple[int, int] | None:
    """Width and height as the header says, which is the first chunk of every PNG."""
    if len(content) < 24 or content[12:16] != b"IHDR":
        return None
    width, height = struct.unpack_from(">II", content, 16)
    return width, height


def _jpeg_size(content: bytes) -> tuple[int, int] | None:
    """Width and height as the first frame's header says; None where the bytes lead to none."""
    at = 2
    while at + 9 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if marker in _FRAMES:
            height, width = struct.unpack_from(">HH", content, at + 5)
            return width, height
        if marker == 0xFF:  # padding
            at += 1
        else:
            at += 2 if marker in _BARE else 2 + struct.unpack_from(">H", content, at + 2)[0]
    return None


def _wrong_kind(content: bytes) -> Refused:
    kind = kind_of(content[:HEAD])
    message = _ELSE[kind] if kind in _ELSE else KIND_NAMES[str(kind)]
    return _refused(
        "picture-kind",
        Message(
            "A picture is JPEG or PNG, and this file is {what}: nothing was kept, choose another one.", what=message
        ),
    )


def _damaged() -> Refused:
    return _refused(
        "picture-damaged",
        Message("The picture is damaged and cannot be shown; it was not kept: check it and bring it again."),
    )


def _refused(code: str, message: Text, *, status: int = 422) -> Refused:
    return Refused(code, message, status=status, field="file")
