"""Receive a file that a person uploads: it is clipped whole and sealed, as a recorder's footage is (R8, R9).

Only its bytes are trusted. It goes through the same confined process, and is encrypted to the vault before it reaches
the store. People or the file say when it was recorded: until then its first picture is at ``ORIGIN``, and ``moved_to``
moves it to its time.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from services.runtime.boxes import BoxError, BoxWalk, read_movie
from services.runtime.media_kinds import CONTAINERS, HEAD, kind_of
from services.runtime.spans import Span, gaps
from services.runtime.translations import Message
from services.vault.clip.client import Limits, OwnSegment
from services.vault.coverage import Coverage
from services.vault.sealing import TOLERANCE_MS, Sealed, seal
from services.vault.store.protocol import Store, Target
from services.vault.verdict import FootageSource, share_of

ORIGIN = datetime(2000, 1, 1, tzinfo=UTC)
# Where a file's pictures may lie, around ORIGIN: wider than any file, so that nothing of it is left out. An export of
# several days has gaps, and some files count their times from 1970 or 1904. 64 bits of nanoseconds reach further.
BEFORE, LONGEST = timedelta(hours=48), timedelta(days=73_000)
# A plain MP4 whose index comes last is held in memory by the confined process; twice this and its code fit its address
# space.
LIMITS = Limits(window=256 << 20)
# What a file is that is no MP4 or MOV, in both languages.
KIND_NAMES = {
    "empty": Message("empty"),
    "zip": Message("a ZIP archive or an Office document"),
    "archive": Message("an archive"),
    "pdf": Message("a PDF document"),
    "image": Message("an image"),
    "matroska": Message("an MKV or WebM video"),
    "avi": Message("an AVI video"),
    "dav": Message("a DAV recording of Dahua"),
    "elementary": Message("a raw video stream without time stamps"),
    "flv": Message("an FLV video"),
    "wmv": Message("a WMV video"),
    "mpeg-ps": Message("an MPEG program stream"),
    "mpeg-ts": Message("an MPEG transport stream"),
    "m2ts": Message("an MPEG transport stream in packets of 192 bytes"),
    "ogg": Message("an OGG file"),
    "sound": Message("an audio file"),
    "program": Message("a program"),
    "html": Message("an HTML page"),
    "svg": Message("an SVG drawing"),
    "text": Message("text"),
    "unknown": Message("of an unknown type"),
}


class NotFootage(Exception):
    """The file is no recording that the clip copies; ``kind`` says what it is instead: one of ``KINDS``."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"the file is no footage: it is {kind}")
        self.kind = kind


@dataclass(frozen=True)
class UploadedFile:
    """``sealed`` begins at ORIGIN; ``sha256`` and ``size`` are the file's; ``created`` is what it says itself."""

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
) -> UploadedFile:
    """Seal the file that ``chunks`` carry; ``name`` stands for it in records, not the name that people typed.

    Raises NotFootage, FootageMissing, FootageUnreadable, UnsupportedFootage, ClipFailed, the store's errors, and
    whatever ``chunks`` raise; then nothing is stored.
    """
    reader = _IndexReader(chunks)
    kind = kind_of(await reader.head())
    if kind is not None and kind not in CONTAINERS:
        raise NotFootage(kind)
    file = OwnSegment(name, name, Span(ORIGIN, ORIGIN + LONGEST), None, CONTAINERS[kind], reader.stream)
    sealed = await seal(
        FootageSource(_one(file), Span(ORIGIN - BEFORE, ORIGIN + LONGEST), name, whole=True),
        Target(store, bucket, key, metadata={"upload": name}, legal_hold=True),
        recipients=recipients,
        limits=limits,
    )
    [source] = sealed.coverage.sources
    return UploadedFile(moved_to(_whole(sealed), ORIGIN), source.sha256, source.size, reader.created)


def moved_to(sealed: Sealed, start: datetime) -> Sealed:
    """Return the same object with its first picture at ``start``: the object itself holds no times."""
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


def _whole(sealed: Sealed) -> Sealed:
    """Take the covered span as the asked one, so that only holes inside it are gaps."""
    coverage: Coverage = sealed.coverage
    asked = Span(coverage.covered[0].start, coverage.covered[-1].end)
    enough = coverage.pictures is None or coverage.pictures.enough
    holes = gaps(asked, coverage.covered, tolerance=timedelta(milliseconds=TOLERANCE_MS))
    return replace(
        sealed,
        outcome="partial" if holes or coverage.problems or not enough else "complete",
        coverage=replace(
            coverage,
            asked=asked,
            gaps=tuple(holes),
            lost=(),
            share=share_of(asked, coverage.covered, coverage.pictures),
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


class _IndexReader:
    """Passes the file's chunks on, and reads an MP4's index on the way."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self.created: datetime | None = None
        self._chunks = chunks
        self._head = b""
        self._walk = BoxWalk()

    async def head(self) -> bytes:
        """Return the file's first bytes, by which its kind is recognised."""
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
