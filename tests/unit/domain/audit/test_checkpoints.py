"""Checkpoints: signed when the trail has grown, never over another history, and anchored now and then."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from new_database import lay_out
from sqlalchemy import select, text
from trail import list_anchors

from services.database.tables.audit import AuditAnchor, AuditCheckpoint
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.audit import checkpoints
from services.domain.audit import trail as audit_trail
from services.domain.audit import tree as audit_tree
from services.domain.audit.checkpoints import AnchorRequest
from services.domain.wiring import open_database
from services.evidence import case_file
from services.runtime.clock import FixedClock
from services.runtime.errors import Fatal
from services.runtime.rules import Rules
from services.vault.keys.log_key import LogKey
from services.verifier import notes

pytestmark = pytest.mark.both_databases

NOON = datetime(2031, 3, 4, 12, 0, tzinfo=UTC)
ACTOR = Actor("system", "test")
HOUR = timedelta(hours=1)
KEY = LogKey(Ed25519PrivateKey.generate())


def grow(database: Database, by: int = 1) -> None:
    database.run_now(
        ACTOR, lambda uow: [audit_trail.record(uow, "tried", "test", str(one)) for one in range(by)] and None
    )


def sign(database: Database) -> AuditCheckpoint | None:
    return database.run_now(ACTOR, checkpoints.sign, KEY.known, KEY.sign)


@pytest.mark.requirement("R52")
def test_the_head_is_signed_when_the_trail_has_grown(database: Database) -> None:
    assert sign(database) is None
    assert database.run_now(ACTOR, checkpoints.newest_as_json) is None
    grow(database, 3)
    assert sign(database) is not None
    assert sign(database) is None
    grow(database, 2)
    row = sign(database)

    assert row is not None
    assert (row.size, row.signed_at) == (5, NOON)
    checkpoint, _ = notes.open_checkpoint(row.note, [KEY.public])
    assert checkpoint.root == database.run_now(ACTOR, audit_tree.root, 5)
    assert database.run_now(ACTOR, checkpoints.newest_as_json) == {"origin": KEY.origin, "size": 5, "root": row.root}
    assert database.run_now(ACTOR, lambda uow: list(uow.session.scalars(select(AuditCheckpoint.size)))) == [3, 5]


@pytest.mark.requirement("R52")
def test_a_head_covers_a_case_until_the_case_changes_however_often_it_is_read(database: Database) -> None:
    lay_out(database)

    def record(action: str) -> None:
        database.run_now(
            ACTOR, lambda uow: audit_trail.record(uow, action, "application", "case", application_id="case") and None
        )

    record("submitted")
    assert database.run_now(ACTOR, checkpoints.covering, "case") is None
    signed = sign(database)
    assert signed is not None
    record("case-read")
    covering = database.run_now(ACTOR, checkpoints.covering, "case")
    assert covering is not None
    assert covering.size == signed.size
    record("reviewed")
    assert database.run_now(ACTOR, checkpoints.covering, "case") is None


@pytest.mark.requirement("R52", refuses=True)
def test_another_key_signs_on_where_the_one_before_is_known_and_not_where_it_was_lost(database: Database) -> None:
    grow(database)
    sign(database)
    lost = LogKey(Ed25519PrivateKey.generate(), KEY.origin)
    for size in (1, 2):
        with pytest.raises(Fatal, match="restore the folder log") as caught:
            database.run_now(ACTOR, checkpoints.sign, lost.known, lost.sign)
        assert caught.value.runbook == "audit-checkpoint-late"
        if size == 1:
            grow(database)

    replaced = LogKey(Ed25519PrivateKey.generate(), KEY.origin, KEY.known)
    row = database.run_now(ACTOR, checkpoints.sign, replaced.known, replaced.sign)
    assert row is not None
    assert notes.open_checkpoint(row.note, [replaced.public])[0].size == 2


@pytest.mark.requirement("R52", refuses=True)
@pytest.mark.parametrize("change", ["another", "shorter"])
def test_no_second_history_is_signed(database: Database, change: str) -> None:
    grow(database, 4)
    assert sign(database) is not None
    postgres = database.engine.dialect.name == "postgresql"
    with database.engine.begin() as connection:
        for table in ("audit_events", "audit_nodes"):
            for verb in ("only_grows",) if postgres else ("no_update", "no_delete"):
                connection.execute(text(f"DROP TRIGGER {table}_{verb}" + (f" ON {table}" if postgres else "")))
        if change == "shorter":
            connection.execute(text("DELETE FROM audit_nodes WHERE level > 1 OR position > 0"))
            connection.execute(text("DELETE FROM audit_events WHERE seq > 3"))
        else:
            connection.execute(text("UPDATE audit_nodes SET sha256 = :other"), {"other": b"x" * 32})

    with pytest.raises(Fatal, match="does not go on from the 4"):
        sign(database)


def test_a_checkpoint_is_put_away_once_an_hour(database: Database) -> None:
    def due() -> AnchorRequest | None:
        return database.run_now(ACTOR, checkpoints.get_due_anchor, HOUR)

    assert due() is None
    grow(database)
    sign(database)
    one = due()
    assert one is not None
    assert one.retain_until == NOON + timedelta(days=730)
    for _ in range(2):  # another portal may have been first
        database.run_now(ACTOR, checkpoints.record_anchor, one, "documents", "checkpoints/1", "v1", token=b"stamp")
    assert due() is None
    grow(database)
    sign(database)
    assert due() is None
    database.clock = FixedClock(NOON + HOUR)
    two = due()
    assert two is not None
    assert two.size == 2
    [anchor] = database.run_now(ACTOR, list_anchors)
    assert (anchor.size, anchor.sha256, anchor.token) == (1, one.sha256, b"stamp")


def test_a_clock_that_was_set_back_hinders_no_anchor_and_hides_no_lag(database: Database) -> None:
    def due() -> AnchorRequest | None:
        return database.run_now(ACTOR, checkpoints.get_due_anchor, HOUR)

    def anchor(size: int) -> None:
        grow(database)
        sign(database)
        one = due()
        assert one is not None
        database.run_now(ACTOR, checkpoints.record_anchor, one, "documents", f"checkpoints/{size}", "v1", token=None)

    anchor(1)
    grow(database)
    database.clock = FixedClock(NOON - 24 * HOUR)
    assert database.run_now(ACTOR, checkpoints.signing_lag) == timedelta()
    grow(database)
    database.clock = FixedClock(NOON - 23 * HOUR)
    assert database.run_now(ACTOR, checkpoints.signing_lag) == HOUR

    anchor(4)
    grow(database)
    sign(database)
    assert due() is None
    database.clock = FixedClock(NOON - 22 * HOUR)
    assert due() is not None


def test_the_oldest_event_without_a_checkpoint_is_what_counts_as_lag(database: Database) -> None:
    assert database.run_now(ACTOR, checkpoints.signing_lag) == timedelta()
    grow(database, 2)
    database.clock = FixedClock(NOON + HOUR)
    grow(database)
    assert database.run_now(ACTOR, checkpoints.signing_lag) == HOUR
    sign(database)
    assert database.run_now(ACTOR, checkpoints.signing_lag) == timedelta()


def test_the_lag_reads_no_more_of_a_trail_that_was_not_signed_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "OLDEST_AMONG", 10)
    database = open_database(f"sqlite:///{tmp_path / 'database'}", FixedClock(NOON), Rules(max_use_days=30))
    lay_out(database)

    def steps() -> int:
        """Count the steps that SQLite takes to read the lag."""
        taken = 0

        def step() -> int:
            nonlocal taken
            taken += 1
            return 0

        def read(uow: UnitOfWork) -> timedelta:
            driver: Any = uow.session.connection().connection.driver_connection
            driver.set_progress_handler(step, 1)
            try:
                return checkpoints.signing_lag(uow)
            finally:
                driver.set_progress_handler(None, 0)

        assert database.run_now(ACTOR, read) == HOUR
        return taken

    grow(database, 20)
    database.clock = FixedClock(NOON + HOUR)
    few = steps()
    grow(database, 200)

    assert steps() == few
    database.close()


@pytest.mark.requirement("R47", "R52")
def test_a_package_has_the_first_anchor_of_an_event_the_first_that_is_stamped_and_the_newest(
    database: Database,
) -> None:
    """The authority that stamps them was away when the first one was made."""

    def anchored(uow: UnitOfWork) -> list[tuple[int, bool]]:
        for size in range(1, 10):
            uow.session.add(AuditCheckpoint(size=size, origin="o", root="r", note="n", signed_at=uow.now))
        uow.session.flush()
        for size in range(1, 10):
            given = {"bucket": "documents", "key": f"checkpoints/{size}", "version_id": "1", "sha256": "0" * 64}
            token = b"t" if size in (5, 7) else None
            uow.session.add(AuditAnchor(size=size, anchored_at=uow.now, token=token, **given))
        uow.session.flush()
        return [(row["size"], row["token"] is not None) for row in case_file._anchors(uow, [2], 9)]

    assert database.run_now(ACTOR, anchored) == [(2, False), (5, True), (7, True), (9, False)]
