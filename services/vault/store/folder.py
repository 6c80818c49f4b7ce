"""Object storage in a folder, with the rules of an S3 store with object lock.

    <root>/<prefix>-<bucket>/bucket.json             says that the rules hold here
    <root>/<prefix>-<bucket>/objects/<key>/data      the object, its key with %2F for the slash
    <root>/<prefix>-<bucket>/objects/<key>/facts.json
    <root>/<prefix>-<bucket>/unfinished/<key>.<random>/   puts on their way and leftovers of a crash
    <root>/<prefix>-<bucket>/removed/<key>.<random>/      what is being deleted

An object appears by one rename of its folder, which fails when the key is taken; a delete removes it by another. What a
delete that was killed has left goes with the next delete or sweep of the bucket, and at the start.
"""

import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, unquote

from services.runtime.clock import Clock, SystemClock
from services.runtime.translations import Message, Text
from services.vault.store.folder_files import (
    DATA,
    FACTS,
    Facts,
    blocks,
    bucket_lock,
    on_disk,
    sync_folder,
    write_file,
    write_object,
)
from services.vault.store.protocol import (
    BUCKETS,
    OCTETS,
    ObjectFacts,
    ObjectVersion,
    Source,
    StoreConflict,
    Stored,
    StoreDown,
    StoreLocked,
    StoreMissing,
    StoreRefused,
    check_location,
    check_metadata,
    check_range,
    check_tags,
)

_MARKER = "bucket.json"
_OBJECTS = "objects"
_RULES = {"objectLock": True, "versioning": True, "format": 1}
_LONGEST_NAME = 220  # of the 255 bytes of a file name; the rest is for the random part
_PUBLISHED_IN = 3600.0  # seconds from the facts of a put to its end, at most


class FolderStore:
    """See ``protocol.Store``. Locks bind this program; the machine's administrator can remove any file."""

    withstands_administrator = False

    def __init__(self, root: Path, prefix: str, clock: Clock | None = None) -> None:
        """``clock`` decides when a retention has ended; the store's own time is real time (docs/architecture.md)."""
        self._root = root
        self._prefix = prefix
        self._seen: set[str] = set()  # buckets that were there: one that is gone by now is waited for
        self._clock = clock or SystemClock()

    def describe(self) -> Text:
        return Message(
            "The folder {folder} keeps the rules of object lock against this program, but it cannot resist the "
            "machine's administrator (root): use an S3 server with object lock where that matters.",
            folder=str(self._root),
        )

    def object_folders(self) -> list[Path]:
        """Return the folders that hold the objects, a folder each, whether they are there or not."""
        return [self._bucket(bucket) / _OBJECTS for bucket in BUCKETS]

    def missing(self) -> list[str]:
        with on_disk(Message("check the store in {folder}", folder=str(self._root))):
            return [self._bucket(bucket).name for bucket in BUCKETS if not self._is_made(bucket)]

    def _is_made(self, bucket: str) -> bool:
        folder = self._bucket(bucket)
        if (folder / _MARKER).exists():
            self._check_rules(folder)
            self._seen.add(bucket)
            return True
        if folder.exists() and any(entry.name in (_OBJECTS, "data") for entry in folder.iterdir()):
            raise StoreRefused(
                Message(
                    "the folder {folder} has contents but no {marker}, so object lock is not known to hold there: "
                    "set another folder or another prefix for the store.",
                    folder=str(folder),
                    marker=_MARKER,
                )
            )
        return False

    def ensure(self) -> None:
        with on_disk(f"make the store in {self._root}"):
            for bucket in BUCKETS:
                self._seen.add(bucket)
                folder = self._bucket(bucket)
                if not self._is_made(bucket):
                    # the rules come first: objects without them are somebody else's, or have lost them
                    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                    write_file(folder / _MARKER, json.dumps(_RULES).encode())
                    sync_folder(folder.parent)
                if parts := [folder / name for name in (_OBJECTS, "unfinished") if not (folder / name).exists()]:
                    for part in parts:
                        part.mkdir(mode=0o700, exist_ok=True)
                    sync_folder(folder)
                self._empty_removed(bucket)
                self._remove_left_deletes(bucket)

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
        check_metadata(metadata)
        target = self._object(bucket, key)
        if target.exists():
            raise _conflict(bucket, key)
        work = self._bucket(bucket) / "unfinished" / f"{target.name}.{secrets.token_hex(8)}"
        try:
            with on_disk(f"write {bucket}/{key}"):
                self._must_exist(bucket)
                work.mkdir(mode=0o700)
            size, etag = write_object(work / DATA, source, f"{bucket}/{key}")
            facts = Facts(
                secrets.token_hex(16), size, etag, content_type, dict(metadata), {}, legal_hold, None, self._now()
            )
            with on_disk(f"write {bucket}/{key}"):
                facts.write(work)
                self._publish(work, target, bucket, key)
        except BaseException as error:
            shutil.rmtree(work, ignore_errors=True)
            if isinstance(error, StoreRefused) and target.exists():  # another was first, and swept what was under way
                raise _conflict(bucket, key) from error
            raise
        return Stored(bucket, key, facts.version_id, size, etag)

    def get(
        self, bucket: str, key: str, *, offset: int = 0, length: int | None = None, version_id: str | None = None
    ) -> Iterator[bytes]:
        check_range(offset, length)
        self._facts(bucket, key, version_id)
        yield from blocks(self._object(bucket, key) / DATA, offset, length, f"{bucket}/{key}")

    def stat(self, bucket: str, key: str, version_id: str | None = None) -> ObjectFacts | None:
        try:
            facts = self._facts(bucket, key, version_id)
        except StoreMissing:
            return None
        return ObjectFacts(
            bucket,
            key,
            facts.version_id,
            facts.size,
            facts.etag,
            facts.content_type,
            facts.metadata,
            facts.legal_hold,
            facts.retain_until,
            facts.created,
        )

    def list_keys(self, bucket: str, prefix: str = "") -> Iterator[str]:
        check_location(bucket, "any")
        with on_disk(f"list {bucket}"):
            self._must_exist(bucket)
            # the comparison with the register looks single keys up so: 18 ms of 9,000 names, 75 when all are unquoted
            begin = quote(prefix, safe="")
            with os.scandir(self._bucket(bucket) / _OBJECTS) as entries:
                names = [entry.name for entry in entries if entry.name.startswith(begin)]
        yield from sorted(map(unquote, names))

    def list_versions(self, bucket: str, prefix: str = "") -> Iterator[ObjectVersion]:
        for key in self.list_keys(bucket, prefix):
            folder = self._object(bucket, key)
            with on_disk(f"list {bucket}/{key}"):
                facts = Facts.read(folder)
                data = folder / DATA
                size = data.stat().st_size if data.exists() else 0  # of the disk, whatever the facts say
            if facts is not None:  # else it was removed since the keys were read
                yield ObjectVersion(key, facts.version_id, size, facts.etag, newest=True)

    def get_tags(self, bucket: str, key: str, version_id: str) -> dict[str, str]:
        return dict(self._facts(bucket, key, version_id).tags)

    def set_tags(self, bucket: str, key: str, version_id: str, tags: Mapping[str, str]) -> None:
        check_tags(tags)
        with self._locked(bucket):
            self._rewrite(bucket, key, replace(self._facts(bucket, key, version_id), tags=dict(tags)))

    def retain(self, bucket: str, key: str, version_id: str, until: datetime) -> None:
        until = until.astimezone(UTC)
        with self._locked(bucket):
            facts = self._facts(bucket, key, version_id)
            if facts.retain_until is not None and until < facts.retain_until:
                raise StoreLocked(
                    f"{bucket}/{key} is retained until {facts.retain_until.isoformat()}: the date can only move later."
                )
            if until != facts.retain_until and until <= self._now():
                raise StoreRefused(
                    f"{bucket}/{key} cannot be retained until {until.isoformat()}, which has passed: name a later one."
                )
            self._rewrite(bucket, key, replace(facts, retain_until=until))

    def set_legal_hold(self, bucket: str, key: str, version_id: str, on: bool) -> None:
        with self._locked(bucket):
            self._rewrite(bucket, key, replace(self._facts(bucket, key, version_id), legal_hold=on))

    def delete(self, bucket: str, key: str, version_id: str) -> bool:
        target = self._object(bucket, key)
        with self._locked(bucket):
            try:
                facts = self._facts(bucket, key, version_id)
            except StoreMissing:
                with on_disk(f"delete {bucket}/{key}"):
                    self._empty_removed(bucket)
                return False
            if facts.legal_hold:
                raise StoreLocked(f"{bucket}/{key} is under a legal hold: it stays until the hold is lifted.")
            if facts.retain_until is not None and self._now() < facts.retain_until:
                raise StoreLocked(
                    f"{bucket}/{key} is retained until {facts.retain_until.isoformat()}: it stays until then."
                )
            with on_disk(f"delete {bucket}/{key}"):
                removed = self._bucket(bucket) / "removed"
                removed.mkdir(mode=0o700, exist_ok=True)
                target.rename(removed / f"{target.name}.{secrets.token_hex(8)}")
                sync_folder(target.parent)
                self._empty_removed(bucket)
        return True

    def sweep(self, bucket: str, key: str) -> int:
        name = self._object(bucket, key).name
        with on_disk(f"sweep {bucket}/{key}"):
            self._must_exist(bucket)
            self._empty_removed(bucket)
            left = [
                entry
                for entry in (self._bucket(bucket) / "unfinished").iterdir()
                if entry.name.rpartition(".")[0] == name
            ]
            for entry in left:
                # Out of its writer's way first: one that still lives must not fill what is being emptied.
                aside = entry.with_name(f"{name}.{secrets.token_hex(8)}")
                with suppress(FileNotFoundError):  # its writer, or another sweep, was first
                    entry.rename(aside)
                _remove(aside)
        return len(left)

    def _empty_removed(self, bucket: str) -> None:
        with suppress(FileNotFoundError):  # nothing was ever deleted
            for entry in (self._bucket(bucket) / "removed").iterdir():
                _remove(entry)

    def _remove_left_deletes(self, bucket: str) -> None:
        """Remove what killed deletes of older releases have left among the puts, whose facts are young."""
        for entry in (self._bucket(bucket) / "unfinished").iterdir():
            with suppress(FileNotFoundError):  # a put has ended meanwhile
                if time.time() - (entry / FACTS).stat().st_mtime > _PUBLISHED_IN:
                    _remove(entry)

    def _publish(self, work: Path, target: Path, bucket: str, key: str) -> None:
        sync_folder(work)
        try:
            work.rename(target)
        except OSError as error:
            if target.exists():
                raise _conflict(bucket, key) from error
            raise
        sync_folder(target.parent)

    def _facts(self, bucket: str, key: str, version_id: str | None) -> Facts:
        folder = self._object(bucket, key)
        with on_disk(Message("read {object}", object=f"{bucket}/{key}")):
            self._must_exist(bucket)
            facts = Facts.read(folder)
        if facts is None or version_id not in (None, facts.version_id):
            version = f" in version {version_id}" if version_id else ""
            raise StoreMissing(f"there is no object {bucket}/{key}{version} in {self._root}: check its key.")
        return facts

    def _rewrite(self, bucket: str, key: str, facts: Facts) -> None:
        with on_disk(f"change the facts of {bucket}/{key}"):
            facts.write(self._object(bucket, key))

    def _object(self, bucket: str, key: str) -> Path:
        check_location(bucket, key)
        name = quote(key, safe="")
        if len(name) > _LONGEST_NAME:
            raise StoreRefused(f"the key {key!r} is too long for a folder: {len(name)} of {_LONGEST_NAME} bytes.")
        return self._bucket(bucket) / _OBJECTS / name

    def _locked(self, bucket: str) -> AbstractContextManager[None]:
        with on_disk(f"lock {bucket}"):
            self._must_exist(bucket)
        return bucket_lock(self._bucket(bucket))

    def _bucket(self, bucket: str) -> Path:
        return self._root / f"{self._prefix}-{bucket}"

    def _must_exist(self, bucket: str) -> None:
        if (self._bucket(bucket) / _MARKER).exists():
            self._seen.add(bucket)
        elif bucket in self._seen:
            raise StoreDown(
                Message("the bucket {bucket} is gone: mount its disk again.", bucket=str(self._bucket(bucket)))
            )
        else:
            raise StoreRefused(
                Message(
                    "the bucket {bucket} is not there: run `footage-desk doctor`.", bucket=str(self._bucket(bucket))
                )
            )

    def _check_rules(self, folder: Path) -> None:
        rules = json.loads((folder / _MARKER).read_bytes())
        if rules != _RULES:
            raise StoreRefused(
                Message(
                    "the folder {folder} was made without object lock or versioning, which cannot be added later: set "
                    "another folder or another prefix for the store.",
                    folder=str(folder),
                )
            )

    def _now(self) -> datetime:
        return self._clock.now().astimezone(UTC)


def _remove(folder: Path) -> None:
    """Remove the folder; another process may remove or rename it at the same time."""
    while folder.exists():
        with suppress(FileNotFoundError):
            shutil.rmtree(folder)


def _conflict(bucket: str, key: str) -> StoreConflict:
    return StoreConflict(f"{bucket}/{key} is there already and is never overwritten: store under another key.")
