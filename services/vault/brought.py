"""A file that a person brings: clipped whole and sealed on its way in, as a recorder's footage is (R8, R9).

Nothing of it is believed but its bytes. It goes through the same confined process, and is encrypted to the vault before
it reaches the store. When it was recorded is said by people or by the file: until then its first picture stands at
``ORIGIN``, and ``placed`` moves it to its moment.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from services.runtime.boxes import BoxError, BoxWalk, read_movie
from services.runtime.spans import Span, covered_share, gaps
from services.runtime.translations import Message
from services.vault.clip.client import Limits, OwnSegment
from services.vault.clip.source import FIRST_BOXES
from services.vault.coverage import Coverage
from services.vault.sealing import TOLERANCE_MS, Sealed, seal
from services.vault.store.protocol import Store

ORIGIN = datetime(2000, 1, 1, tzinfo=UTC)
LONGEST = timedelta(hours=48)
# A plain MP4 whose index comes last is held in memory by the confined process; twice this and its code fit its address
# space.
LIMITS = Limits(window=256 << 20)
HEAD = 512

# What files begin with, and what they then are; ISO boxes are told from their own list.
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
    (0, b"OggS", "ogg"),
    (0, b"ID3", "sound"),
    (8, b"WAVE", "sound"),
    (0, b"MZ", "program"),
    (0, b"\x7fELF", "program"),
)


# What the clip copies, by what the file begins with; None is what begins with a box.
_CONTAINERS = {None: "mp4", "matroska": "mkv", "mpeg-ts": "ts", "mpeg-ps": "ps"}


# What a file is that is no MP4 or MOV, in both languages.
KIND_NAMES = {
    "empty": Message("empty"),
    "zip": Message("a ZIP archive or an Office document"),
    "archive": Message("an archive"),
    "pdf": Message("a PDF document"),
    "image": Message("a picture"),
    "matroska": Message("an MKV or WebM video"),
    "avi": Message("an AVI video"),
    "flv": Message("an FLV video"),
    "wmv": Message("a WMV video"),
    "mpeg-ps": Message("an MPEG program stream"),
    "mpeg-ts": Message("an MPEG transport stream"),
    "ogg": Message("an OGG file"),
    "sound": Message("a sound file"),
    "program": Message("a program"),
    "html": Message("an HTML page"),
    "svg": Message("an SVG drawing"),
    "text": Message("text"),
    "unknown": Message("of an unknown kind"),
}


class NotFootage(Exception):
    """The file is no recording that the clip copies; ``kind`` says what it is instead: one of ``KINDS``."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"the file is no footage: it is {kind}")
        self.kind = kind


KINDS = (*dict.fromkeys(kind for _, _, kind in _BEGINNINGS), "empty", "html", "svg", "mpeg-ts", "text", "unknown")


@dataclass(frozen=True)
class Brought:
    """``sealed`` stands at ORIGIN; ``sha256`` and ``size`` are of the file as it came; ``created`` is its own word."""

    sealed: Sealed
    sha256: str
    size: int
    created: datetime | None

    @property
    def duration(self) -> timedelta:
        return self.sealed.coverage.asked.duration


async def receive(
    chunks: AsyncIterator[bytes],
    *,
    name: str,
    recipients: Sequence[str],
    store: Store,
    bucket: str,
    key: str,
    limits: Limits = LIMITS,
) -> Brought:
    """Seal the file that ``chunks`` bring; ``name`` stands for it in records, and is not the one that people gave.

    Raises NotFootage, FootageMissing, FootageUnreadable, UnsupportedFootage, ClipFailed, the store's errors, and
    whatever ``chunks`` raise; then nothing is stored.
    """
    watched = _Watched(chunks)
    kind = what_it_is(await watched.begin())
    if kind is not None and kind not in _CONTAINERS:
        raise NotFootage(kind)
    file = OwnSegment(name, name, Span(ORIGIN, ORIGIN + LONGEST), None, _CONTAINERS[kind], watched.stream)
    sealed = await seal(
        _one(file),
        Span(ORIGIN - LONGEST, ORIGIN + LONGEST),
        channel=name,
        promised=(),
        recipients=recipients,
        store=store,
        bucket=bucket,
        key=key,
        metadata={"upload": name},
        legal_hold=True,
        limits=limits,
    )
    [source] = sealed.coverage.sources
    return Brought(placed(_whole(sealed), ORIGIN), source.sha256, source.size, watched.created)


def placed(sealed: Sealed, start: datetime) -> Sealed:
    """The same with its first picture at ``start``; nothing of the object changes, it bears no moments."""
    by = start - sealed.coverage.asked.start
    coverage = sealed.coverage

    def moved(span: Span) -> Span:
        return Span(span.start + by, span.end + by)

    return replace(
        sealed,
        coverage=replace(
            coverage,
            asked=moved(coverage.asked),
            requested=moved(coverage.requested or coverage.asked),
            covered=tuple(map(moved, coverage.covered)),
            gaps=tuple(map(moved, coverage.gaps)),
            lost=tuple(map(moved, coverage.lost)),
            sources=tuple(replace(one, span=moved(one.span)) for one in coverage.sources),
            parts=tuple(replace(one, span=moved(one.span)) for one in coverage.parts),
            first_frame=coverage.first_frame + by,
            last_frame=coverage.last_frame + by,
            zero=coverage.zero + by,
        ),
    )


def what_it_is(head: bytes) -> str | None:
    """What a file is that begins so, where it is no MP4; None where it may be one."""
    if not head:
        return "empty"
    if head[4:8] in FIRST_BOXES:
        return None
    known = next((kind for place, mark, kind in _BEGINNINGS if head[place : place + len(mark)] == mark), None)
    if known is not None:
        return known
    if head[0] == 0x47 and (len(head) <= 188 or head[188] == 0x47):
        return "mpeg-ts"
    return _text(head)


def _text(head: bytes) -> str:
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<script")):
        return "html"
    if b"<svg" in text:
        return "svg"
    return "text" if all(byte in b"\t\r\n" or byte >= 0x20 for byte in head) else "unknown"


def _whole(sealed: Sealed) -> Sealed:
    """What was asked for was everything: the asked span is what there is, and only holes inside it are gaps."""
    coverage: Coverage = sealed.coverage
    asked = Span(coverage.covered[0].start, coverage.covered[-1].end)
    holes = gaps(asked, coverage.covered, tolerance=timedelta(milliseconds=TOLERANCE_MS))
    return replace(
        sealed,
        outcome="partial" if holes or coverage.problems else "complete",
        coverage=replace(
            coverage,
            asked=asked,
            gaps=tuple(holes),
            lost=(),
            share=round(covered_share(asked, coverage.covered), 6),
            lead_in_ms=0,
            tail_ms=0,
            requested=asked,
            trimmed_before_ms=0,
            trimmed_after_ms=0,
            sources=tuple(replace(one, span=asked) for one in coverage.sources),
        ),
    )


async def _one(file: OwnSegment) -> AsyncIterator[OwnSegment]:
    yield file


class _Watched:
    """Passes the file on, and reads an MP4's index on the way."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self.created: datetime | None = None
        self._chunks = chunks
        self._head = b""
        self._walk = BoxWalk()

    async def begin(self) -> bytes:
        """The file's first bytes, from which it is told what it is."""
        async for chunk in self._chunks:
            self._head += chunk
            if len(self._head) >= HEAD:
                break
        return self._head[:HEAD]

    async def stream(self) -> AsyncIterator[bytes]:
        head, self._head = self._head, b""
        self._read(head)
        yield head
        async for chunk in self._chunks:
            self._read(chunk)
            yield chunk

    def _read(self, chunk: bytes) -> None:
        self._walk.feed(chunk)
        for kind, _, _, contents in self._walk.found:
            if kind == "moov" and contents is not None and self.created is None:
                try:
                    self.created = read_movie(contents).created
                except BoxError:
                    self.created = None  # the confined process says what is wrong with it
        self._walk.found.clear()
