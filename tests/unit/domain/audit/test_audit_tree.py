"""The audit tree: numbers without holes whoever commits when, and proofs that hold for every event and every size."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from sqlalchemy import select, text

from services.database.tables.audit import AuditEvent
from services.database.tables.people import Department
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.audit import tree as audit_tree
from services.runtime.errors import Fatal, Retryable
from services.verifier import merkle

pytestmark = pytest.mark.both_databases

NOON = datetime(2031, 3, 4, 12, 0, tzinfo=UTC)
ACTOR = Actor("system", "test")


def record(uow: UnitOfWork, *names: str) -> list[int]:
    events = [audit_trail.record(uow, "tried", "test", name) for name in names]
    audit_tree.append(uow.session, uow.events)
    uow.events.clear()
    return [event.seq for event in events]


def leaves(database: Database) -> list[bytes]:
    query = select(AuditEvent.seq, AuditEvent.leaf_sha256).order_by(AuditEvent.seq)
    rows = database.run_now(ACTOR, lambda uow: uow.session.execute(query).all())
    assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
    return [bytes.fromhex(row.leaf_sha256) for row in rows]


def check_all_proofs(database: Database) -> None:
    """Every root, and the proofs of every event and from every size, by the verifier's own reckoning."""
    all_of_them = leaves(database)
    roots = [merkle.root(all_of_them[:size]) for size in range(len(all_of_them) + 1)]

    def check(uow: UnitOfWork) -> None:
        assert audit_tree.size(uow) == len(all_of_them)
        for size, root in enumerate(roots):
            assert audit_tree.root(uow, size) == root
        for size in {1, 2, len(all_of_them) // 2, len(all_of_them) - 1, len(all_of_them)}:
            for index in range(size):
                proof = audit_tree.inclusion(uow, index, size)
                assert (proof["index"], proof["size"]) == (index, size)
                hashes = [bytes.fromhex(one) for one in proof["hashes"]]
                merkle.verify_inclusion(all_of_them[index], index, size, hashes, roots[size])
            for old in range(size + 1):
                proof = audit_tree.consistency(uow, old, size)
                assert (proof["old"], proof["new"]) == (old, size)
                hashes = [bytes.fromhex(one) for one in proof["hashes"]]
                merkle.verify_consistency(old, size, hashes, roots[old], roots[size])

    database.run_now(ACTOR, check)


@pytest.mark.requirement("R52")
def test_every_event_can_be_proved_in_every_tree(database: Database) -> None:
    for width in (1, 1, 1, 2, 5, 3, 8, 1, 11):
        database.run_now(ACTOR, lambda uow, width=width: record(uow, *map(str, range(width))))
    check_all_proofs(database)


@pytest.mark.requirement("R52")
def test_units_that_commit_or_fail_at_the_same_time_leave_no_hole_and_none_waits_for_ever(database: Database) -> None:
    departments = ("one", "two", "three")

    def enter(uow: UnitOfWork) -> None:
        for key in departments:
            uow.session.add(Department(id=key, name_zh=key, name_en=key, kind="business"))

    database.run_now(ACTOR, enter)
    start = threading.Barrier(6)

    def act(number: int) -> int:
        """Locks rows of the books, always in the same order, around the recording; every third unit fails."""

        def one(uow: UnitOfWork, turn: int) -> None:
            audit_trail.record(uow, "tried", "test", f"{number}-{turn}")
            for key in departments:
                department = uow.session.get_one(Department, key, with_for_update=True)
                department.name_en = f"{number}-{turn}"
            audit_trail.record(uow, "done", "test", f"{number}-{turn}")
            if (number + turn) % 3 == 0:
                raise RuntimeError("in the middle")

        start.wait()
        kept = 0
        for turn in range(8):
            try:
                database.run_now(ACTOR, one, turn)
                kept += 1
            except RuntimeError:
                pass
        return kept

    with ThreadPoolExecutor(6) as pool:
        kept = sum(pool.map(act, range(6)))
    assert len(leaves(database)) == 2 * kept == 64
    check_all_proofs(database)


def test_a_unit_that_is_refused_at_its_commit_leaves_nothing(database: Database) -> None:
    def enter(uow: UnitOfWork) -> None:
        uow.session.add(Department(id="one", name_zh="一", name_en="One", kind="business"))
        audit_trail.record(uow, "department-added", "department", "one")

    database.run_now(ACTOR, enter)
    with pytest.raises(Retryable):
        database.run_now(ACTOR, enter)
    database.run_now(ACTOR, record, "after")

    assert len(leaves(database)) == 2


@pytest.mark.parametrize("any_database_url", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
def test_the_trail_waits_until_the_unit_has_done_everything_else(database: Database) -> None:
    """A unit that has recorded and still works holds up no other (SQLite has one writer): the trail is locked last."""
    recorded, go_on = threading.Event(), threading.Event()

    def slow(uow: UnitOfWork) -> None:
        audit_trail.record(uow, "tried", "test", "slow")
        uow.session.flush()
        recorded.set()
        assert go_on.wait(10)

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(database.run_now, ACTOR, slow)
        assert recorded.wait(10)
        database.run_now(ACTOR, lambda uow: audit_trail.record(uow, "tried", "test", "quick"))
        go_on.set()
        running.result(10)
    names = database.run_now(
        ACTOR, lambda uow: list(uow.session.scalars(select(AuditEvent.subject_id).order_by(AuditEvent.seq)))
    )
    assert names == ["quick", "slow"]


def test_a_proof_over_nodes_that_are_gone_says_which_one(database: Database) -> None:
    database.run_now(ACTOR, record, *"abcd")
    drop = "DROP TRIGGER audit_nodes_no_delete"
    if database.engine.dialect.name == "postgresql":
        drop = "DROP TRIGGER audit_nodes_only_grows ON audit_nodes"
    with database.engine.begin() as connection:
        connection.execute(text(drop))
        connection.execute(text("DELETE FROM audit_nodes WHERE level = 1 AND position = 1"))

    with pytest.raises(Fatal, match="node 1 of level 1"):
        database.run_now(ACTOR, audit_tree.inclusion, 0, 4)
    with pytest.raises(ValueError, match="no tree of 4"):
        database.run_now(ACTOR, audit_tree.inclusion, 4, 4)
    with pytest.raises(ValueError, match="does not go on"):
        database.run_now(ACTOR, audit_tree.consistency, 5, 4)
