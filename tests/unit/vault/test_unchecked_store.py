"""A store that was away at the start is checked before it is read or written, and not once for every call."""

import io
from pathlib import Path

import pytest

from services.runtime.settings.stores import FolderStore
from services.vault.store.opening import open_store
from services.vault.store.protocol import Store, StoreDown, StoreRefused
from services.vault.store.unchecked import PAUSE, UncheckedStore


class Check:
    """Answers as it is told, and counts."""

    def __init__(self) -> None:
        self.error: Exception | None = StoreDown("the store at s3:9000 could not check the bucket for now")
        self.made = 0

    def __call__(self) -> None:
        self.made += 1
        if self.error is not None:
            raise self.error


@pytest.fixture
def plain(tmp_path: Path) -> Store:
    store = open_store(FolderStore(tmp_path / "store", "t"))
    store.ensure()
    return store


def put(store: Store) -> None:
    store.put("documents", "a/1", io.BytesIO(b"text"), metadata={})


def test_nothing_is_written_or_read_before_the_store_is_checked(plain: Store) -> None:
    check, now = Check(), [0.0]
    store = UncheckedStore(plain, check, monotonic=lambda: now[0])
    for call in (
        lambda: put(store),  # type: ignore[arg-type]
        lambda: store.stat("documents", "a/1"),
        lambda: list(store.list_keys("documents")),
        lambda: list(store.get("documents", "a/1")),
    ):
        with pytest.raises(StoreDown, match="s3:9000") as down:
            call()
        assert down.value.away == "store"
    assert check.made == 1  # calls that follow at once do not ask again
    assert plain.stat("documents", "a/1") is None
    assert store.describe() == plain.describe()

    now[0], check.error = PAUSE, None
    put(store)  # type: ignore[arg-type]
    assert list(store.list_keys("documents")) == ["a/1"]
    assert b"".join(store.get("documents", "a/1")) == b"text"
    assert check.made == 2


def test_a_bucket_without_object_lock_is_refused_when_the_store_first_answers(plain: Store) -> None:
    check = Check()
    check.error = StoreRefused("the bucket was made without object lock")
    store = UncheckedStore(plain, check)
    for _ in range(2):
        with pytest.raises(StoreRefused, match="without object lock"):
            put(store)  # type: ignore[arg-type]
    assert plain.stat("documents", "a/1") is None
