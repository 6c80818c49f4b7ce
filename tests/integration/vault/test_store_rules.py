"""The rules of the vault's stores, shown on a folder and on an S3 server alike."""

import hashlib
import io
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from services.runtime.errors import Fatal, Retryable
from services.vault.store.protocol import (
    Store,
    StoreConflict,
    Stored,
    StoreDown,
    StoreLocked,
    StoreMissing,
    StoreRefused,
    discard,
    reader_of,
)

PART = 16 << 20


class Failing:
    """Gives ``size`` bytes, then raises."""

    def __init__(self, size: int, failure: BaseException) -> None:
        self._left = size
        self._failure = failure

    def readinto(self, room: memoryview, /) -> int:
        if self._left == 0:
            raise self._failure
        given = min(len(room), self._left)
        self._left -= given
        return given


class Trickle:
    """Gives at most 1000 bytes at a time, as a pipe does, and never more than it was asked for."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def readinto(self, room: memoryview, /) -> int:
        return self._file.readinto(room[:1000])


def put(store: Store, key: str, data: bytes = b"footage", *, legal_hold: bool = False) -> Stored:
    return store.put("masters", key, io.BytesIO(data), metadata={}, legal_hold=legal_hold)


def whole(pieces: Iterator[bytes]) -> bytes:
    return b"".join(pieces)


@pytest.fixture
def locked(any_store: Store, key: str) -> Iterator[Stored]:
    """An object under a legal hold, which is lifted after the test."""
    stored = put(any_store, key, legal_hold=True)
    yield stored
    if any_store.stat("masters", key) is not None:
        any_store.set_legal_hold("masters", key, stored.version_id, False)


@pytest.mark.parametrize("size", [0, 1, 1000, PART - 1, PART, PART + 1, 2 * PART + 5])
def test_what_is_put_comes_back_whatever_its_length(any_store: Store, key: str, size: int) -> None:
    data = secrets.token_bytes(size)
    stored = put(any_store, key, data)
    assert stored.size == size
    assert hashlib.sha256(whole(any_store.get("masters", key))).digest() == hashlib.sha256(data).digest()
    facts = any_store.stat("masters", key)
    assert facts is not None
    assert (facts.size, facts.version_id, facts.etag) == (size, stored.version_id, stored.etag)


def test_a_source_that_gives_little_at_a_time_is_read_to_its_end(any_store: Store, key: str) -> None:
    data = secrets.token_bytes(123_456)
    stored = any_store.put("masters", key, Trickle(data), metadata={})
    assert stored.size == len(data)
    assert whole(any_store.get("masters", key, version_id=stored.version_id)) == data


def test_facts_of_an_object_are_those_it_was_put_with(any_store: Store, key: str) -> None:
    stored = any_store.put(
        "masters",
        key,
        io.BytesIO(b"footage"),
        metadata={"item": "7", "asked-span": "2026-11-24T22:46:07Z/PT5M"},
        content_type="application/age",
        legal_hold=True,
    )
    facts = any_store.stat("masters", key, stored.version_id)
    assert facts is not None
    assert dict(facts.metadata) == {"item": "7", "asked-span": "2026-11-24T22:46:07Z/PT5M"}
    assert facts.content_type == "application/age"
    assert facts.legal_hold
    assert facts.retain_until is None
    assert abs(facts.created - datetime.now(UTC)) < timedelta(minutes=5)
    any_store.set_legal_hold("masters", key, stored.version_id, False)


@pytest.mark.parametrize("metadata", [{"camera": "东门"}, {"Camera": "x"}, {"camera": "a\r\nb"}, {"": "x"}])
def test_metadata_that_s3_would_change_is_refused(any_store: Store, key: str, metadata: dict[str, str]) -> None:
    with pytest.raises(StoreRefused, match="ASCII"):
        any_store.put("masters", key, io.BytesIO(b"footage"), metadata=metadata)
    assert any_store.stat("masters", key) is None


@pytest.mark.requirement("R6", refuses=True)
def test_an_object_is_never_overwritten(any_store: Store, key: str) -> None:
    first = put(any_store, key, b"first")
    with pytest.raises(StoreConflict, match="never overwritten"):
        put(any_store, key, b"second")
    assert whole(any_store.get("masters", key)) == b"first"
    facts = any_store.stat("masters", key)
    assert facts is not None
    assert facts.version_id == first.version_id


def test_keys_that_begin_alike_are_different_objects(any_store: Store, key: str) -> None:
    other = f"{key}0"
    label = f"{key}.label.json"
    put(any_store, other, b"other")
    put(any_store, label, b"label")
    stored = put(any_store, key, b"footage")
    assert sorted(any_store.list_keys("masters", key)) == sorted([key, label, other])
    assert any_store.delete("masters", key, stored.version_id)
    assert whole(any_store.get("masters", other)) == b"other"
    assert any_store.stat("masters", key) is None


@pytest.mark.parametrize("size", [0, 10, PART + 10, 2 * PART + 10])
@pytest.mark.parametrize("failure", [OSError("recorder went away"), KeyboardInterrupt()], ids=["error", "interrupt"])
def test_a_source_that_fails_leaves_nothing(any_store: Store, key: str, size: int, failure: BaseException) -> None:
    with pytest.raises(type(failure)) as raised:
        any_store.put("masters", key, Failing(size, failure), metadata={}, legal_hold=True)
    assert raised.value is failure
    assert any_store.stat("masters", key) is None
    assert list(any_store.list_keys("masters", key)) == []
    assert any_store.sweep("masters", key) == 0


@pytest.mark.requirement("R6", "R52", refuses=True)
def test_a_legal_hold_resists_deletion_until_it_is_lifted(any_store: Store, key: str, locked: Stored) -> None:
    with pytest.raises(StoreLocked, match="legal hold"):
        any_store.delete("masters", key, locked.version_id)
    assert whole(any_store.get("masters", key)) == b"footage"
    any_store.set_legal_hold("masters", key, locked.version_id, False)
    assert any_store.delete("masters", key, locked.version_id)
    assert any_store.stat("masters", key) is None


@pytest.mark.requirement("R6", "R52", refuses=True)
def test_a_retention_resists_deletion_and_only_moves_later(any_store: Store, key: str) -> None:
    stored = put(any_store, key)
    until = datetime.now(UTC) + timedelta(hours=1)
    any_store.retain("masters", key, stored.version_id, until)
    any_store.retain("masters", key, stored.version_id, until)
    with pytest.raises(StoreLocked, match="retained until"):
        any_store.delete("masters", key, stored.version_id)
    with pytest.raises(StoreLocked, match="only move later"):
        any_store.retain("masters", key, stored.version_id, until - timedelta(minutes=1))
    later = until + timedelta(minutes=1)
    any_store.retain("masters", key, stored.version_id, later)
    facts = any_store.stat("masters", key)
    assert facts is not None
    assert facts.retain_until is not None
    assert abs(facts.retain_until - later) < timedelta(seconds=1)
    assert whole(any_store.get("masters", key)) == b"footage"


def test_a_retention_that_has_passed_is_refused(any_store: Store, key: str) -> None:
    stored = put(any_store, key)
    with pytest.raises(StoreRefused, match="has passed"):
        any_store.retain("masters", key, stored.version_id, datetime.now(UTC) - timedelta(hours=1))
    assert any_store.delete("masters", key, stored.version_id)


def test_a_version_is_deleted_once(any_store: Store, key: str) -> None:
    stored = put(any_store, key)
    assert any_store.delete("masters", key, stored.version_id)
    assert not any_store.delete("masters", key, stored.version_id)


def test_a_delete_touches_no_other_version(any_store: Store, key: str) -> None:
    put(any_store, key)
    other = put(any_store, f"{key}x")
    assert not any_store.delete("masters", key, other.version_id)
    assert whole(any_store.get("masters", key)) == b"footage"


def test_versions_are_listed_by_key_with_what_lies_over_them(any_store: Store, key: str) -> None:
    stored = [put(any_store, f"{key}/{name}", name.encode() * 3) for name in ("b", "a", "a.label.json")]

    listed = list(any_store.list_versions("masters", f"{key}/"))

    assert [one.key for one in listed] == [f"{key}/a", f"{key}/a.label.json", f"{key}/b"]
    assert {(one.key, one.version_id, one.size, one.newest) for one in listed} == {
        (one.key, one.version_id, one.size, True) for one in stored
    }
    assert list(any_store.list_versions("masters", f"{key}/b")) == [listed[2]]


@pytest.mark.parametrize(
    ("offset", "length"), [(0, 5), (3, None), (PART - 3, 6), (PART + 90, 50), (PART + 100, None), (1 << 40, 5), (9, 0)]
)
def test_any_range_can_be_read(any_store: Store, key: str, offset: int, length: int | None) -> None:
    data = bytes(range(256)) * (PART // 256) + bytes(100)
    put(any_store, key, data)
    end = None if length is None else offset + length
    assert whole(any_store.get("masters", key, offset=offset, length=length)) == data[offset:end]
    if length is not None:
        assert reader_of(any_store, "masters", key)(offset, length) == data[offset:end]


def test_tags_are_replaced_as_a_whole(any_store: Store, key: str) -> None:
    stored = put(any_store, key)
    assert any_store.get_tags("masters", key, stored.version_id) == {}
    any_store.set_tags("masters", key, stored.version_id, {"sha256-plain": "ab" * 32, "outcome": "partial"})
    any_store.set_tags("masters", key, stored.version_id, {"sha256-plain": "cd" * 32})
    assert any_store.get_tags("masters", key, stored.version_id) == {"sha256-plain": "cd" * 32}
    with pytest.raises(StoreRefused, match="ten tags"):
        any_store.set_tags("masters", key, stored.version_id, {str(n): "x" for n in range(11)})


def test_what_is_not_there_is_named(any_store: Store, key: str) -> None:
    assert any_store.stat("masters", key) is None
    with pytest.raises(StoreMissing, match=key):
        whole(any_store.get("masters", key))
    with pytest.raises(StoreMissing, match=key):
        any_store.set_legal_hold("masters", key, "0" * 32, True)
    with pytest.raises(StoreMissing, match=key):
        any_store.retain("masters", key, "0" * 32, datetime.now(UTC) + timedelta(hours=1))
    assert not any_store.delete("masters", key, "0" * 32)


@pytest.mark.parametrize("wrong", ["", "/a", "a//b", "../a", "a/..", "a/", "a\nb", "a\\b"])
def test_a_key_that_could_leave_its_place_is_refused(any_store: Store, wrong: str) -> None:
    with pytest.raises(StoreRefused, match="no key"):
        put(any_store, wrong)


def test_a_bucket_of_another_name_is_refused(any_store: Store, key: str) -> None:
    with pytest.raises(StoreRefused, match="no bucket"):
        any_store.stat("attic", key)


def test_discard_removes_an_attempt_that_nobody_took(any_store: Store, key: str) -> None:
    put(any_store, key, legal_hold=True)
    assert discard(any_store, "masters", key) == 1
    assert any_store.stat("masters", key) is None
    assert discard(any_store, "masters", key) == 0


def test_ensure_may_run_again(any_store: Store, key: str) -> None:
    put(any_store, key)
    any_store.ensure()
    assert whole(any_store.get("masters", key)) == b"footage"


def test_the_store_says_whom_its_locks_withstand(any_store: Store) -> None:
    says = str(any_store.describe())
    assert ("cannot resist" in says) is not any_store.withstands_administrator


def test_the_runner_knows_what_to_try_again() -> None:
    assert issubclass(StoreDown, Retryable)
    assert issubclass(StoreRefused, Fatal)
