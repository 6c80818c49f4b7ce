"""A vault in memory: stores, loan keys, and footage that costs nothing to fetch; reset by copying two dictionaries."""

import hashlib
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from services.recorders.protocol import RecorderFacts
from services.runtime.spans import Span
from services.vault.coverage import Coverage, FootageMissing
from services.vault.keys.vault_keys import KeyGone
from services.vault.sealing import MasterSource, Sealed
from services.vault.store.protocol import (
    OCTETS,
    ObjectFacts,
    ObjectVersion,
    Source,
    StoreConflict,
    Stored,
    StoreLocked,
    StoreMissing,
    Target,
)
from services.vault.verdict import FootageSource

BEGAN = datetime(2031, 1, 1, tzinfo=UTC)
Objects = dict[tuple[str, str], tuple[ObjectFacts, bytes]]


@dataclass
class MemoryStore:
    """See ``services.vault.store.protocol.Store``; one version of each object."""

    objects: Objects = field(default_factory=dict)
    withstands_administrator = False
    _versions: Iterator[int] = field(default_factory=itertools.count)

    def describe(self) -> str:
        return "memory"

    def ensure(self) -> None:
        pass

    def put(
        self,
        bucket: str,
        key: str,
        source: Source,
        *,
        metadata: Mapping[str, str],
        legal_hold: bool = False,
        content_type: str = OCTETS,
        expected: int = 0,
    ) -> Stored:
        if (bucket, key) in self.objects:
            raise StoreConflict(key)
        body, buffer = b"", bytearray(1 << 16)
        while count := source.readinto(memoryview(buffer)):
            body += buffer[:count]
        version = f"v{next(self._versions)}"
        facts = ObjectFacts(
            *(bucket, key, version, len(body), "e", content_type, dict(metadata), legal_hold),
            retain_until=None,
            created=BEGAN,
        )
        self.objects[bucket, key] = facts, body
        return Stored(bucket, key, version, len(body), "e")

    def get(
        self, bucket: str, key: str, *, offset: int = 0, length: int | None = None, version_id: str | None = None
    ) -> Iterator[bytes]:
        body = self._there(bucket, key)[1]
        yield body[offset : None if length is None else offset + length]

    def stat(self, bucket: str, key: str, version_id: str | None = None) -> ObjectFacts | None:
        there = self.objects.get((bucket, key))
        return None if there is None else there[0]

    def list_versions(self, bucket: str, prefix: str = "") -> Iterator[ObjectVersion]:
        for key in self.list_keys(bucket, prefix):
            facts, body = self.objects[bucket, key]
            yield ObjectVersion(key, facts.version_id, len(body), facts.etag, newest=True)

    def list_keys(self, bucket: str, prefix: str = "") -> Iterator[str]:
        return iter(sorted(key for where, key in self.objects if where == bucket and key.startswith(prefix)))

    def get_tags(self, bucket: str, key: str, version_id: str) -> dict[str, str]:
        return {}

    def set_tags(self, bucket: str, key: str, version_id: str, tags: Mapping[str, str]) -> None:
        self._there(bucket, key)

    def retain(self, bucket: str, key: str, version_id: str, until: datetime) -> None:
        self._change(bucket, key, retain_until=until)

    def set_legal_hold(self, bucket: str, key: str, version_id: str, on: bool) -> None:
        self._change(bucket, key, legal_hold=on)

    def delete(self, bucket: str, key: str, version_id: str) -> bool:
        facts = self._there(bucket, key)[0]
        if facts.legal_hold or facts.retain_until is not None:
            raise StoreLocked(key)
        return self.objects.pop((bucket, key), None) is not None

    def sweep(self, bucket: str, key: str) -> int:
        return 0

    def _there(self, bucket: str, key: str) -> tuple[ObjectFacts, bytes]:
        there = self.objects.get((bucket, key))
        if there is None:
            raise StoreMissing(key)
        return there

    def _change(self, bucket: str, key: str, **values: Any) -> None:
        facts, body = self._there(bucket, key)
        self.objects[bucket, key] = replace(facts, **values), body


@dataclass
class MemoryLoanKeys:
    """The loan keys: those that open a copy, and those that are gone."""

    keys: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)

    def create(self, copy_id: str) -> str:
        if copy_id in self.gone:
            raise KeyGone(copy_id)
        self.keys.add(copy_id)
        return "recipient"

    def destroy(self, copy_id: str) -> bool:
        self.gone.add(copy_id)
        there = copy_id in self.keys
        self.keys.discard(copy_id)
        return there


class PlainRecorder:
    """A recorder that has everything, of channel ``half`` a half, and of ``dark`` nothing."""

    async def probe(self) -> RecorderFacts:
        return RecorderFacts("", "", "", True, {}, 0, "ntp", 0, "UTC")

    async def coverage(self, channel: str, span: Span) -> list[Span]:
        return _covered(channel, span)

    async def protect(self, _channel: str, _span: Span) -> bool:
        return False


def open_recorder(_kind: str, _configuration: Mapping[str, str]) -> PlainRecorder:
    return PlainRecorder()


async def seal(source: FootageSource, target: Target, **_named: object) -> Sealed:
    """Store a few bytes for what the recorder has of the asked span."""
    covered = _covered(source.channel, source.asked)
    if not covered:
        raise FootageMissing("nothing", {})
    return _sealed(source.asked, covered, target)


async def issue(source: MasterSource, granted: Span, target: Target, **_named: object) -> Sealed:
    """Store a few bytes for a copy."""
    return _sealed(
        granted, [part for span in source.sealed.coverage.covered if (part := span.intersect(granted))], target
    )


def _covered(channel: str, span: Span) -> list[Span]:
    if channel == "dark":
        return []
    return [Span(span.start, span.start + (span.end - span.start) / 2)] if channel == "half" else [span]


def _sealed(asked: Span, covered: list[Span], target: Target) -> Sealed:
    body = f"age of {target.key}".encode()
    stored = target.put(_Bytes(body))
    whole = covered == [asked]
    coverage = Coverage(
        asked=asked,
        covered=tuple(covered),
        gaps=() if whole else (Span(covered[-1].end, asked.end),),
        lost=(),
        share=1.0 if whole else 0.5,
        lead_in_ms=0,
        tail_ms=0,
        packets=1,
        dropped_packets=0,
        codecs=("h264",),
        sources=(),
        parts=(),
        first_frame=covered[0].start,
        last_frame=covered[-1].end - timedelta(milliseconds=40),
        zero=covered[0].start,
        drift_ms=0,
        fingerprint="",
    )
    sha256 = hashlib.sha256(body).hexdigest()
    outcome: Any = "complete" if whole else "partial"
    return Sealed(
        *(stored.bucket, stored.key, stored.version_id, stored.size, stored.size, sha256, sha256),
        outcome=outcome,
        coverage=coverage,
        fragments=(),
    )


@dataclass
class _Bytes:
    body: bytes

    def readinto(self, buffer: memoryview, /) -> int:
        count = min(len(buffer), len(self.body))
        buffer[:count], self.body = self.body[:count], self.body[count:]
        return count
