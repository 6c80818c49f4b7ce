"""The protocol of the vault's object stores; `folder.py` and `s3.py` follow the same rules.

An object is never overwritten, a delete names the version, and a locked version resists it. Buckets are made with
object lock and versioning and without default retention (docs/sealing.md, docs/failures.md F12, F19).
Calls block; callers run them in threads.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from services.runtime.errors import Fatal, Retryable
from services.runtime.translations import Text

BUCKETS = ("quarantine", "masters", "copies", "documents", "replicas")
OCTETS = "application/octet-stream"


class StoreDown(Retryable):
    """The store does not answer, is overloaded or ``full``: the same call may succeed later."""

    runbook = "sealing-stalled"

    def __init__(self, message: str | Text, *, full: bool = False) -> None:
        super().__init__(message, away=None if full else "store")


class StoreConflict(Exception):
    """The key is taken. An object is never overwritten: each attempt has a key of its own."""


class StoreLocked(Exception):
    """A legal hold or a retention date forbids this; the store has left the version unchanged."""


class StoreRefused(Fatal):
    """The store will never accept this call as it is; the text says what to set or to do."""

    runbook = "sealing-stalled"


class StoreMissing(Fatal):
    """There is no such object or version."""

    runbook = "verification-failures"


@dataclass(frozen=True)
class Stored:
    """What a put has made; ``size`` in bytes as counted on the way in."""

    bucket: str
    key: str
    version_id: str
    size: int
    etag: str


@dataclass(frozen=True)
class ObjectFacts:
    """One version of an object; ``retain_until`` and ``created`` are aware, in UTC."""

    bucket: str
    key: str
    version_id: str
    size: int
    etag: str
    content_type: str
    metadata: Mapping[str, str]
    legal_hold: bool
    retain_until: datetime | None
    created: datetime


@dataclass(frozen=True)
class ObjectVersion:
    """One version as a listing shows it; ``newest``: no other version and no delete marker lies over it."""

    key: str
    version_id: str
    size: int
    etag: str
    newest: bool


@dataclass(frozen=True)
class Location:
    """One version of one object: ``size`` is that of the ciphertext."""

    bucket: str
    key: str
    version_id: str
    size: int


@dataclass(frozen=True)
class Target:
    """Where a new object is stored, and what is stored with it; ``expected`` bytes at most, 0 where none are known."""

    store: "Store"
    bucket: str
    key: str
    metadata: Mapping[str, str]
    legal_hold: bool = False
    expected: int = 0

    def put(self, source: "Source") -> Stored:
        """Store all of ``source``. Blocks; raises as `Store.put` does."""
        return self.store.put(
            self.bucket,
            self.key,
            source,
            metadata=self.metadata,
            legal_hold=self.legal_hold,
            expected=self.expected,
        )


class Source(Protocol):
    """What a put reads from: ``readinto`` fills the buffer and returns the number of bytes; 0 only at the end."""

    def readinto(self, buffer: memoryview, /) -> int: ...


@runtime_checkable
class HashedSource(Source, Protocol):
    """A source that hashes what it gives."""

    @property
    def sha256(self) -> str:
        """Of all that was read, in hexadecimal."""
        ...


class Store(Protocol):
    """Object storage. ``bucket`` is one of BUCKETS. Every method may raise StoreDown and StoreRefused."""

    def describe(self) -> Text:
        """A sentence: where it is and whom its locks withstand."""
        ...

    @property
    def withstands_administrator(self) -> bool:
        """Whether a locked version resists the store's own administrator too."""
        ...

    def missing(self) -> list[str]:
        """List the buckets that were never made, and check the others as `ensure` does; makes nothing."""
        ...

    def ensure(self) -> None:
        """Make the buckets that are missing and check the others; raises StoreRefused for one without object lock or
        versioning, or with a default retention."""
        ...

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
        """Store all of ``source`` in constant memory; S3 takes more than 127 GiB only where as much is ``expected``.

        ``metadata`` is ASCII with lower-case names. Raises StoreConflict when the key is taken. Whatever ``source``
        raises is raised here, and leaves no object and no dangling upload; a store that failed on the way may hold
        parts, which `sweep` removes.
        """
        ...

    def get(
        self, bucket: str, key: str, *, offset: int = 0, length: int | None = None, version_id: str | None = None
    ) -> Iterator[bytes]:
        """The bytes from ``offset`` on, at most ``length``; nothing beyond the end, as with a file. Errors come with
        the first piece: StoreMissing when there is no such object."""
        ...

    def stat(self, bucket: str, key: str, version_id: str | None = None) -> ObjectFacts | None:
        """The newest version or the one named; None when there is none."""
        ...

    def list_keys(self, bucket: str, prefix: str = "") -> Iterator[str]:
        """The keys that begin with ``prefix``, sorted."""
        ...

    def list_versions(self, bucket: str, prefix: str = "") -> Iterator[ObjectVersion]:
        """All versions of the keys that begin with ``prefix``, by key; read page by page, in constant memory where the
        store can. Delete markers are not listed: a version that one lies over is not the newest."""
        ...

    def get_tags(self, bucket: str, key: str, version_id: str) -> dict[str, str]:
        """The version's tags; raises StoreMissing."""
        ...

    def set_tags(self, bucket: str, key: str, version_id: str, tags: Mapping[str, str]) -> None:
        """Replace the version's tags, at most ten; raises StoreMissing."""
        ...

    def retain(self, bucket: str, key: str, version_id: str, until: datetime) -> None:
        """Forbid deletion until ``until`` (COMPLIANCE: nobody can shorten it); the same date again is no error.

        Raises StoreLocked for an earlier date than the one set, StoreRefused for one that has passed, StoreMissing.
        """
        ...

    def set_legal_hold(self, bucket: str, key: str, version_id: str, on: bool) -> None:
        """Lay a legal hold on the version or lift it; raises StoreMissing."""
        ...

    def delete(self, bucket: str, key: str, version_id: str) -> bool:
        """Remove this version for good; False when there was none. Raises StoreLocked."""
        ...

    def sweep(self, bucket: str, key: str) -> int:
        """Remove what unfinished puts of exactly this key have left, and say how many there were.

        A finished object is not touched: `delete` names its version. Never call it while the key is being put.
        """
        ...


def reader_of(store: Store, bucket: str, key: str, version_id: str | None = None) -> Callable[[int, int], bytes]:
    """``read_at(offset, length)`` on an object, as the age reader wants it."""

    def read_at(offset: int, length: int) -> bytes:
        return b"".join(store.get(bucket, key, offset=offset, length=length, version_id=version_id))

    return read_at


def discard(store: Store, bucket: str, key: str) -> int:
    """Remove all of a failed attempt: leftovers, and an object that the database does not know.

    Legal holds are lifted first; a retained version raises StoreLocked. Says how many things were removed.
    """
    removed = store.sweep(bucket, key)
    while (facts := store.stat(bucket, key)) is not None:
        if facts.legal_hold:
            try:
                store.set_legal_hold(bucket, key, facts.version_id, False)
            except StoreMissing:
                continue  # somebody else removed it meanwhile
        removed += store.delete(bucket, key, facts.version_id)
    return removed


def keep_until(
    store: Store, bucket: str, key: str, version_id: str, until: datetime, *, hold: bool | None = None
) -> None:
    """Lock a version at least until then; changes nothing where it is locked for longer. Raises StoreMissing.

    ``hold``: whether it is to be under a legal hold besides, which has no end; None leaves that as it is.
    """
    facts = store.stat(bucket, key, version_id)
    if facts is None:
        raise StoreMissing(f"there is no version {version_id} of {bucket}/{key}, so that it cannot be locked.")
    if hold is not None and facts.legal_hold != hold:  # first: what is held stays, whatever becomes of its term
        store.set_legal_hold(bucket, key, version_id, hold)
    if facts.retain_until is None or facts.retain_until < until:
        store.retain(bucket, key, version_id, until)


def check_location(bucket: str, key: str) -> None:
    """Raises StoreRefused unless ``bucket`` is one of ours and ``key`` means the same in every store."""
    if bucket not in BUCKETS:
        raise StoreRefused(f"there is no bucket {bucket!r} in the vault: use one of {', '.join(BUCKETS)}.")
    parts = key.split("/")
    if not all(parts) or "." in parts or ".." in parts or not key.isprintable() or "\\" in key:
        raise StoreRefused(f"{key!r} is no key for an object: use names with single slashes between them.")


def check_metadata(metadata: Mapping[str, str]) -> None:
    """Raises StoreRefused unless the metadata survives an S3 header unchanged."""
    for name, value in metadata.items():
        if not name.isascii() or not name.isprintable() or name != name.lower() or not name or " " in name:
            raise StoreRefused(f"the metadata name {name!r} must be lower-case ASCII without spaces.")
        if not value.isascii() or not value.isprintable() or value != " ".join(value.split()):
            raise StoreRefused(f"the metadata {name!r} must be printable ASCII without doubled or outer spaces.")


def check_tags(tags: Mapping[str, str]) -> None:
    """Raise StoreRefused for tags that S3 would refuse."""
    if len(tags) > 10:
        raise StoreRefused(f"an object has at most ten tags, not {len(tags)}.")
    for name, value in tags.items():
        if not 0 < len(name) <= 128 or len(value) > 256:
            raise StoreRefused(f"the tag {name!r} is too long: at most 128 letters for a name and 256 for a value.")
        if not all(letter.isalnum() or letter in " +-=._:/@" for letter in name + value):
            raise StoreRefused(f"the tag {name!r} holds a sign other than letters, digits, spaces and + - = . _ : / @.")


def check_range(offset: int, length: int | None) -> None:
    if offset < 0 or (length is not None and length < 0):
        raise ValueError("a range starts at 0 or later and has no negative length.")
