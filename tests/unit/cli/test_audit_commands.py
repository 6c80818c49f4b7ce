"""``footage-desk audit``: a trail is checked against all heads there are, its head is signed, its events are proved."""

import io
import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import Result
from trail import NOON, Trail
from typer.testing import CliRunner

from services.cli import main as cli_main
from services.runtime.clock import FixedClock
from services.runtime.settings import Settings
from services.vault.keys.log_key import FOLDER, ensure_log_key, public_keys
from services.vault.store.opening import open_store
from services.vault.store.protocol import Store
from services.verifier import merkle, notes


class Desk:
    """Books in a folder, with a log key beside them."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings.load(data_dir=folder)
        folder.mkdir()
        self.trail = Trail(self.settings.database_address, ensure_log_key(self.settings.keys / FOLDER))
        self.store: Store = open_store(self.settings.store_place, FixedClock(NOON))
        self.store.ensure()

    def audit(self, *arguments: str | Path) -> Result:
        return CliRunner().invoke(cli_main.app, ["audit", *map(str, arguments)])

    def put(self, key: str, note: str) -> None:
        stored = self.store.put("documents", key, io.BytesIO(note.encode()), metadata={})
        self.store.retain("documents", key, stored.version_id, NOON.replace(year=2040))


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("FOOTAGE_DESK_DATA_DIR", str(tmp_path / "var"))
    desk = Desk(tmp_path / "var")
    yield desk
    desk.trail.database.close()


@pytest.mark.requirement("R52")
def test_a_sound_trail_ends_with_0_and_says_up_to_when_it_is_complete(desk: Desk) -> None:
    desk.trail.grow(5)
    desk.put("checkpoints/5", desk.trail.sign())
    desk.trail.grow(2)
    told = desk.audit("verify")
    assert told.exit_code == 0, told.output
    assert f"Complete up to {NOON.isoformat()}" in told.output
    assert "Signed up to event 5" in told.output
    assert "2 of 2 checkpoints agree; 1 of them are in the store." in told.output
    assert desk.audit("verify", "--without-store").exit_code == 0


@pytest.mark.requirement("R52", refuses=True)
def test_a_trail_that_was_changed_ends_with_1_and_names_the_row(desk: Desk) -> None:
    desk.trail.grow(5)
    desk.trail.tamper("UPDATE audit_events SET actor_id = 'another' WHERE seq = 3")
    told = desk.audit("verify")
    assert told.exit_code == 1
    assert "✗ event 3: its column actor_id says 'another', its entry 'test'." in told.output


@pytest.mark.requirement("R52", refuses=True)
def test_books_that_were_rolled_back_are_found_by_the_store_and_by_a_kept_checkpoint(
    desk: Desk, tmp_path: Path
) -> None:
    desk.trail.grow(5)
    assert desk.audit("checkpoint", "--out", tmp_path / "kept.txt").exit_code == 0
    desk.put("checkpoints/5", (tmp_path / "kept.txt").read_text())
    tables = ("audit_events", "audit_nodes", "audit_checkpoints")
    desk.trail.tamper(*(f"DELETE FROM {table}" for table in tables))  # noqa: S608  # names of ours
    desk.trail.grow(3)

    assert desk.audit("verify", "--without-store").exit_code == 0
    for arguments in ((), ("--without-store", "--known", tmp_path / "kept.txt")):
        told = desk.audit("verify", *arguments)
        assert told.exit_code == 1
        assert "is of 5 events, and there are 3" in told.output


def test_what_a_restore_is_said_to_have_lost_is_no_fault_for_whoever_knows_of_it(desk: Desk) -> None:
    desk.put("checkpoints/9", "a history that is gone")
    told = desk.audit("verify")
    assert told.exit_code == 1
    assert "documents/checkpoints/9" in told.output

    desk.trail.grow(1, action="database-restored", checkpoints_lost=["checkpoints/9"])
    told = desk.audit("verify")
    assert told.exit_code == 1
    assert "✗ the checkpoint in the store at documents/checkpoints/9: the database says that a restore" in told.output
    told = desk.audit("verify", "--accept-restores")
    assert told.exit_code == 0
    assert "1 more in the store" in told.output


def test_a_log_whose_keys_were_lost_is_not_begun_anew(desk: Desk) -> None:
    desk.trail.grow(2)
    desk.trail.sign()
    folder = desk.settings.keys / FOLDER
    folder.rename(folder.with_name("kept"))
    told = desk.audit("checkpoint")
    assert told.exit_code == 1
    assert "restore the folder log of the keys from its backup" in told.output
    shutil.rmtree(folder)
    folder.with_name("kept").rename(folder)
    assert desk.audit("checkpoint").exit_code == 0


def test_a_checkpoint_in_the_store_is_as_it_was_put_there_and_stays_under_its_lock(desk: Desk) -> None:
    desk.trail.grow(2)
    note = desk.trail.sign()
    desk.trail.tamper(
        "INSERT INTO audit_anchors VALUES (2, 'documents', 'checkpoints/2', 'gone', :sha256, '2031-03-04', NULL, NULL)",
        sha256="0" * 64,
    )
    assert "documents/checkpoints/2: it is missing" in desk.audit("verify").output
    desk.put("checkpoints/2", note)
    assert "it is not the version that the database names" in desk.audit("verify").output
    facts = desk.store.stat("documents", "checkpoints/2")
    assert facts is not None
    desk.trail.tamper(
        "UPDATE audit_anchors SET version_id = :version, retain_until = '2050-01-01 00:00:00.000000'",
        version=facts.version_id,
    )
    told = desk.audit("verify").output
    assert "it is not the note that was put there" in told
    assert "it is no longer retained until 2050" in told


@pytest.mark.requirement("R52", refuses=True)
def test_nothing_is_called_as_it_was_written_while_the_store_is_away(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.trail.grow(2)
    monkeypatch.setenv("FOOTAGE_DESK_STORE__ENDPOINT", "127.0.0.1:1")
    told = desk.audit("verify")
    assert told.exit_code == 1
    assert "The store could not be read" in told.output
    assert "is as it was written" not in told.output
    assert desk.audit("verify", "--without-store").exit_code == 0
    desk.trail.tamper("UPDATE audit_events SET actor_id = 'another' WHERE seq = 2")
    assert "✗ event 2" in desk.audit("verify").output  # its rows are checked all the same


def test_without_the_log_s_public_keys_nothing_signed_is_believed(desk: Desk) -> None:
    desk.trail.grow(2)
    desk.trail.sign()
    [key] = public_keys(desk.settings.keys / FOLDER)
    (desk.settings.keys / FOLDER / "log-vkeys.txt").unlink()
    assert "no known key has signed this note" in desk.audit("verify").output
    assert desk.audit("verify", "--key", key.vkey).exit_code == 0
    assert desk.audit("verify", "--key", "nonsense").exit_code == 1


@pytest.mark.requirement("R52")
def test_a_checkpoint_is_signed_and_printed_and_the_same_until_the_trail_grows(desk: Desk) -> None:
    assert desk.audit("checkpoint").exit_code == 1
    desk.trail.grow(3)
    first = desk.audit("checkpoint")
    assert first.exit_code == 0, first.output
    assert desk.audit("checkpoint").output == first.output
    head, _ = notes.open_checkpoint(first.output, public_keys(desk.settings.keys / FOLDER))
    assert head.size == 3
    assert desk.audit("checkpoint", "--out", desk.settings.data_dir).exit_code == 1


@pytest.mark.requirement("R52")
def test_an_event_is_proved_without_any_other(desk: Desk) -> None:
    desk.trail.grow(4)
    assert desk.audit("prove", "1").exit_code == 1  # nothing was signed yet
    note = desk.trail.sign()
    told = desk.audit("prove", "3")
    assert told.exit_code == 0, told.output
    proof = json.loads(told.output)
    head = notes.read_checkpoint(note)
    assert proof["checkpoint"] == note
    [event] = proof["events"]
    leaf = merkle.leaf_hash(event["entry"].encode())
    hashes = [bytes.fromhex(one) for one in event["hashes"]]
    merkle.verify_inclusion(leaf, event["index"], event["size"], hashes, head.root)
    assert event["index"] == 2
    for wrong in ((), ("5",), ("1", "--application", "SQ-2031-000001"), ("--application", "SQ-2031-000001")):
        assert desk.audit("prove", *wrong).exit_code == 1


@pytest.mark.requirement("R52")
def test_all_events_of_a_case_are_proved_by_its_number(desk: Desk) -> None:
    desk.trail.grow(2)
    desk.trail.grow(2, first=2, case="the-case")
    desk.trail.sign()
    with closing(sqlite3.connect(desk.settings.data_dir / "database.sqlite3")) as connection, connection:
        needed = [row[1] for row in connection.execute("PRAGMA table_info(applications)") if row[3]]
        given = {**dict.fromkeys(needed, 0), "id": "the-case", "number": "SQ-2031-000001"}
        marks = ", ".join("?" * len(given))
        connection.execute(f"INSERT INTO applications ({', '.join(given)}) VALUES ({marks})", list(given.values()))  # noqa: S608
    told = desk.audit("prove", "--application", "SQ-2031-000001")
    assert told.exit_code == 0, told.output
    assert [event["index"] for event in json.loads(told.output)["events"]] == [2, 3]


def test_who_saw_a_minute_is_printed_and_asking_is_an_event(desk: Desk) -> None:
    told = desk.audit("seen", "camera-1", "2031-03-04T12:00:00+08:00", "--minutes", "5")
    assert told.exit_code == 0, told.output
    assert json.loads(told.output) == []
    assert desk.audit("checkpoint").exit_code == 0
    [event] = json.loads(desk.audit("prove", "1").output)["events"]
    assert '"action":"viewers-read"' in event["entry"]
    for wrong in ("soon", "2031-03-04T12:00:00"):
        assert desk.audit("seen", "camera-1", wrong).exit_code == 1
