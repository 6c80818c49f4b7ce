"""What was changed in the audit trail behind our back is found, and the row is named."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text
from trail import Trail

from services.backup.database_export import snapshot
from services.domain.audit import signed_heads, verification
from services.domain.audit import tree as audit_tree
from services.domain.audit.signed_heads import SignedHeads
from services.vault.keys.log_key import LogKey
from services.verifier import merkle, notes

pytestmark = pytest.mark.both_databases

KEY = LogKey(Ed25519PrivateKey.generate())
FORGED = '{"action":"tried","actor":{"id":"test","kind":"system"},"forged":true}'
LEAF = merkle.leaf_hash(FORGED.encode()).hex()


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "LEVELS", 2)
    monkeypatch.setattr(verification, "WIDTH", 4)


def grown(url: str) -> Trail:
    """19 events, signed after 4, 10 and 19."""
    trail = Trail(url, KEY)
    for more in (4, 6, 9):
        trail.grow(more)
        trail.sign()
    return trail


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trail")
    grown(f"sqlite:///{folder / 'books.db'}").database.close()
    return folder


@pytest.fixture
def trail(made_once: Path, tmp_path: Path) -> Iterator[Trail]:
    shutil.copytree(made_once, tmp_path / "books")
    trail = Trail(f"sqlite:///{tmp_path / 'books' / 'books.db'}", KEY)
    yield trail
    trail.database.close()


@pytest.fixture
def any_trail(any_database_url: str) -> Iterator[Trail]:
    trail = grown(any_database_url)
    yield trail
    trail.database.close()


def checked(trail: Trail, *known: str) -> list[str]:
    found = SignedHeads()
    with snapshot(trail.url) as connection:
        signed_heads.read_database(connection, [KEY.public], found)
        for note in known:
            found.add("the checkpoint that somebody has kept", note, [KEY.public])
        done = verification.verify_trail(connection, found.heads)
    return [*done.faults, *found.faults]


@pytest.mark.requirement("R52")
def test_a_trail_that_is_as_it_was_written_has_no_fault(any_trail: Trail) -> None:
    with snapshot(any_trail.url) as connection:
        found = SignedHeads()
        signed_heads.read_database(connection, [KEY.public], found)
        done = verification.verify_trail(connection, found.heads)
        assert done.root == audit_tree.root_in(connection, 19)
        last = connection.execute(text("SELECT entry FROM audit_events WHERE seq = 19")).scalar_one()
    assert (done.size, done.agreeing, done.faults, found.faults) == (19, 3, [], [])
    assert done.complete_up_to is not None
    assert done.complete_up_to.isoformat() in last
    assert (found.signed_up_to, len(found.heads)) == (19, 3)


def test_trails_of_every_size_are_sound(tmp_path: Path) -> None:
    trail = Trail(f"sqlite:///{tmp_path / 'books.db'}", KEY)
    for _ in range(9):
        assert checked(trail) == []
        trail.grow(1)
        trail.sign()
    assert checked(trail) == []
    trail.database.close()


COLUMNS = {
    "at": "2031-03-04 12:00:00.251000",
    "actor_kind": "person",
    "actor_id": "another",
    "action": "dried",
    "subject_kind": "text",
    "subject_id": "another",
    "application_id": "another",
}


@pytest.mark.requirement("R52")
def test_columns_that_say_something_else_than_their_entry_are_named(any_trail: Trail) -> None:
    changes = []
    for seq, (column, value) in enumerate(COLUMNS.items(), 3):
        of_time = column == "at" and "postgres" in any_trail.url
        told = f"CAST('{value}+00' AS timestamptz)" if of_time else f"'{value}'"
        changes.append(f"UPDATE audit_events SET {column} = {told} WHERE seq = {seq}")  # noqa: S608
    any_trail.tamper(*changes)
    faults = checked(any_trail)
    assert len(faults) == len(COLUMNS)
    for fault, (seq, (column, value)) in zip(faults, enumerate(COLUMNS.items(), 3), strict=True):
        assert fault.startswith(f"event {seq}: its column {column} says '{value[:10]}")


@pytest.mark.requirement("R52")
def test_an_entry_that_was_changed_is_named(trail: Trail) -> None:
    trail.tamper("UPDATE audit_events SET entry = replace(entry, 'count', 'mount') WHERE seq = 1")
    hash_is_another, *heads = checked(trail)
    assert hash_is_another == "event 1: its entry does not have the hash beside it"
    assert heads == [
        "the checkpoint 4 of 4 events has another root: events 1 to 4 have been changed since, or some of them",
        "the checkpoint 10 of 10 events has another root",
        "the checkpoint 19 of 19 events has another root",
    ]


def test_an_entry_that_is_no_json_is_named(trail: Trail) -> None:
    trail.tamper("UPDATE audit_events SET entry = 'nonsense' WHERE seq = 19")
    assert "event 19: its entry cannot be read" in checked(trail)


@pytest.mark.requirement("R52")
def test_an_entry_that_was_changed_together_with_its_hash_is_found_by_the_node_above_it(any_trail: Trail) -> None:
    trail = any_trail
    trail.tamper("UPDATE audit_events SET entry = :entry, leaf_sha256 = :leaf WHERE seq = 7", entry=FORGED, leaf=LEAF)
    faults = checked(trail)
    assert "node 3 of level 1, over the events 7 to 8, is not what they give" in faults
    assert not [fault for fault in faults if fault.startswith("node") and "level 1" not in fault]
    assert any("the checkpoint 10" in fault and "events 5 to 10" in fault for fault in faults)


@pytest.mark.requirement("R52")
def test_a_history_that_was_written_anew_with_its_tree_is_found_by_the_heads(trail: Trail) -> None:
    update = "UPDATE audit_events SET entry = :entry, leaf_sha256 = :leaf WHERE seq = 12"
    trail.tamper(update, "DELETE FROM audit_nodes", entry=FORGED, leaf=LEAF)
    with trail.database.engine.begin() as connection:
        leaves = connection.execute(text("SELECT leaf_sha256 FROM audit_events ORDER BY seq")).scalars()
        for level, position, node in audit_tree.completed_nodes(0, map(bytes.fromhex, leaves), {}):
            connection.execute(
                text("INSERT INTO audit_nodes VALUES (:level, :position, :node)"),
                {"level": level, "position": position, "node": node},
            )
    faults = checked(trail)
    assert not [fault for fault in faults if fault.startswith("node")]
    assert faults[-1] == (
        "the checkpoint 19 of 19 events has another root: events 11 to 19 have been changed since, or some of them"
    )


@pytest.mark.requirement("R52")
@pytest.mark.parametrize(
    ("statement", "wanted"),
    [
        (
            "UPDATE audit_nodes SET sha256 = :other WHERE level = 2 AND position = 1",
            "node 1 of level 2, over the events 5 to 8, is not what they give",
        ),
        (
            "UPDATE audit_nodes SET sha256 = :other WHERE level = 4 AND position = 0",
            "node 0 of level 4, over the events 1 to 16, is not what they give",
        ),
        (
            "DELETE FROM audit_nodes WHERE level = 1 AND position = 8",
            "node 8 of level 1, over the events 17 to 18, is missing",
        ),
        (
            "UPDATE audit_events SET seq = 0 WHERE seq = 1",
            "there are events before the first one, which has the number 1",
        ),
        (
            "INSERT INTO audit_nodes VALUES (1, 9, :other)",
            "node 9 of level 1 is over the events 19 to 20, and the last event is 19",
        ),
        (
            "UPDATE audit_checkpoints SET root = 'another' WHERE size = 10",
            "the checkpoint 10: its columns say something else than its note",
        ),
        (
            "UPDATE audit_checkpoints SET note = replace(note, '\n10\n', '\n11\n') WHERE size = 10",
            f"the checkpoint 10: the signature of {KEY.origin} is not over this note",
        ),
        (
            "INSERT INTO audit_anchors VALUES (10, 'documents', 'a', 'b', 'c', '2031-03-04', NULL, NULL)",
            "the anchor 10: it has the hash of another note than its checkpoint",
        ),
    ],
    ids=[
        "a node",
        "the root",
        "a node missing",
        "an event before the first",
        "a node too many",
        "columns of a checkpoint",
        "note of a checkpoint",
        "an anchor of nothing",
    ],
)
def test_a_row_that_is_not_as_it_was_is_named(trail: Trail, statement: str, wanted: str) -> None:
    trail.tamper(statement, other=b"x" * 32)
    assert wanted in checked(trail)


@pytest.mark.requirement("R52")
def test_an_event_that_was_taken_out_is_named(trail: Trail) -> None:
    trail.tamper("DELETE FROM audit_events WHERE seq IN (6, 7)")
    faults = checked(trail)
    assert faults[:2] == ["event 6 is missing", "event 7 is missing"]
    assert not [fault for fault in faults if fault.startswith("node")]


@pytest.mark.requirement("R52")
def test_the_newest_events_that_were_taken_away_are_missed(trail: Trail) -> None:
    trail.tamper("DELETE FROM audit_events WHERE seq > 17")
    faults = checked(trail)
    assert "node 8 of level 1 is over the events 17 to 18, and the last event is 17" in faults
    assert any(fault.startswith("the checkpoint 19 is of 19 events, and there are 17") for fault in faults)


@pytest.mark.requirement("R52")
def test_a_trail_that_was_rolled_back_with_its_heads_is_found_by_one_that_somebody_has_kept(trail: Trail) -> None:
    with trail.database.engine.connect() as connection:
        kept = connection.execute(text("SELECT note FROM audit_checkpoints WHERE size = 19")).scalar_one()
    trail.tamper(
        "DELETE FROM audit_events WHERE seq > 10",
        "DELETE FROM audit_nodes WHERE (position + 1) << level > 10",
        "DELETE FROM audit_checkpoints WHERE size > 10",
    )
    assert checked(trail) == []
    [fault] = checked(trail, kept)
    assert fault.startswith("the checkpoint that somebody has kept is of 19 events, and there are 10")

    trail.grow(10, first=50)  # and went on as if nothing had been
    assert "events 11 to 19 have been changed" in checked(trail, kept)[-1]


def test_a_head_that_nobody_we_know_has_signed_is_no_head(trail: Trail) -> None:
    stranger = LogKey(Ed25519PrivateKey.generate(), KEY.origin)
    note = stranger.sign(notes.Checkpoint(KEY.origin, 3, merkle.EMPTY))
    assert checked(trail, note) == ["the checkpoint that somebody has kept: no known key has signed this note"]


def test_whoever_changes_everything_is_told_so_in_few_words(trail: Trail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "MAX_FAULTS", 5)
    trail.tamper("UPDATE audit_events SET subject_kind = 'another'")
    with snapshot(trail.url) as connection:
        done = verification.verify_trail(connection)
    assert (len(done.faults), done.more_faults) == (5, 14)
