"""What only the folder store can get wrong: crashes, the disk, its own clock, and folders that are not its own."""

import errno
import fcntl
import hashlib
import io
import os
import random
import shutil
import stat
from datetime import UTC, datetime, timedelta
from io import FileIO
from pathlib import Path
from typing import Any

import pytest

from services.runtime.clock import FixedClock
from services.runtime.settings import stores as places
from services.vault.store import folder, folder_files
from services.vault.store.folder import FolderStore
from services.vault.store.folder_files import BUFFER, on_disk
from services.vault.store.opening import open_store
from services.vault.store.protocol import BUCKETS, StoreConflict, StoreDown, StoreLocked, StoreRefused


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2026, 11, 24, tzinfo=UTC))


@pytest.fixture
def store(tmp_path: Path, clock: FixedClock) -> FolderStore:
    store = FolderStore(tmp_path / "store", "test", clock)
    store.ensure()
    return store


@pytest.mark.requirement("R52", refuses=True)
def test_a_retention_ends_with_its_moment(store: FolderStore, clock: FixedClock) -> None:
    stored = store.put("masters", "1/1", io.BytesIO(b"footage"), metadata={})
    store.retain("masters", "1/1", stored.version_id, clock.now() + timedelta(days=30))
    clock.turn(timedelta(days=30) - timedelta(seconds=1))
    with pytest.raises(StoreLocked):
        store.delete("masters", "1/1", stored.version_id)
    clock.turn(timedelta(seconds=1))
    assert store.delete("masters", "1/1", stored.version_id)


def test_what_a_crash_has_left_is_swept_by_its_exact_key(store: FolderStore, tmp_path: Path) -> None:
    unfinished = tmp_path / "store" / "test-masters" / "unfinished"
    for name in ("1%2F1.aaaa", "1%2F1.bbbb", "1%2F10.cccc", "1%2F1.label.json.dddd"):
        (unfinished / name).mkdir()
        (unfinished / name / "data").write_bytes(b"half")
    assert list(store.list_keys("masters")) == []
    assert store.sweep("masters", "1/1") == 2
    assert sorted(entry.name for entry in unfinished.iterdir()) == ["1%2F1.label.json.dddd", "1%2F10.cccc"]


def test_of_two_puts_of_one_key_one_wins_whole(store: FolderStore) -> None:
    class Overtaken:
        """While it is read, another put of the same key is finished."""

        done = False

        def readinto(self, room: memoryview, /) -> int:
            if self.done:
                return 0
            self.done = True
            store.put("masters", "1/1", io.BytesIO(b"the other"), metadata={})
            return io.BytesIO(b"mine").readinto(room)

    with pytest.raises(StoreConflict):
        store.put("masters", "1/1", Overtaken(), metadata={})
    assert b"".join(store.get("masters", "1/1")) == b"the other"
    assert store.sweep("masters", "1/1") == 0


def test_objects_are_for_this_account_and_cannot_be_written_again(store: FolderStore, tmp_path: Path) -> None:
    store.put("masters", "1/1", io.BytesIO(b"footage"), metadata={})
    folder = tmp_path / "store" / "test-masters" / "objects" / "1%2F1"
    assert stat.S_IMODE((folder / "data").stat().st_mode) == 0o400
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_full_disk_is_tried_again_later_and_leaves_nothing(
    store: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(folder_files.os, "fsync", full)
    with pytest.raises(StoreDown, match=r"masters/1/1.*No space left"):
        store.put("masters", "1/1", io.BytesIO(b"footage"), metadata={})
    assert list((tmp_path / "store" / "test-masters" / "unfinished").iterdir()) == []


@pytest.mark.parametrize("over", [-BUFFER, -BUFFER + 1, -1, 0, 1, BUFFER - 1, BUFFER, BUFFER + 5])
@pytest.mark.parametrize("aligned", [True, False], ids=["past the cache", "through the cache"])
def test_objects_around_a_buffer_are_whole(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch, over: int, aligned: bool
) -> None:
    class Picky(FileIO):
        """Of a file system that takes the switch, and then no such write."""

        def write(self, data: Any) -> int:
            if fcntl.fcntl(self.fileno(), fcntl.F_GETFL) & os.O_DIRECT:
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
            return super().write(data[:700_001])

    if not aligned:

        def opened(path: Path, mode: str, buffering: int = -1, opener: Any = None) -> Any:
            return open(path, mode, opener=opener) if buffering else Picky(path, mode, opener=opener)

        monkeypatch.setattr(folder_files, "open", opened, raising=False)
    body = random.Random(over).randbytes(BUFFER + over)  # noqa: S311 - bytes, no secret
    stored = store.put("masters", "1/1", io.BytesIO(body), metadata={})
    assert (stored.size, stored.etag) == (len(body), hashlib.sha256(body).hexdigest())
    assert b"".join(store.get("masters", "1/1")) == body


def test_a_folder_without_the_rules_is_refused(tmp_path: Path) -> None:
    (tmp_path / "test-masters" / "objects").mkdir(parents=True)
    with pytest.raises(StoreRefused, match="object lock"):
        FolderStore(tmp_path, "test").ensure()


@pytest.mark.parametrize("at", ["write_file", "sync_folder"])
def test_a_store_whose_making_was_killed_is_made_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    store = FolderStore(tmp_path, "test")
    with monkeypatch.context() as patched:
        patched.setattr(folder, at, killed)
        with pytest.raises(KeyboardInterrupt):
            store.ensure()

    store.ensure()
    assert store.missing() == []
    for bucket in BUCKETS:
        store.put(bucket, "1/1", io.BytesIO(b"footage"), metadata={})


def test_a_folder_made_under_other_rules_is_refused(store: FolderStore, tmp_path: Path) -> None:
    (tmp_path / "store" / "test-masters" / "bucket.json").write_text('{"objectLock": false}')
    with pytest.raises(StoreRefused, match="without object lock"):
        store.ensure()


def test_a_store_that_was_never_made_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreRefused, match="doctor"):
        FolderStore(tmp_path, "test").put("masters", "1/1", io.BytesIO(b"footage"), metadata={})


def test_a_folder_that_is_gone_is_waited_for_and_nothing_is_made_in_its_place(
    store: FolderStore, tmp_path: Path
) -> None:
    stored = store.put("masters", "1/1", io.BytesIO(b"footage"), metadata={})
    place = stored.bucket, stored.key, stored.version_id
    unmounted = (tmp_path / "store").rename(tmp_path / "elsewhere")
    for act in (
        lambda: store.put("masters", "1/2", io.BytesIO(b"footage"), metadata={}),
        lambda: list(store.get("masters", "1/1")),
        lambda: store.stat("masters", "1/1"),
        lambda: list(store.list_keys("masters")),
        lambda: store.set_legal_hold(*place, True),
        lambda: store.delete(*place),
        lambda: store.sweep("masters", "1/1"),
    ):
        with pytest.raises(StoreDown, match="mount its disk again") as error:
            act()
        assert error.value.away == "store"
    assert not (tmp_path / "store").exists()

    unmounted.rename(tmp_path / "store")
    assert b"".join(store.get("masters", "1/1")) == b"footage"


def test_settings_open_the_store_they_name(tmp_path: Path) -> None:
    store = open_store(places.FolderStore(tmp_path, "test"))
    assert isinstance(store, FolderStore)
    assert str(tmp_path) in str(store.describe())


def test_a_sweep_takes_the_place_from_a_writer_that_still_lives(store: FolderStore) -> None:
    class Swept:
        swept: int | None = None

        def readinto(self, room: memoryview, /) -> int:
            if self.swept is None:
                self.swept = store.sweep("masters", "1/1")
                return io.BytesIO(b"footage").readinto(room)
            return 0

    source = Swept()
    with pytest.raises(StoreRefused):
        store.put("masters", "1/1", source, metadata={})

    assert source.swept == 1
    assert store.stat("masters", "1/1") is None
    assert store.sweep("masters", "1/1") == 0


def test_a_sweep_during_a_deletion_leaves_nothing_and_fails_nobody(
    store: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = store.put("masters", "1/1", io.BytesIO(b"footage"), metadata={})
    remove = folder.shutil.rmtree

    def swept_first(path: Path) -> None:
        monkeypatch.undo()
        store.sweep("masters", "1/1")
        remove(path)

    monkeypatch.setattr(folder.shutil, "rmtree", swept_first)

    assert store.delete("masters", "1/1", stored.version_id)
    assert list((tmp_path / "store" / "test-masters" / "removed").iterdir()) == []


@pytest.mark.requirement("R52")
@pytest.mark.parametrize("afterwards", ["another delete", "the same delete", "a sweep", "the start"])
def test_what_a_killed_delete_has_left_goes_next(
    store: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, afterwards: str
) -> None:
    class Killed(BaseException):
        pass

    def kill(_path: Path) -> None:
        raise Killed

    stored = {key: store.put("masters", key, io.BytesIO(b"footage"), metadata={}).version_id for key in ("1/1", "1/2")}
    monkeypatch.setattr(folder.shutil, "rmtree", kill)
    with pytest.raises(Killed):
        store.delete("masters", "1/1", stored["1/1"])
    monkeypatch.undo()
    removed = tmp_path / "store" / "test-masters" / "removed"
    assert len(list(removed.iterdir())) == 1
    assert list(store.list_keys("masters")) == ["1/2"]

    if afterwards == "another delete":
        assert store.delete("masters", "1/2", stored["1/2"])
    elif afterwards == "the same delete":
        assert not store.delete("masters", "1/1", stored["1/1"])
    elif afterwards == "a sweep":
        assert store.sweep("masters", "1/2") == 0
    else:
        store.ensure()
    assert list(removed.iterdir()) == []


def test_what_a_delete_of_an_older_release_has_left_goes_at_the_start(store: FolderStore, tmp_path: Path) -> None:
    store.put("masters", "1/1", io.BytesIO(b"footage"), metadata={})
    bucket = tmp_path / "store" / "test-masters"
    left, put = bucket / "unfinished" / "1%2F1.aaaa", bucket / "unfinished" / "1%2F2.bbbb"
    (bucket / "objects" / "1%2F1").rename(left)
    shutil.copytree(left, put)
    os.utime(left / "facts.json", (0, 0))

    store.ensure()

    assert (left.exists(), put.exists()) == (False, True)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_to_be_full(number: int) -> None:
    with pytest.raises(StoreDown, match="the store is full"), on_disk("write masters/1/1"):
        raise OSError(number, "No space left on device")


def test_of_two_who_put_the_same_the_second_conflicts_though_the_first_has_swept(store: FolderStore) -> None:
    class Overtaken(io.BytesIO):
        """While it is read, somebody else puts the object and sweeps what was left of it."""

        def readinto(self, room: object, /) -> int:
            if store.stat("documents", "1") is None:
                store.put("documents", "1", io.BytesIO(b"the first"), metadata={})
                store.sweep("documents", "1")
            return super().readinto(room)  # type: ignore[arg-type]  # a buffer

    with pytest.raises(StoreConflict):
        store.put("documents", "1", Overtaken(b"the second"), metadata={})

    assert b"".join(store.get("documents", "1")) == b"the first"
    assert store.sweep("documents", "1") == 0
