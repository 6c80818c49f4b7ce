"""Check a PDF (``python -m``: most pages): its pages, and that it does nothing but show them.

Its input comes from anybody, so the process may only read and write its pipes (``services.runtime.confine``). Every
object of the file is looked at, also one that no page names: readers repair a damaged table in ways of their own.
"""

import codecs
import io
import json
import logging
import re
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pypdf
import pypdf.filters  # pypdf imports these late, which a confined process cannot
import pypdf.generic._image_inline
import pypdf.xmp
from pypdf.errors import PyPdfError
from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject, StreamObject

from services.runtime.confine import Limits, confine

ENCODINGS = ("utf-8", "utf-16", "utf-16-be", "utf-16-le", "latin-1", "ascii", "cp1252", "charmap", "unicode_escape")
for encoding in ENCODINGS:
    codecs.lookup(encoding)  # nor can it look for these

MOST_OBJECTS = 500_000
MOST_OF_STREAM, MOST_OF_ALL = 256 << 20, 1 << 30  # bytes that streams unpack to
MOST_PIXELS = 200_000_000  # of an image on a page
PIECE = 1 << 20
DEEPEST = 50  # containers inside one object

KEYS = {
    "/JS": "script",
    "/JavaScript": "script",
    "/EF": "embedded",
    "/EmbeddedFiles": "embedded",
    "/RichMediaContent": "embedded",
    "/XFA": "script",
}
# Values of /S, /Subtype and /Type
NAMES = {
    "/JavaScript": "script",
    "/Rendition": "embedded",
    "/RichMedia": "embedded",
    "/RichMediaExecute": "embedded",
    "/FileAttachment": "embedded",
    "/EmbeddedFile": "embedded",
    "/Movie": "embedded",
    "/Sound": "embedded",
    "/Screen": "embedded",
    "/3D": "embedded",
    "/Launch": "launch",
    "/GoToR": "launch",
    "/GoToE": "launch",
    "/SubmitForm": "launch",
    "/ImportData": "launch",
}
# In the bytes themselves: also in an older version of an object, which the file's table no longer names.
RAW = {b"/JavaScript": "script", b"/Launch": "launch", b"/EmbeddedFile": "embedded", b"/RichMedia": "embedded"}
# How many times larger a filter's output can be than its input.
GROWTH = {"/LZWDecode": 2800, "/RunLengthDecode": 64}
# Filters that write bytes as text: programs put them around what is packed.
AS_TEXT: Mapping[str, Callable[[bytes], Any]] = {
    **dict.fromkeys(("/ASCIIHexDecode", "/AHx"), pypdf.filters.ASCIIHexDecode.decode),
    **dict.fromkeys(("/ASCII85Decode", "/A85"), pypdf.filters.ASCII85Decode.decode),
}
_ESCAPE = re.compile(rb"#([0-9A-Fa-f]{2})")


def fault_of(content: bytes, most_pages: int) -> str:
    """Return what is wrong with the PDF, empty for nothing. Raises what pypdf raises for a damaged one."""
    plain = _ESCAPE.sub(lambda match: bytes([int(match[1], 16)]), content)
    for name, fault in RAW.items():
        if name in plain:
            return fault
    reader = pypdf.PdfReader(io.BytesIO(content))
    if reader.is_encrypted:
        return "encrypted"
    left = MOST_OF_ALL
    for value in _objects(reader):
        if fault := _fault(value, 0):
            return fault
        if isinstance(value, StreamObject):
            left -= _unpacked(value)
            if left < 0:
                return "bomb"
    pages = len(reader.pages)
    if not pages:
        return "damaged"
    return "pages" if pages > most_pages else ""


def _objects(reader: pypdf.PdfReader) -> Iterator[Any]:
    yield reader.trailer
    places = {(number, generation) for generation, table in reader.xref.items() for number in table}
    places |= {(number, 0) for number in reader.xref_objStm}
    if len(places) > MOST_OBJECTS:
        raise PyPdfError("too many objects")
    for number, generation in sorted(places):
        yield reader.get_object(IndirectObject(number, generation, reader))


def _fault(value: Any, depth: int) -> str:
    """Look at an object and what lies directly in it; what it refers to is an object of its own."""
    if depth > DEEPEST:
        return "damaged"
    if isinstance(value, ArrayObject):
        return next((fault for one in value if (fault := _fault(one, depth + 1))), "")
    if not isinstance(value, DictionaryObject):
        return ""
    entries = list(dict.items(value))
    named = (KEYS.get(str(key)) or _named(str(key), inner) or _begun(str(key), inner) for key, inner in entries)
    inside = (_fault(inner, depth + 1) for _, inner in entries if not isinstance(inner, IndirectObject))
    return next((fault for fault in (*named, *inside) if fault), "") or _too_large(value)


def _named(key: str, value: Any) -> str:
    if key not in ("/S", "/Subtype", "/Type"):
        return ""
    return NAMES.get(str(_resolved(value)), "")


def _begun(key: str, value: Any) -> str:
    """Look at what is done without a click: it calls no address. Links, which people follow, are usual in letters."""
    if key not in ("/OpenAction", "/AA"):
        return ""
    given = _resolved(value)
    actions = given.values() if key == "/AA" and isinstance(given, DictionaryObject) else [given]
    return "launch" if any(_calls(action, 0) for action in actions) else ""


def _calls(action: Any, depth: int) -> bool:
    action = _resolved(action)
    if not isinstance(action, DictionaryObject):
        return False  # a place in the file itself
    following = _resolved(action.get("/Next"))
    more = following if isinstance(following, ArrayObject) else [following]
    called = str(_resolved(action.get("/S"))) == "/URI" or depth > DEEPEST
    return called or any(_calls(one, depth + 1) for one in more)


def _resolved(value: Any) -> Any:
    return value.get_object() if isinstance(value, IndirectObject) else value


def _too_large(value: DictionaryObject) -> str:
    width, height = (_resolved(value.get(side, 0)) for side in ("/Width", "/Height"))
    return "bomb" if isinstance(width, int) and isinstance(height, int) and width * height > MOST_PIXELS else ""


def _unpacked(stream: StreamObject) -> int:
    """Return how many bytes the stream unpacks to; more than allowed of one as if it were all."""
    named = _resolved(stream.get("/Filter", []))
    filters = [str(_resolved(one)) for one in (named if isinstance(named, ArrayObject) else [named])]
    rest, size = bytes(stream._data), len(stream._data)
    while filters and filters[0] in AS_TEXT:
        rest = bytes(AS_TEXT[filters.pop(0)](rest))
    if not filters or filters[0] not in ("/FlateDecode", "/Fl"):
        growth = max((GROWTH.get(one, 1) for one in filters), default=1)
        return size if size * growth <= MOST_OF_STREAM else MOST_OF_ALL + 1
    if any(one in ("/FlateDecode", "/Fl", *GROWTH) for one in filters[1:]):
        return MOST_OF_ALL + 1  # packed twice: no program that makes letters does that
    packed, size = zlib.decompressobj(), 0
    try:
        while rest and not packed.eof:
            size += len(packed.decompress(rest, PIECE))
            if size > MOST_OF_STREAM:
                return MOST_OF_ALL + 1
            rest = packed.unconsumed_tail
    except zlib.error:
        return size  # readers show what they could unpack
    return size


def main() -> int:
    """Write the fault as JSON, or nothing with exit status 1 for a file that is no PDF."""
    confine(Limits(cpu_seconds=50))
    logging.disable(logging.CRITICAL)
    sys.setrecursionlimit(3000)
    content, most_pages = sys.stdin.buffer.read(), int(sys.argv[1])
    try:
        fault = fault_of(content, most_pages)
    except (PyPdfError, ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError, MemoryError):
        # what pypdf makes of damage is any of these
        return 1
    sys.stdout.write(json.dumps({"fault": fault}))
    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
