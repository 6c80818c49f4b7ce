"""Books of an earlier version come to this one with everything that is in them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.exc import DatabaseError

from services.database import schema as database_schema
from services.database.tables.cameras import Recorder
from services.database.unit_of_work import Actor
from services.domain.audit import trail as audit_trail
from services.domain.cameras import clocks
from services.domain.wiring import open_database
from services.runtime.clock import FixedClock
from services.runtime.errors import Retryable
from services.runtime.rules import Rules
from services.verifier import merkle

NOON = datetime(2031, 3, 4, 12, 0, tzinfo=UTC)
ASKED = NOON - timedelta(minutes=5)


@pytest.mark.requirement("R34")
def test_a_clock_that_was_known_before_stays_known_with_its_moment(empty_database_url: str) -> None:
    database = open_database(empty_database_url, FixedClock(NOON), Rules(max_use_days=30))
    database_schema.migrate(database.engine, "0003")
    columns = "id, name, site, kind, configuration, zone, clock_offset_ms, clock_method, last_seen_at, active"
    insert = f"INSERT INTO recorders ({columns}) VALUES "  # noqa: S608  # our own words
    with database.engine.begin() as connection:
        for name, offset in (("known", "1500"), ("unknown", "NULL")):
            row = f"('{name}', '{name}', 'S', 'folder', '{{}}', 'UTC', {offset}, 'ntp', :seen, true)"
            connection.execute(text(insert + row), {"seen": ASKED.replace(tzinfo=None).isoformat(" ")})

    database_schema.migrate(database.engine)

    def known(name: str) -> clocks.Clock:
        return database.run_now(Actor("system", "test"), lambda uow: clocks.of(uow.session.get_one(Recorder, name)))

    assert known("known") == clocks.Clock(1500, "ntp", None, ASKED)
    assert known("unknown").measured_at is None
    assert {"protections", "reaches"} <= set(inspect(database.engine).get_table_names())
    database.close()


@pytest.mark.requirement("R52")
def test_events_of_before_the_tree_are_numbered_without_holes_and_put_into_it(empty_database_url: str) -> None:
    database = open_database(empty_database_url, FixedClock(NOON), Rules(max_use_days=30))
    database_schema.migrate(database.engine, "0004")
    entries = [f'{{"entry":{number}}}' for number in range(11)]
    columns = "seq, at, actor_kind, actor_id, action, subject_kind, subject_id, entry, leaf_sha256"
    insert = f"INSERT INTO audit_events ({columns}) VALUES (:seq, :at, '', '', '', '', '', :entry, :leaf)"  # noqa: S608
    with database.engine.begin() as connection:
        for seq, entry in zip([1, 2, 5, 6, 7, 11, 12, 30, 31, 32, 40], entries, strict=True):
            leaf = merkle.leaf_hash(entry.encode()).hex()
            named = {"seq": seq, "at": NOON.replace(tzinfo=None).isoformat(" "), "entry": entry, "leaf": leaf}
            connection.execute(text(insert), named)

    database_schema.migrate(database.engine)
    database.run_now(Actor("system", "test"), lambda uow: audit_trail.record(uow, "tried", "test", "one"))

    with database.engine.connect() as connection:
        events = connection.execute(text("SELECT seq, entry, leaf_sha256 FROM audit_events ORDER BY seq")).all()
        nodes = connection.execute(text("SELECT level, position, sha256 FROM audit_nodes ORDER BY 1, 2")).all()
    assert [event.seq for event in events] == list(range(1, 13))
    assert [event.entry for event in events[:-1]] == entries
    leaves = [bytes.fromhex(event.leaf_sha256) for event in events]
    assert [(node.level, node.position) for node in nodes] == [
        (level, position) for level in (1, 2, 3) for position in range(12 >> level)
    ]
    for node in nodes:
        under = leaves[node.position << node.level : (node.position + 1) << node.level]
        assert bytes(node.sha256) == merkle.root(under)
    database.close()


@pytest.mark.postgres
@pytest.mark.requirement("R52")
def test_an_act_of_the_release_before_ends_before_the_tree_is_made_or_is_refused(
    postgres_database: Callable[[], str],
) -> None:
    database = open_database(postgres_database(), FixedClock(NOON), Rules(max_use_days=30))
    database_schema.migrate(database.engine, "0004")
    columns = "at, actor_kind, actor_id, action, subject_kind, subject_id, entry, leaf_sha256"
    leaf = merkle.leaf_hash(b"{}").hex()
    insert = text(f"INSERT INTO audit_events ({columns}) VALUES (now(), '', '', '', '', '', '{{}}', '{leaf}')")  # noqa: S608
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'audit_events'::regclass")
    with ThreadPoolExecutor(1) as pool, database.engine.connect() as looking, database.engine.connect() as act:
        looking.execution_options(isolation_level="AUTOCOMMIT")
        act.execute(insert)
        migration = pool.submit(database_schema.migrate, database.engine)
        while not looking.execute(waiting).scalar_one():
            assert not migration.done()
        act.execute(insert)
        act.commit()
        migration.result()

    database.run_now(Actor("system", "test"), lambda uow: audit_trail.record(uow, "tried", "test", "one"))
    with database.engine.connect() as connection:
        assert connection.execute(text("SELECT seq FROM audit_events ORDER BY seq")).scalars().all() == [1, 2, 3]
        nodes = connection.execute(text("SELECT level, position, sha256 FROM audit_nodes")).all()
    assert [(node.level, node.position) for node in nodes] == [(1, 0)]
    assert bytes(nodes[0].sha256) == merkle.node_hash(bytes.fromhex(leaf), bytes.fromhex(leaf))
    with pytest.raises(Retryable, match="newer release: replace this part"):
        database.run_now(Actor("system", "test"), lambda uow: uow.session.execute(insert) and None)
    database.close()


@pytest.mark.requirement("R52")
@pytest.mark.parametrize("table", ["audit_events", "audit_nodes", "audit_checkpoints", "audit_anchors"])
def test_no_row_of_the_trail_is_changed_or_removed(empty_database_url: str, table: str) -> None:
    database = open_database(empty_database_url, FixedClock(NOON), Rules(max_use_days=30))
    database_schema.migrate(database.engine)
    with database.engine.begin() as connection:
        connection.execute(text("INSERT INTO audit_events VALUES (1, '2031-03-04', '', '', '', '', '', NULL, '', '')"))
        connection.execute(text("INSERT INTO audit_nodes VALUES (1, 0, 'x')"))
        connection.execute(text("INSERT INTO audit_checkpoints VALUES (1, '', '', '', '2031-03-04')"))
        anchor = "INSERT INTO audit_anchors VALUES (1, '', '', '', '', '2031-03-04', NULL, NULL)"
        connection.execute(text(anchor))
    column = {"audit_events": "entry", "audit_nodes": "level", "audit_checkpoints": "note", "audit_anchors": "key"}[
        table
    ]
    change = f"UPDATE {table} SET {column} = {column}"  # noqa: S608  # our own words
    for statement in (change, f"DELETE FROM {table}"):  # noqa: S608
        with pytest.raises(DatabaseError, match="only grows"), database.engine.begin() as connection:
            connection.execute(text(statement))
    database.close()
