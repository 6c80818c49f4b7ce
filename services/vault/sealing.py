"""Seal footage in one streaming pass: clip, SHA-256, age, SHA-256, object storage (docs/sealing.md; R36).

Nothing is written in clear and memory does not grow with the footage. After a failure or a cancellation no object and
no unfinished upload is left.
"""

import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any

from services.runtime import metrics
from services.runtime.errors import Fatal
from services.runtime.spans import Span
from services.runtime.threads import run_in_thread
from services.vault.age import Corrupt, Reader, Unwrapper
from services.vault.camera_signature import NOT_EXAMINED
from services.vault.clip.client import Clip, Limits, OwnSegment, SegmentLike
from services.vault.coverage import (
    LEAST_SHARE,
    Coverage,
    FootageMissing,
    FootageUnreadable,
    Fragment,
    OutcomeWord,
    fragments_from_json,
    fragments_to_json,
)
from services.vault.redaction.client import Redaction
from services.vault.store.protocol import Location, Store, StoreMissing, Target, reader_of
from services.vault.store.upload import Uploaded, upload
from services.vault.verdict import FootageSource, judge

TOLERANCE_MS = 50  # how inexact recorders' time stamps are; a longer hole is a gap
FASTEST_CAMERA = 32_000_000 // 8  # bytes a second, by which one knows how much may come of a span
READ = 1 << 20
REISSUE = "Report the problem to Security, and have the copy issued again."
Progress = Callable[[int, float], None]


class MasterDamaged(Fatal):
    """What the vault holds is not what was sealed."""

    runbook = "verification-failures"


@dataclass(frozen=True)
class Sealed:
    """An encrypted object in the store: hashes in hexadecimal, and what it holds. Fragments are of the plaintext.

    ``camera_signature``: whether the camera's own signature was seen in it (`camera_signature.py`).
    """

    bucket: str
    key: str
    version_id: str
    size: int
    plain_size: int
    sha256_plain: str
    sha256_cipher: str
    outcome: OutcomeWord
    coverage: Coverage
    fragments: tuple[Fragment, ...]
    camera_signature: str = NOT_EXAMINED

    @property
    def location(self) -> Location:
        return Location(self.bucket, self.key, self.version_id, self.size)

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "bucket": self.bucket,
            "key": self.key,
            "versionId": self.version_id,
            "size": self.size,
            "plainSize": self.plain_size,
            "sha256Plain": self.sha256_plain,
            "sha256Cipher": self.sha256_cipher,
            "outcome": self.outcome,
            "coverage": self.coverage.to_json(),
            "fragments": fragments_to_json(self.fragments),
            "cameraSignature": self.camera_signature,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Sealed":
        """Reverse ``to_json``."""
        return cls(
            bucket=data["bucket"],
            key=data["key"],
            version_id=data["versionId"],
            size=data["size"],
            plain_size=data["plainSize"],
            sha256_plain=data["sha256Plain"],
            sha256_cipher=data["sha256Cipher"],
            outcome=data["outcome"],
            coverage=Coverage.from_json(data["coverage"]),
            fragments=fragments_from_json(data["fragments"]),
            camera_signature=data.get("cameraSignature", NOT_EXAMINED),
        )


@dataclass(frozen=True)
class MasterSource:
    """A master in its store, with its record, its channel, and the key that opens it."""

    store: Store
    sealed: Sealed
    channel: str
    unwrapper: Unwrapper


async def seal(
    source: FootageSource,
    target: Target,
    *,
    recipients: Sequence[str],
    progress: Progress = lambda size, share: None,
    tolerance_ms: int = TOLERANCE_MS,
    limits: Limits | None = None,
) -> Sealed:
    """Clip the asked span out of the source and store it, encrypted to the recipients.

    ``progress`` gets bytes of plaintext and the share of the asked span (0 to 1). Raises FootageMissing,
    FootageUnreadable, WrongFootage, UnsupportedFootage, ClipFailed, the store's errors, and what the segments' streams
    raise; then nothing is stored.
    """
    clip = Clip(source.segments, source.asked, source.channel, limits=limits or Limits(), whole=source.whole)
    return await _seal_clip(
        clip, source, target, recipients=recipients, progress=progress, tolerance=timedelta(milliseconds=tolerance_ms)
    )


async def issue(
    source: MasterSource,
    granted: Span,
    target: Target,
    *,
    recipients: Sequence[str],
    progress: Progress = lambda size, share: None,
    tolerance_ms: int = TOLERANCE_MS,
    limits: Limits | None = None,
) -> Sealed:
    """Cut the granted span out of a master and store it as a copy, under a fresh file key.

    The master is read whole and its hash compared: raises MasterDamaged where it differs, was changed or is gone,
    NotARecipient where this key does not open it, and what ``seal`` raises; then nothing is stored.
    """
    master, coverage = _MasterReader(source, _no_copy), source.sealed.coverage
    least = coverage.pictures.least_share if coverage.pictures else LEAST_SHARE
    segments = FootageSource(master.parts(), granted, source.channel, coverage.covered, least_share=least)
    clip = Clip(segments.segments, granted, source.channel, limits=limits or Limits(), zero=lambda _: coverage.zero)

    def check_master() -> None:
        # A master of one part was hashed as a segment already.
        sha256 = master.sha256 if master.in_parts else clip.results[0].sha256
        master.compare(sha256)

    return await _seal_clip(
        clip,
        segments,
        target,
        recipients=recipients,
        progress=progress,
        tolerance=timedelta(milliseconds=tolerance_ms),
        check=check_master,
    )


async def derive(
    source: MasterSource,
    redaction: Redaction,
    target: Target,
    *,
    recipients: Sequence[str],
    tolerance_ms: int = TOLERANCE_MS,
    limits: Limits | None = None,
) -> Sealed:
    """Store a redacted copy of what ``source`` holds, whole, encrypted to the recipients.

    The pictures keep the recorder's times. The source is read whole and its hash compared: raises MasterDamaged where
    it differs, was changed or is gone, NotARecipient, what ``Redaction`` raises, and what ``seal`` raises; then nothing
    is stored.
    """
    master, coverage = _MasterReader(source, _no_redacted_copy, hashed=True), source.sealed.coverage
    whole = Span(coverage.first_frame, max([coverage.last_frame, *(span.end for span in coverage.covered)]))
    offset_ns = (coverage.zero - coverage.first_frame) // timedelta(microseconds=1) * 1000

    async def redacted() -> AsyncIterator[SegmentLike]:
        async for part in master.parts():
            yield replace(
                part,
                size=None,
                open=lambda given=part: redaction.redact(given.open(), offset_ns),  # type: ignore[misc]  # bound in the loop
            )

    least = coverage.pictures.least_share if coverage.pictures else LEAST_SHARE
    segments = FootageSource(redacted(), whole, source.channel, coverage.covered, least_share=least)
    clip = Clip(segments.segments, whole, source.channel, limits=limits or Limits(), zero=lambda _: coverage.zero)

    return await _seal_clip(
        clip,
        segments,
        target,
        recipients=recipients,
        progress=lambda size, share: None,
        tolerance=timedelta(milliseconds=tolerance_ms),
        check=lambda: master.compare(master.sha256),
    )


async def scan(source: MasterSource, look: Callable[[AsyncIterator[bytes], int], Awaitable[None]]) -> None:
    """Let ``look`` read each part of what ``source`` holds, with how long after the first picture its time 0 is.

    It is read whole and its hash compared: raises MasterDamaged where it differs, was changed or is gone,
    NotARecipient, and what ``look`` does.
    """
    master, coverage = _MasterReader(source, _not_looked_through, hashed=True), source.sealed.coverage
    offset_ns = (coverage.zero - coverage.first_frame) // timedelta(microseconds=1) * 1000
    async for part in master.parts():
        await look(part.open(), offset_ns)
    master.compare(master.sha256)


def _no_copy(key: str, fault: str) -> MasterDamaged:
    return MasterDamaged(
        f"No copy was made of {key}: {fault}. The daily verification makes a damaged master anew from its replica: "
        "retry after that."
    )


def _no_redacted_copy(key: str, fault: str) -> MasterDamaged:
    return MasterDamaged(f"No redacted copy was made of {key}: {fault}. {REISSUE}")


def _not_looked_through(key: str, fault: str) -> MasterDamaged:
    return MasterDamaged(f"{key} was not looked through: {fault}. {REISSUE}")


async def _seal_clip(
    clip: Clip,
    source: FootageSource,
    target: Target,
    *,
    recipients: Sequence[str],
    progress: Progress,
    tolerance: timedelta,
    check: Callable[[], None] = lambda: None,
) -> Sealed:
    if not source.whole:
        target = replace(target, expected=int(source.asked.duration.total_seconds() * FASTEST_CAMERA))

    async def conclude() -> tuple[OutcomeWord, Coverage]:
        await clip.conclude()
        check()
        if clip.report is None:
            raise RuntimeError("the clip ended without a report and without an error")
        return judge(clip.report, clip.results, source, tolerance=tolerance)

    started = time.perf_counter()
    with _failures_counted():
        async with clip:
            stored: Uploaded[tuple[OutcomeWord, Coverage]] = await upload(
                clip, conclude, target, recipients=recipients, on_bytes=_bytes_counted(clip, progress)
            )
    progress(stored.plain_size, 1.0)
    outcome, coverage = stored.verdict
    metrics.SEALINGS.labels(outcome).inc()
    metrics.SEALED_BYTES.inc(stored.plain_size)
    metrics.SEALING_DURATION.observe(time.perf_counter() - started)
    return Sealed(
        bucket=target.bucket,
        key=target.key,
        version_id=stored.version_id,
        size=stored.size,
        plain_size=stored.plain_size,
        sha256_plain=stored.sha256_plain,
        sha256_cipher=stored.sha256_cipher,
        outcome=outcome,
        coverage=coverage,
        fragments=tuple(clip.fragments),
        camera_signature=stored.camera_signature,
    )


@contextmanager
def _failures_counted() -> Iterator[None]:
    """Count the sealings that fail by their outcome; one that is cancelled does not count."""
    try:
        yield
    except FootageMissing:
        metrics.SEALINGS.labels("missing").inc()
        raise
    except FootageUnreadable:
        metrics.SEALINGS.labels("unreadable").inc()
        raise
    except Exception:
        metrics.SEALINGS.labels("failed").inc()
        raise


def _bytes_counted(clip: Clip, progress: Progress) -> Callable[[int], None]:
    """Return a callback for each number of bytes received, which reports their sum and the share of the asked span."""
    size = 0
    length = clip.asked.duration / timedelta(milliseconds=1) or 1.0

    def on_bytes(more: int) -> None:
        nonlocal size
        size += more
        metrics.TRANSFERRED_BYTES.inc(more)
        reached = clip.fragments[-1].time_ms if clip.fragments else 0
        progress(size, min(1.0, reached / length))

    return on_bytes


class _MasterReader:
    """Reads a master's parts as segments, in order; ``sha256`` is complete once all were read.

    Of several parts, or where it is ``hashed``: what is read of a single one is hashed by the clip. ``damaged`` makes
    the error out of the object's key and what is wrong with it.
    """

    def __init__(
        self, source: MasterSource, damaged: Callable[[str, str], MasterDamaged], *, hashed: bool = False
    ) -> None:
        self._source = source
        self._damaged = damaged
        self._hashed = hashed
        self._parts = source.sealed.coverage.parts
        self._digest = hashlib.sha256()

    @property
    def in_parts(self) -> bool:
        return len(self._parts) > 1

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def compare(self, sha256: str) -> None:
        """Raise MasterDamaged where the footage that was read has another hash than the sealed one."""
        sealed = self._source.sealed
        if sha256 != sealed.sha256_plain:
            raise self._damaged(
                sealed.key,
                f"its footage has the SHA-256 {sha256[:16]}…, and {sealed.sha256_plain[:16]}… was sealed",
            )

    async def parts(self) -> AsyncIterator[OwnSegment]:
        source = self._source
        with self._damage_named():
            reader = await run_in_thread(open_sealed, source.store, source.sealed.location, source.unwrapper)
        ends = [0, *(part.offset + part.length for part in self._parts)]
        if reader.size != ends[-1] or any(part.offset != end for part, end in zip(self._parts, ends, strict=False)):
            raise self._damaged(
                source.sealed.key, f"it holds {reader.size} bytes of footage and its record says {ends[-1]}"
            )
        for number, part in enumerate(self._parts, 1):
            yield OwnSegment(
                name=f"{source.sealed.key}#{number}",
                channel=source.channel,
                span=part.span,
                size=part.length,
                container="fmp4",
                open=partial(self._bytes, reader, part.length),
            )

    async def _bytes(self, reader: Reader, length: int) -> AsyncIterator[bytes]:
        left = length
        while left:
            chunk = await run_in_thread(self._read, reader, min(READ, left))
            if not chunk:
                return
            left -= len(chunk)
            yield chunk

    def _read(self, reader: Reader, size: int) -> bytes:
        with self._damage_named():
            chunk = reader.read(size)
        if self.in_parts or self._hashed:
            self._digest.update(chunk)
        return chunk

    @contextmanager
    def _damage_named(self) -> Iterator[None]:
        """Name what the store gives as damaged where it is not what was encrypted, or nothing at all."""
        key = self._source.sealed.key
        try:
            yield
        except Corrupt as error:
            raise self._damaged(key, "the stored object is not what was encrypted") from error
        except StoreMissing as error:
            raise self._damaged(key, "the object is missing from the store") from error


def open_sealed(store: Store, location: Location, unwrapper: Unwrapper) -> Reader:
    """Open a seekable reader of the plaintext. Blocks: call it and read from it in a thread. Raises age's errors."""
    return Reader(reader_of(store, location.bucket, location.key, location.version_id), location.size, unwrapper)
