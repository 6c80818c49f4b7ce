"""What an uploaded file is, by its content: JPEG and PNG are written anew, a PDF is checked; all else is refused.

The file's name says nothing. What parses it is a confined process, which can only read and write its pipes.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from services.domain.cameras import photographs
from services.runtime.confined import answer_of
from services.runtime.errors import Refused
from services.runtime.media_kinds import HEAD, kind_of
from services.runtime.translations import Message, Text
from services.vault.uploaded_file import KIND_NAMES

MAX_PIXELS = photographs.MAX_PIXELS
MOST_PAGES = 500
SECONDS = 60.0
LARGEST_IMAGE = 48 << 20  # bytes of an image that was written anew
MEDIA_TYPES = {"mjpeg": "image/jpeg", "png": "image/png"}
PDF, PDF_HEAD, PDF_END = "application/pdf", b"%PDF-", b"%%EOF"
# Where an unpacker looks for the end of a ZIP: its last record and the longest comment behind it.
ZIP_END, ZIP_TAIL = b"PK\x05\x06", 22 + 65535

# What is wrong with a PDF, as ``pdf_process`` answers it.
PDF_REFUSALS: Mapping[str, Text] = {
    "script": Message("The PDF contains a script. Print it to a new PDF and add that."),
    "embedded": Message("The PDF contains other files or media. Print it to a new PDF and add that, or add the files."),
    "launch": Message("The PDF opens programs, files or forms by itself. Print it to a new PDF and add that."),
    "encrypted": Message("The PDF is protected by a password. Remove the protection and add it again."),
    "bomb": Message("The PDF unpacks to far more than it should. Print it to a new PDF and add that."),
    "pages": Message(
        "The PDF has more than {most} pages. Divide it and add the parts that are needed.", most=MOST_PAGES
    ),
    "damaged": Message("The PDF is damaged and cannot be read. Open it, save it as a new PDF and add that."),
    "more": Message("The PDF is another file at the same time. Print it to a new PDF and add that."),
}
OTHER_KINDS: Mapping[str | None, Text] = {
    "image": Message("an image in another format"),
    None: Message("an HEIC image or a video"),
}


@dataclass(frozen=True)
class Examined:
    """What is kept of a file, and its media type by content."""

    content: bytes
    media_type: str


async def examine(content: bytes) -> Examined:
    """Return what is kept of the file; Refused with what is wrong and what to do."""
    if not content:
        raise _refused("attachment-empty", Message("The file is empty. Check it and add it again."))
    if content.startswith(PDF_HEAD):
        return await _examine_pdf(content)
    header = photographs.read_header(content)
    if header is None:
        raise _wrong_kind(content)
    if header.size is None:
        raise _damaged_image()
    width, height = header.size
    if not 0 < width * height <= MAX_PIXELS:
        raise _refused(
            "attachment-pixels",
            Message(
                "The image has {width}×{height} pixels, and at most {millions} million are allowed. Make it smaller "
                "and add it again.",
                width=width,
                height=height,
                millions=MAX_PIXELS // 1_000_000,
            ),
        )
    written = await answer_of(
        *("services.domain.attachments.image_process", header.codec, str(MAX_PIXELS)),
        given=header.content,
        seconds=SECONDS,
        largest=LARGEST_IMAGE,
    )
    if not written:
        raise _damaged_image()
    return Examined(written, MEDIA_TYPES[header.codec])


async def _examine_pdf(content: bytes) -> Examined:
    if not content.rstrip(b"\0\t\n\f\r ").endswith(PDF_END):
        whole = PDF_END in content[-4096:]
        raise _wrong_pdf("more" if whole else "damaged")
    if ZIP_END in content[-ZIP_TAIL:]:
        raise _wrong_pdf("more")
    answered = await answer_of(
        *("services.domain.attachments.pdf_process", str(MOST_PAGES)), given=content, seconds=SECONDS, largest=4096
    )
    fault = str(json.loads(answered)["fault"]) if answered else "damaged"
    if fault:
        raise _wrong_pdf(fault)
    return Examined(content, PDF)


def _wrong_kind(content: bytes) -> Refused:
    kind = kind_of(content[:HEAD])
    what = OTHER_KINDS[kind] if kind in OTHER_KINDS else KIND_NAMES[str(kind)]
    return _refused(
        "attachment-kind",
        Message("The file is {what}, and only JPEG, PNG and PDF can be added. Save it as one of these.", what=what),
    )


def _wrong_pdf(fault: str) -> Refused:
    return _refused(f"attachment-pdf-{fault}", PDF_REFUSALS[fault])


def _damaged_image() -> Refused:
    return _refused(
        "attachment-damaged",
        Message("The image is damaged and cannot be shown. Open it, save it as a new image and add that."),
    )


def _refused(code: str, reason: Text) -> Refused:
    return Refused(code, Message("Not saved: {reason}", reason=reason), status=422, field="file")
