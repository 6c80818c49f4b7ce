"""The inventory against the stores that it was taken of: a folder and an S3 server give the same answers.

What only an S3 server can do comes last: markers and versions that somebody lays over an object with other tools.
"""

import io
import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from demo_container import prepare_database
from fixtures_s3 import S3Server
from minio import Minio
from small_installation import SmallInstallation
from whole_footage import MADE_FOR

from services.backup import inventory
from services.backup.inventory import Comparison, Entry
from services.runtime.settings.stores import FolderStore, StorePlace
from services.vault.store.opening import open_store
from services.vault.store.protocol import Store, Stored

S3 = pytest.param("s3", marks=pytest.mark.s3)


@dataclass
class Kept:
    """An installation with a store and a replica of their own, whichever they are made of."""

    installation: SmallInstallation
    prefix: str

    @property
    def store(self) -> Store:
        return self.installation.stores["primary"]

    def put(self, key: str, content: bytes = b"sealed", *, place: str = "primary", hold: bool = False) -> Stored:
        bucket = key.partition("/")[0]
        return self.installation.stores[place].put(bucket, key, io.BytesIO(content), metadata={}, legal_hold=hold)

    def named(self, stored: Stored, sha256: str | None = None) -> None:
        """A row that names this object, as the books name a brought file."""
        sealed = {"bucket": stored.bucket, "key": stored.key, "versionId": stored.version_id, "size": stored.size}
        self.installation.enter(
            "uploads", id=secrets.token_hex(4), sealed=json.dumps({**sealed, "sha256Cipher": sha256})
        )

    def back_up(self) -> Path:
        return self.installation.back_up("backup.age")

    def entries(self, backup: Path) -> dict[str, Entry]:
        return {entry.name: entry for entry in inventory.read(self.installation.bundle(backup))}

    def compare(self, backup: Path, *, read_all: bool = True) -> Comparison:
        return inventory.compare(
            inventory.read(self.installation.bundle(backup)), self.installation.stores, read_all=read_all
        )


@pytest.fixture(scope="module")
def small_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare_database(tmp_path_factory.mktemp("database") / "database.sqlite3", MADE_FOR)


@pytest.fixture(params=["folder", S3])
def kept(request: pytest.FixtureRequest, tmp_path: Path, small_database: Path) -> Kept:
    prefix = f"kept-{secrets.token_hex(4)}"
    installation = SmallInstallation(tmp_path, small_database)
    for name in ("primary", "replica"):
        place: StorePlace = FolderStore(tmp_path / name / prefix, prefix)
        if request.param == "s3":
            place = request.getfixturevalue("s3_server").place(f"{prefix}-{name}")
        installation.stores[name] = open_store(place)
        installation.stores[name].ensure()
    return Kept(installation, prefix)


def test_stores_that_nobody_touched_are_as_they_were(kept: Kept) -> None:
    kept.put("documents/SQ-2031-000001.json", b"{}")
    kept.put("copies/one/1", hold=True)
    master = kept.put("masters/one/1")
    kept.put("replicas/one/1", place="replica")
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    kept.store.retain("masters", master.key, master.version_id, until)
    backup = kept.back_up()

    found = kept.compare(backup)

    assert (found.same, found.faults, found.newer) == (4, [], [])
    entries = kept.entries(backup)
    assert entries["copies/one/1"].hold
    assert entries["masters/one/1"].retain_until == until.isoformat()
    assert entries["replicas/one/1 in the replica store"].version


def test_each_object_that_is_missing_is_named_with_its_store(kept: Kept) -> None:
    gone, far = kept.put("masters/gone/1"), kept.put("replicas/gone/1", place="replica")
    kept.put("masters/stays/1")
    backup = kept.back_up()
    assert kept.store.delete("masters", gone.key, gone.version_id)
    assert kept.installation.stores["replica"].delete("replicas", far.key, far.version_id)

    found = kept.compare(backup)

    assert found.faults == ["masters/gone/1 is missing.", "replicas/gone/1 in the replica store is missing."]
    assert found.same == 1


def test_an_object_that_was_made_anew_is_another_version(kept: Kept) -> None:
    first = kept.put("masters/again/1")
    backup = kept.back_up()
    kept.store.delete("masters", first.key, first.version_id)
    second = kept.put("masters/again/1")

    found = kept.compare(backup)

    there = f"is there as version {second.version_id}, the database names another one"
    assert found.faults == [f"masters/again/1 {there}."]
    assert found.newer == []


def test_objects_that_came_after_the_backup_are_newer(kept: Kept) -> None:
    kept.put("masters/known/1")
    backup = kept.back_up()
    kept.put("quarantine/later/1")
    kept.put("replicas/later/1", place="replica")

    found = kept.compare(backup)

    assert (found.same, found.faults) == (1, [])
    assert found.newer == ["quarantine/later/1", "replicas/later/1 in the replica store"]


def test_a_hold_that_was_lifted_since_is_said(kept: Kept) -> None:
    lent = kept.put("copies/lent/1", hold=True)
    backup = kept.back_up()
    kept.store.set_legal_hold("copies", lent.key, lent.version_id, False)

    assert kept.compare(backup).faults == [
        "copies/lent/1 is no longer on hold: the reason of its hold has ended since."
    ]


def test_what_the_books_name_and_the_store_never_had_is_said_at_once(kept: Kept) -> None:
    lost = kept.put("quarantine/lost/1")
    kept.named(lost)
    kept.store.delete("quarantine", lost.key, lost.version_id)

    backup = kept.back_up()

    assert "quarantine/lost/1 is in the database and not in its store." in kept.installation.said
    assert kept.entries(backup)["quarantine/lost/1"].absent
    assert kept.compare(backup).faults == []


def test_footage_is_read_to_be_compared_only_when_that_is_asked_for(kept: Kept) -> None:
    content = b"x" * (inventory.SMALL + 1)
    kept.named(kept.put("quarantine/long/1", content), sha256="0" * 64)  # not what the bytes are
    backup = kept.back_up()

    assert kept.compare(backup, read_all=False).same == 1
    assert kept.compare(backup).faults == ["quarantine/long/1 has changed: it has another SHA-256."]


@pytest.fixture
def administrator(s3_server: S3Server) -> Minio:
    """Somebody with the store's keys and other tools than ours."""
    return Minio(s3_server.endpoint, s3_server.access_key, s3_server.secret_key, secure=False)


@pytest.mark.parametrize("kept", [S3], indirect=True)
@pytest.mark.parametrize("before", [True, False], ids=["before the backup", "after the backup"])
def test_a_delete_marker_loses_nothing(kept: Kept, administrator: Minio, before: bool) -> None:
    hidden = kept.put("quarantine/hidden/1")
    kept.named(hidden)
    bucket = f"{kept.prefix}-primary-quarantine"
    if before:
        administrator.remove_object(bucket, hidden.key)
    backup = kept.back_up()
    if not before:
        administrator.remove_object(bucket, hidden.key)
    assert kept.store.stat("quarantine", hidden.key) is None

    assert kept.entries(backup)[hidden.key].version == hidden.version_id
    assert (kept.compare(backup).same, kept.compare(backup).faults) == (1, [])


@pytest.mark.parametrize("kept", [S3], indirect=True)
@pytest.mark.parametrize("before", [True, False], ids=["before the backup", "after the backup"])
def test_a_version_on_top_is_told_and_the_one_that_the_books_name_is_compared(
    kept: Kept, administrator: Minio, before: bool
) -> None:
    ours = kept.put("quarantine/covered/1")
    kept.named(ours)
    bucket = f"{kept.prefix}-primary-quarantine"

    def cover() -> str:
        return str(administrator.put_object(bucket, ours.key, io.BytesIO(b"theirs"), 6).version_id)

    theirs = cover() if before else None
    backup = kept.back_up()
    theirs = theirs or cover()

    found = kept.compare(backup)

    assert kept.entries(backup)[ours.key].version == ours.version_id
    assert (found.same, found.faults) == (1, [])
    assert found.newer == [f"quarantine/covered/1 as version {theirs}"]


@pytest.mark.parametrize("kept", [S3], indirect=True)
def test_a_loan_runs_as_long_as_the_hold_on_its_own_version(kept: Kept, administrator: Minio) -> None:
    lent = kept.put("copies/lent/1", hold=True)
    sealed = {"bucket": "copies", "key": lent.key, "versionId": lent.version_id}
    administrator.put_object(f"{kept.prefix}-primary-copies", lent.key, io.BytesIO(b"theirs"), 6)
    assert inventory.is_held(kept.store, sealed)

    kept.store.set_legal_hold("copies", lent.key, lent.version_id, False)

    assert not inventory.is_held(kept.store, sealed)
