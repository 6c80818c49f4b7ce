"""What a file is, by its first bytes: what it is called says nothing."""

HEAD = 512  # bytes that are looked at
TS_PACKET, M2TS_PACKET = 188, 192  # bytes; the longer one begins with four bytes of time
FIRST_BOXES = frozenset({b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"free", b"skip", b"wide", b"sidx"})

# Magic numbers and what they mean; ISO boxes have a list of their own.
_BEGINNINGS = (
    (0, b"PK\x03\x04", "zip"),
    (0, b"Rar!", "archive"),
    (0, b"7z\xbc\xaf", "archive"),
    (0, b"\x1f\x8b", "archive"),
    (0, b"%PDF", "pdf"),
    (0, b"\x89PNG", "image"),
    (0, b"\xff\xd8\xff", "image"),
    (0, b"GIF8", "image"),
    (8, b"WEBP", "image"),
    (0, b"\x1aE\xdf\xa3", "matroska"),
    (8, b"AVI ", "avi"),
    (0, b"FLV\x01", "flv"),
    (0, b"\x30\x26\xb2\x75", "wmv"),
    (0, b"\x00\x00\x01\xba", "mpeg-ps"),
    (0, b"IMKH", "mpeg-ps"),  # as Hikvision's recorders export it
    (0, b"DHAV", "dav"),  # as Dahua's recorders export it
    (0, b"DAHUA", "dav"),
    (0, b"OggS", "ogg"),
    (0, b"ID3", "sound"),
    (8, b"WAVE", "sound"),
    (0, b"MZ", "program"),
    (0, b"\x7fELF", "program"),
    (0, b"\0\0\0\1", "elementary"),
    (0, b"\0\0\1", "elementary"),
)

# What is read, as its container; None is what begins with a box.
CONTAINERS = {None: "mp4", "matroska": "mkv", "mpeg-ts": "ts", "mpeg-ps": "ps", "dav": "dav"}

# Footage that is not read in a folder, as it is called in a finding.
UNREAD = {
    "avi": "an AVI video",
    "dav": "a DAV recording of Dahua",
    "elementary": "a bare stream of pictures without times",
    "flv": "an FLV video",
    "m2ts": f"an MPEG transport stream in packets of {M2TS_PACKET} bytes",
    "ogg": "an OGG file",
    "wmv": "a WMV video",
}

KINDS = tuple(
    dict.fromkeys([kind for *_, kind in _BEGINNINGS] + ["empty", "html", "svg", "mpeg-ts", "m2ts", "text", "unknown"])
)


def kind_of(head: bytes) -> str | None:
    """Return the kind of a file that begins so, one of KINDS; None where it may be an MP4 or MOV."""
    if not head:
        return "empty"
    if head[4:8] in FIRST_BOXES:
        return None
    known = next((kind for place, mark, kind in _BEGINNINGS if head[place : place + len(mark)] == mark), None)
    if known is not None:
        return known
    if head[:1] == head[TS_PACKET : TS_PACKET + 1] == b"G":
        return "mpeg-ts"
    if head[4:5] == head[M2TS_PACKET + 4 : M2TS_PACKET + 5] == b"G":
        return "m2ts"
    return _text(head)


def _text(head: bytes) -> str:
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<script")):
        return "html"
    if b"<svg" in text:
        return "svg"
    return "text" if all(byte in b"\t\r\n" or byte >= 0x20 for byte in head) else "unknown"
