"""Object storage on an S3 server with object lock (MinIO and its like), through minio-py."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import BinaryIO

from minio import Minio
from minio.commonconfig import COMPLIANCE, ENABLED, Tags
from minio.datatypes import Object
from minio.error import S3Error
from minio.helpers import ObjectWriteResult
from minio.retention import Retention

from services.runtime.settings.stores import S3Store as Place
from services.runtime.translations import Message, Text
from services.vault.store import s3_parts
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
    discard,
)
from services.vault.store.s3_answers import LOCKED, MISSING, answers
from services.vault.store.s3_client import READ_SECONDS, make_client

_META = "x-amz-meta-"
_BLOCK = 1 << 20


class S3Store:
    """See `services.vault.store.protocol.Store`. Signatures and retention use real time."""

    withstands_administrator = True

    def __init__(self, place: Place, *, read_seconds: float = READ_SECONDS) -> None:
        """``read_seconds`` is how long one answer may take; three tries are made."""
        self._server = place.endpoint
        self._prefix = place.prefix
        self._client: Minio = make_client(place, place.secret_key.get_secret_value(), read_seconds=read_seconds)

    def describe(self) -> Text:
        return Message(
            "The S3 store at {server} keeps locked versions (COMPLIANCE) from everyone, its own administrator "
            "included; only who holds its disks can destroy them.",
            server=self._server,
        )

    def missing(self) -> list[str]:
        names = []
        for name in map(self._name, BUCKETS):
            with answers(self._server, Message("check the bucket {bucket}", bucket=name)):
                if self._client.bucket_exists(name):
                    self._check(name)
                else:
                    names.append(name)
        return names

    def ensure(self) -> None:
        for bucket in BUCKETS:
            name = self._name(bucket)
            with answers(self._server, f"make or check the bucket {name}"):
                if not self._client.bucket_exists(name):
                    self._make(name)
                self._check(name)

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
        check_location(bucket, key)
        check_metadata(metadata)
        # minio-py cannot send If-None-Match, so this check and the attempt's own key protect objects.
        if self._versions(bucket, key):
            raise StoreConflict(f"{bucket}/{key} is there already and is never overwritten: store under another key.")
        act, part = f"write {bucket}/{key}", s3_parts.part_bytes(expected)

        def send(file: BinaryIO) -> ObjectWriteResult:
            with answers(self._server, act):
                return self._client.put_object(
                    self._name(bucket),
                    key,
                    file,
                    -1,
                    content_type,
                    metadata={_META + name: value for name, value in metadata.items()},
                    part_size=part,
                    num_parallel_uploads=1,
                    legal_hold=legal_hold,
                )

        try:
            done, size = s3_parts.put(source, send, part)
        except StoreDown:
            raise  # minio-py has tried to abort the upload; whoever retries sweeps this key first
        except BaseException:
            with suppress(StoreDown, StoreRefused):
                discard(self, bucket, key)
            raise
        if done.etag is None:  # an error may come with the status 200, once the server has begun to answer
            self.sweep(bucket, key)
            raise StoreDown(f"the store at {self._server} could not {act} for now: it did not put its parts together.")
        version = done.version_id or self._only_version(bucket, key)
        return Stored(bucket, key, version, size, done.etag)

    def get(
        self, bucket: str, key: str, *, offset: int = 0, length: int | None = None, version_id: str | None = None
    ) -> Iterator[bytes]:
        check_location(bucket, key)
        check_range(offset, length)
        if length == 0:
            return
        with answers(self._server, f"read {bucket}/{key}"):
            try:
                response = self._client.get_object(
                    self._name(bucket), key, offset=offset, length=length or 0, version_id=version_id
                )
            except S3Error as error:
                if error.code == "InvalidRange":
                    return
                raise
            try:
                yield from response.stream(_BLOCK)
            finally:
                response.close()
                response.release_conn()

    def stat(self, bucket: str, key: str, version_id: str | None = None) -> ObjectFacts | None:
        check_location(bucket, key)
        with answers(self._server, Message("look up {object}", object=f"{bucket}/{key}")):
            try:
                found = self._client.stat_object(self._name(bucket), key, version_id=version_id)
            except S3Error as error:
                if error.code in MISSING or error.response.status == 405:  # 405 is a delete marker's answer
                    return None
                raise
        return _facts(bucket, key, found)

    def list_keys(self, bucket: str, prefix: str = "") -> Iterator[str]:
        check_location(bucket, "any")
        with answers(self._server, f"list {bucket}"):
            for entry in self._client.list_objects(self._name(bucket), prefix=prefix, recursive=True):
                yield str(entry.object_name)

    def list_versions(self, bucket: str, prefix: str = "") -> Iterator[ObjectVersion]:
        check_location(bucket, "any")
        with answers(self._server, f"list the versions of {bucket}"):
            listed = self._client.list_objects(self._name(bucket), prefix=prefix, recursive=True, include_version=True)
            for entry in listed:
                # minio-py gives the delete markers of a page after its versions, out of the order of the keys
                if not entry.is_delete_marker:
                    newest = str(entry.is_latest).lower() == "true"
                    yield ObjectVersion(
                        str(entry.object_name), str(entry.version_id), entry.size or 0, entry.etag or "", newest=newest
                    )

    def get_tags(self, bucket: str, key: str, version_id: str) -> dict[str, str]:
        check_location(bucket, key)
        with answers(self._server, f"read the tags of {bucket}/{key}"):
            return dict(self._client.get_object_tags(self._name(bucket), key, version_id) or {})

    def set_tags(self, bucket: str, key: str, version_id: str, tags: Mapping[str, str]) -> None:
        check_tags(tags)
        self._must_be_there(bucket, key, version_id)
        wanted = Tags(for_object=True)
        wanted.update(tags)
        with answers(self._server, f"tag {bucket}/{key}"):
            self._client.set_object_tags(self._name(bucket), key, wanted, version_id)

    def retain(self, bucket: str, key: str, version_id: str, until: datetime) -> None:
        # The store has whole milliseconds at best, so the date is rounded down before it is compared.
        until = until.astimezone(UTC).replace(microsecond=0)
        facts = self._must_be_there(bucket, key, version_id)
        if facts.retain_until is not None and until <= facts.retain_until:
            if until == facts.retain_until:
                return
            raise StoreLocked(
                f"{bucket}/{key} is retained until {facts.retain_until.isoformat()}: the date can only move later."
            )
        if until <= datetime.now(UTC):
            raise StoreRefused(
                f"{bucket}/{key} cannot be retained until {until.isoformat()}, which has passed: name a later one."
            )
        with answers(self._server, f"retain {bucket}/{key}"):
            self._client.set_object_retention(self._name(bucket), key, Retention(COMPLIANCE, until), version_id)

    def set_legal_hold(self, bucket: str, key: str, version_id: str, on: bool) -> None:
        self._must_be_there(bucket, key, version_id)
        with answers(self._server, f"change the legal hold of {bucket}/{key}"):
            change = self._client.enable_object_legal_hold if on else self._client.disable_object_legal_hold
            change(self._name(bucket), key, version_id)

    def delete(self, bucket: str, key: str, version_id: str) -> bool:
        check_location(bucket, key)
        if version_id not in self._versions(bucket, key):
            return False
        with answers(self._server, f"delete {bucket}/{key}"):
            try:
                self._client.remove_object(self._name(bucket), key, version_id)
            except S3Error as error:
                if error.code in LOCKED and (reason := self._lock(bucket, key, version_id)):
                    raise StoreLocked(f"{bucket}/{key} {reason} ({error.code}: {error.message}).") from error
                raise
        return True

    def sweep(self, bucket: str, key: str) -> int:
        check_location(bucket, key)
        with answers(self._server, f"sweep {bucket}/{key}"):
            # By exact key: MinIO lists no unfinished upload under a mere prefix. For neither S3's ListMultipartUploads
            # nor its AbortMultipartUpload has minio-py 7.2.20 a public call: Minio._list_multipart_uploads and
            # Minio._abort_multipart_upload are the only private ones that are used.
            listed = self._client._list_multipart_uploads(self._name(bucket), prefix=key)
            left = [upload.upload_id for upload in listed.uploads if upload.object_name == key and upload.upload_id]
            for upload_id in left:
                self._client._abort_multipart_upload(self._name(bucket), key, upload_id)
        return len(left)

    def _make(self, name: str) -> None:
        try:
            self._client.make_bucket(name, object_lock=True)
        except S3Error as error:
            if error.code != "BucketAlreadyOwnedByYou":  # another process was first; what it made is checked next
                raise

    def _check(self, name: str) -> None:
        try:
            lock = self._client.get_object_lock_config(name)
        except S3Error as error:
            if error.code != "ObjectLockConfigurationNotFoundError":
                raise
            raise StoreRefused(
                Message(
                    "the bucket {bucket} at {server} was made without object lock, which cannot be added later: set "
                    "another prefix for the store (FOOTAGE_DESK_STORE__PREFIX, FOOTAGE_DESK_REPLICA__PREFIX).",
                    bucket=name,
                    server=self._server,
                )
            ) from error
        if lock.mode is not None:
            raise StoreRefused(
                Message(
                    "the bucket {bucket} at {server} has a default retention ({mode}), which locks unfinished work: "
                    "set another prefix for the store, or mend the bucket.",
                    bucket=name,
                    server=self._server,
                    mode=str(lock.mode),
                )
            )
        if self._client.get_bucket_versioning(name).status != ENABLED:
            raise StoreRefused(
                Message(
                    "the bucket {bucket} at {server} keeps no versions: set another prefix for the store, or mend the "
                    "bucket.",
                    bucket=name,
                    server=self._server,
                )
            )

    def _versions(self, bucket: str, key: str) -> list[str]:
        """The version ids of exactly this key, delete markers among them."""
        with answers(self._server, Message("look up {object}", object=f"{bucket}/{key}")):
            listed = self._client.list_objects(self._name(bucket), prefix=key, recursive=True, include_version=True)
            return [str(entry.version_id) for entry in listed if entry.object_name == key]

    def _only_version(self, bucket: str, key: str) -> str:
        facts = self.stat(bucket, key)
        if facts is None:
            raise StoreDown(f"the store at {self._server} took {bucket}/{key} but does not show it: try again later.")
        return facts.version_id

    def _must_be_there(self, bucket: str, key: str, version_id: str) -> ObjectFacts:
        facts = self.stat(bucket, key, version_id)
        if facts is None:
            raise StoreMissing(f"there is no version {version_id} of {bucket}/{key} at {self._server}: check its key.")
        return facts

    def _lock(self, bucket: str, key: str, version_id: str) -> str | None:
        """Why the version resists a delete; None when no lock explains the refusal, so the account has no right to."""
        facts = self.stat(bucket, key, version_id)
        if facts is None:
            return None
        if facts.legal_hold:
            return "is under a legal hold: it stays until the hold is lifted"
        if facts.retain_until is not None and datetime.now(UTC) < facts.retain_until:
            return f"is retained until {facts.retain_until.isoformat()}: it stays until then"
        return None

    def _name(self, bucket: str) -> str:
        return f"{self._prefix}-{bucket}"


def _facts(bucket: str, key: str, found: Object) -> ObjectFacts:
    headers = {name.lower(): value for name, value in (found.metadata or {}).items()}
    until = headers.get("x-amz-object-lock-retain-until-date")
    return ObjectFacts(
        bucket,
        key,
        str(found.version_id),
        found.size or 0,
        found.etag or "",
        found.content_type or OCTETS,
        {name.removeprefix(_META): value for name, value in headers.items() if name.startswith(_META)},
        headers.get("x-amz-object-lock-legal-hold", "").upper() == "ON",
        None if until is None else datetime.fromisoformat(until).astimezone(UTC),
        found.last_modified or datetime.now(UTC),
    )
