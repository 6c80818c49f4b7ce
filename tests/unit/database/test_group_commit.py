"""Acts on PostgreSQL that commit together: none keeps another from the trail, and none is answered before it is kept.

The server is one of the module's own, because it is crashed and told to wait.
"""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import pytest
from new_database import lay_out
from own_postgres import OwnServer, started_postgres
from sqlalchemy import func, select

from services.backup.database_export import snapshot
from services.database import unit_of_work
from services.database.tables.audit import AuditEvent
from services.database.tables.people import Department
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.audit.verification import verify_trail
from services.domain.wiring import open_database
from services.runtime.clock import FixedClock
from services.runtime.rules import Rules

pytestmark = pytest.mark.postgres
ACTOR = Actor("system", "test")
PATIENCE = 30  # seconds until a test that hangs fails
WRITERS = 4
WAITING = b"SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
COMMITS = b"SELECT pg_logical_emit_message(true, 'footage-desk', 'nothing')"
UNTIL_ALL_WAIT = b"""
DO $$ BEGIN
    WHILE (SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep') < 5 LOOP
        PERFORM pg_stat_clear_snapshot();
    END LOOP;
END $$
"""


class Server(OwnServer):
    """A server on which only a commit that waits reaches the disk."""

    def __init__(self, server: Any) -> None:
        super().__init__(server)
        # fsync is off: a crash of the server loses what it has not given to the system, and the system goes on
        self.set(fsync="off", full_page_writes="off", wal_writer_delay="10s")

    def crash(self, database: Database) -> None:
        """End all its processes at once, without a word to the disk, and start it again for the database."""
        leader = self._server.get_postmaster_info().process
        os.kill(leader.pid, signal.SIGQUIT)
        leader.wait(PATIENCE)
        self._server.ensure_postgres_running()
        database.engine.dispose()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with started_postgres("footage-desk-crashed-") as started:
        yield Server(started)


@pytest.fixture(scope="module")
def database(server: Server) -> Iterator[Database]:
    database = open_database(server.url, FixedClock(datetime(2031, 3, 4, 12, 0, tzinfo=UTC)), Rules(max_use_days=30))
    lay_out(database)
    yield database
    database.close()


def enter(uow: UnitOfWork, name: str) -> None:
    uow.session.add(Department(id=name, name_zh=name, name_en=name, kind="business"))
    audit_trail.record(uow, "department-added", "department", name)


def entered(uow: UnitOfWork) -> tuple[set[str], set[str]]:
    """The departments, and those of which the trail knows."""
    of_trail = select(AuditEvent.subject_id).where(AuditEvent.action == "department-added")
    return set(uow.session.scalars(select(Department.id))), set(uow.session.scalars(of_trail))


def assert_sound(server: Server) -> None:
    with snapshot(server.url) as connection:
        assert verify_trail(connection).faults == []


def enter_and_die(database: Database, name: str) -> None:
    """Commit an act, and end before the disk has it and anybody is answered."""
    died = patch.object(unit_of_work, "wait_for_disk", side_effect=InterruptedError)
    with died, suppress(InterruptedError):
        database.run_now(ACTOR, enter, name)


def assert_there(server: Server, database: Database, name: str) -> None:
    """The department is there, and the trail knows of each that is, and of no other."""
    departments, of_trail = database.read_now(ACTOR, entered)
    assert departments == of_trail
    assert name in departments
    assert_sound(server)


@pytest.mark.requirement("R52")
def test_no_unit_waits_for_the_trail_while_another_waits_for_the_disk(server: Server, database: Database) -> None:
    """A standby that never answers is a disk that never syncs: all commit, and none is answered until it does."""
    before = database.read_now(ACTOR, lambda uow: uow.session.scalar(select(func.count(AuditEvent.seq))) or 0)
    with server.connect() as beside, server.connect() as first, ThreadPoolExecutor(WRITERS + 1) as pool:
        server.set(synchronous_standby_names="absent")
        try:
            # the server takes the setting over by and by: from the first commit on that waits, all do
            held = pool.submit(first.execute, COMMITS)
            while beside.execute(WAITING).fetchone() == (0,):
                held = pool.submit(first.execute, COMMITS) if held.done() else held
            running = [pool.submit(database.run_now, ACTOR, enter, f"waiting-{number}") for number in range(WRITERS)]
            beside.execute(f"SET statement_timeout = '{PATIENCE}s'")
            beside.execute(UNTIL_ALL_WAIT)
            kept = beside.execute("SELECT count(*) FROM audit_events").fetchone()
            answered = [future.done() for future in running]
        finally:
            server.set(synchronous_standby_names="")
        for future in (held, *running):
            future.result(PATIENCE)
    assert kept == (before + WRITERS,)
    assert answered == [False] * WRITERS
    assert_sound(server)


@pytest.mark.requirement("R52")
def test_an_act_that_was_answered_outlives_a_crash_with_its_event(server: Server, database: Database) -> None:
    database.run_now(ACTOR, enter, "answered")

    server.crash(database)

    assert_there(server, database, "answered")


@pytest.mark.requirement("R52")
def test_what_was_read_outlives_a_crash_though_its_writer_was_not_answered(server: Server, database: Database) -> None:
    enter_and_die(database, "read")
    departments, _ = database.read_now(ACTOR, entered)
    assert "read" in departments

    server.crash(database)

    assert_there(server, database, "read")


def test_an_act_that_nobody_saw_and_none_was_answered_is_lost_with_its_event_or_kept_with_it(
    server: Server, database: Database
) -> None:
    enter_and_die(database, "unseen")

    server.crash(database)

    database.run_now(ACTOR, enter, "after")
    assert_there(server, database, "after")
