"""The one streaming pass: clip, SHA-256, age, SHA-256, object storage (docs/sealing.md; R36).

Nothing is written in clear and memory does not grow with the footage. Whatever fails, and whoever cancels: no object
and no unfinished upload stays behind.
"""

import hashlib
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from services.runtime import metrics
from services.runtime.errors import Fatal
from services.runtime.spans import Span
from services.runtime.threads import run_in_thread
from services.vault.age import Reader, Unwrapper
from services.vault.camera_signature import NOT_EXAMINED
from services.vault.clip.client import Clip, Limits, OwnSegment, SegmentLike
from services.vault.coverage import (
    Coverage,
    Fragment,
    OutcomeWord,
    fragments_from_json,
    fragments_to_json,
)
from services.vault.sealing_counts import bytes_counted, outcome_counted
from services.vault.store.protocol import Store, reader_of
from services.vault.store.upload import Uploaded, upload
from services.vault.verdict import judge

CONTENT_TYPE = "application/octet-stream"
TOLERANCE_MS = 50  # how rough recorders' time stamps are; a longer hole is a gap
READ = 1 << 20
Progress = Callable[[int, float], None]


class MasterDamaged(Fatal):
    """What the vault holds is not what was sealed."""

    runbook = "verification-failures"


@dataclass(frozen=True)
class Location:
    """One version of one object: ``size`` is that of the ciphertext."""

    bucket: str
    key: str
    version_id: str
    size: int


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
        """The same as JSON values."""
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
    def from_json(cls, told: dict[str, Any]) -> "Sealed":
        """The reverse of ``to_json``."""
        return cls(
            bucket=told["bucket"],
            key=told["key"],
            version_id=told["versionId"],
            size=told["size"],
            plain_size=told["plainSize"],
            sha256_plain=told["sha256Plain"],
            sha256_cipher=told["sha256Cipher"],
            outcome=told["outcome"],
            coverage=Coverage.from_json(told["coverage"]),
            fragments=fragments_from_json(told["fragments"]),
            camera_signature=told.get("cameraSignature", NOT_EXAMINED),
        )


async def seal(
    segments: AsyncIterator[SegmentLike],
    asked: Span,
    *,
    channel: str,
    promised: Sequence[Span],
    recipients: Sequence[str],
    store: Store,
    bucket: str,
    key: str,
    metadata: Mapping[str, str],
    legal_hold: bool = False,
    expected_fingerprint: str | None = None,
    progress: Progress = lambda size, share: None,
    tolerance_ms: int = TOLERANCE_MS,
    limits: Limits | None = None,
    requested: Span | None = None,
) -> Sealed:
    """Clip the asked span out of the segments and put it, encrypted to the recipients, under the key.

    ``promised`` is the recorder's own answer on coverage, ``requested`` what it was asked for; ``progress`` gets bytes
    of plaintext and the share of the asked span (0 to 1). Raises FootageMissing, FootageUnreadable, WrongFootage,
    UnsupportedFootage, ClipFailed, the store's errors, and what the segments' streams raise; then nothing is stored.
    """
    return await _seal_clip(
        Clip(segments, asked, channel, limits=limits or Limits()),
        promised=promised,
        expected_fingerprint=expected_fingerprint,
        tolerance_ms=tolerance_ms,
        progress=progress,
        recipients=recipients,
        store=store,
        bucket=bucket,
        key=key,
        metadata=metadata,
        legal_hold=legal_hold,
        requested=requested,
    )


async def issue(
    store: Store,
    source: Location,
    unwrapper: Unwrapper,
    sha256_plain: str,
    granted: Span,
    *,
    coverage: Coverage,
    channel: str,
    recipients: Sequence[str],
    bucket: str,
    key: str,
    metadata: Mapping[str, str],
    legal_hold: bool = False,
    progress: Progress = lambda size, share: None,
    tolerance_ms: int = TOLERANCE_MS,
    limits: Limits | None = None,
    target: Store | None = None,
) -> Sealed:
    """Cut the granted span out of a master and put it as a copy, under a fresh file key, to ``target`` or ``store``.

    ``coverage`` is the master's. The master is read whole and its hash compared; raises MasterDamaged where it
    differs, age's errors where it does not open, and what ``seal`` raises; then nothing is stored.
    """
    master = _Master(store, source, unwrapper, coverage, channel)
    clip = Clip(master.parts(), granted, channel, limits=limits or Limits(), zero=lambda _: coverage.zero)

    def whole() -> None:
        # A master of one part was hashed as a segment already.
        came = master.sha256 if master.in_parts else clip.taken[0].sha256
        if came != sha256_plain:
            raise MasterDamaged(
                f"No copy was made of master {source.key}: its footage has the SHA-256 {came[:16]}…, and "
                f"{sha256_plain[:16]}… was sealed. Restore it from the replica, then retry."
            )

    return await _seal_clip(
        clip,
        promised=coverage.covered,
        expected_fingerprint=None,
        tolerance_ms=tolerance_ms,
        progress=progress,
        recipients=recipients,
        store=target or store,
        bucket=bucket,
        key=key,
        metadata=metadata,
        legal_hold=legal_hold,
        also=whole,
    )


async def _seal_clip(
    clip: Clip,
    *,
    promised: Sequence[Span],
    expected_fingerprint: str | None,
    tolerance_ms: int,
    progress: Progress,
    recipients: Sequence[str],
    store: Store,
    bucket: str,
    key: str,
    metadata: Mapping[str, str],
    legal_hold: bool,
    also: Callable[[], None] = lambda: None,
    requested: Span | None = None,
) -> Sealed:
    async def conclude() -> tuple[OutcomeWord, Coverage]:
        await clip.conclude()
        also()
        if clip.report is None:
            raise RuntimeError("the clip ended without a report and without an error")
        return judge(
            clip.report,
            clip.taken,
            asked=clip.asked,
            channel=clip.channel,
            promised=promised,
            expected_fingerprint=expected_fingerprint,
            tolerance=timedelta(milliseconds=tolerance_ms),
            requested=requested,
        )

    started = time.perf_counter()
    with outcome_counted():
        async with clip:
            stored: Uploaded[tuple[OutcomeWord, Coverage]] = await upload(
                clip,
                conclude,
                moved=bytes_counted(clip, progress),
                recipients=recipients,
                store=store,
                bucket=bucket,
                key=key,
                metadata=metadata,
                legal_hold=legal_hold,
                content_type=CONTENT_TYPE,
            )
    progress(stored.plain_size, 1.0)
    outcome, coverage = stored.verdict
    metrics.SEALINGS.labels(outcome).inc()
    metrics.BYTES_SEALED.inc(stored.plain_size)
    metrics.SEALING_SECONDS.observe(time.perf_counter() - started)
    return Sealed(
        bucket=bucket,
        key=key,
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


class _Master:
    """A master's parts as segments, in order; where there are several, ``sha256`` is right once all were read."""

    def __init__(self, store: Store, source: Location, unwrapper: Unwrapper, coverage: Coverage, channel: str) -> None:
        self._store = store
        self._source = source
        self._unwrapper = unwrapper
        self._coverage = coverage
        self._channel = channel
        self.in_parts = len(coverage.parts) > 1
        self._digest = hashlib.sha256()
        self._reader: Reader | None = None

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    async def parts(self) -> AsyncIterator[SegmentLike]:
        reader = await run_in_thread(self._open)
        parts = self._coverage.parts
        ends = [0, *(part.offset + part.length for part in parts)]
        if reader.size != ends[-1] or any(part.offset != end for part, end in zip(parts, ends, strict=False)):
            raise MasterDamaged(
                f"No copy was made of master {self._source.key}: it holds {reader.size} bytes of footage and its "
                f"record says {ends[-1]}. Restore it from the replica, then retry."
            )
        for number, part in enumerate(parts, 1):
            yield OwnSegment(
                name=f"{self._source.key}#{number}",
                channel=self._channel,
                span=part.span,
                size=part.length,
                container="fmp4",
                open=partial(self._bytes, reader, part.length),
            )

    def _open(self) -> Reader:
        return open_sealed(self._store, self._source, self._unwrapper)

    async def _bytes(self, reader: Reader, length: int) -> AsyncIterator[bytes]:
        left = length
        while left:
            chunk = await run_in_thread(self._read, reader, min(READ, left))
            if not chunk:
                return
            left -= len(chunk)
            yield chunk

    def _read(self, reader: Reader, size: int) -> bytes:
        chunk = reader.read(size)
        if self.in_parts:
            self._digest.update(chunk)
        return chunk


def open_sealed(store: Store, source: Location, unwrapper: Unwrapper) -> Reader:
    """A seekable reader of the plaintext; blocks, so call it and read from it in a thread. Raises age's errors."""
    return Reader(reader_of(store, source.bucket, source.key, source.version_id), source.size, unwrapper)
