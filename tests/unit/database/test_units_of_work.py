"""The unit of work: all or nothing, one moment, and a schema that is what the tables say."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError, StatementError

from services.database import schema as database_schema
from services.database.tables.audit import AuditEvent
from services.database.tables.people import Department
from services.database.unit_of_work import EVERY_COMMIT, Actor, Database, UnitOfWork
from services.domain.audit import trail as audit_trail
from services.runtime import metrics
from services.runtime.errors import Refused, Retryable

pytestmark = pytest.mark.both_databases

NOON = datetime(2031, 3, 4, 12, 0, tzinfo=UTC)
ACTOR = Actor("system", "test")


def department(uow: UnitOfWork, key: str) -> None:
    uow.session.add(Department(id=key, name_zh="生产部", name_en="Production", kind="business"))
    audit_trail.record(uow, "department-added", "department", key)


def test_the_migrations_lead_to_what_the_tables_say(database: Database) -> None:
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), database_schema.metadata()) == []


@pytest.mark.requirement("R52")
def test_an_act_and_its_audit_event_are_kept_together_or_not_at_all(database: Database) -> None:
    def fail(uow: UnitOfWork) -> None:
        department(uow, "one")
        uow.session.flush()
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="middle"):
        database.run_now(ACTOR, fail)
    database.run_now(ACTOR, department, "two")

    events = database.run_now(ACTOR, lambda uow: list(uow.session.scalars(select(AuditEvent.subject_id))))
    assert events == ["two"]


@pytest.mark.requirement("R52")
@pytest.mark.parametrize("by", ["rollback", "error", "flush"])
def test_a_part_of_an_act_that_is_undone_leaves_no_event(database: Database, by: str) -> None:
    def act(uow: UnitOfWork) -> None:
        department(uow, "before")
        with suppress(RuntimeError, IntegrityError), uow.savepoint() as nested:
            department(uow, "undone" if by != "flush" else "before")
            if by == "rollback":
                nested.rollback()
            elif by == "error":
                raise RuntimeError("in the middle")
        with uow.savepoint():
            department(uow, "after")

    database.run_now(ACTOR, act)

    in_order = select(AuditEvent.subject_id).order_by(AuditEvent.seq)
    events = database.run_now(ACTOR, lambda uow: list(uow.session.scalars(in_order)))
    assert events == ["before", "after"]
    assert database.run_now(ACTOR, lambda uow: set(uow.session.scalars(select(Department.id)))) == set(events)


def test_whoever_comes_second_is_told_to_try_again(database: Database) -> None:
    database.run_now(ACTOR, department, "one")

    with pytest.raises(Retryable, match="came first"):
        database.run_now(ACTOR, department, "one")

    assert database.run_now(ACTOR, lambda uow: uow.session.scalar(select(func.count()).select_from(Department))) == 1


def test_a_moment_without_a_zone_is_refused_and_others_come_back_in_utc(database: Database) -> None:
    database.run_now(ACTOR, department, "one")
    assert database.run_now(ACTOR, lambda uow: uow.session.scalars(select(AuditEvent.at)).one()) == NOON

    def naive(uow: UnitOfWork) -> None:
        uow.session.scalars(select(AuditEvent).where(AuditEvent.at == NOON.replace(tzinfo=None)))

    with pytest.raises(StatementError, match="aware"):
        database.run_now(ACTOR, naive)


def test_listeners_hear_of_commits_and_of_nothing_else(database: Database) -> None:
    heard: list[str] = []
    database.on(EVERY_COMMIT, lambda: heard.append("commit"))

    with pytest.raises(ZeroDivisionError):
        database.run_now(ACTOR, lambda uow: 1 // 0)
    assert heard == []

    database.run_now(ACTOR, department, "one")
    assert heard == ["commit"]


def test_a_reading_waits_for_no_writer_of_any_process(database: Database) -> None:
    database.run_now(ACTOR, department, "one")
    with database.engine.begin() as writer:  # as another process: on SQLite it holds the one writer's lock
        writer.execute(insert(Department), {"id": "two", "name_zh": "二", "name_en": "two", "kind": "business"})
        assert database.read_now(ACTOR, lambda uow: uow.session.scalars(select(Department.id)).all()) == ["one"]


def test_a_reading_sees_one_moment_of_the_database(database: Database) -> None:
    database.run_now(ACTOR, department, "one")

    def read(uow: UnitOfWork) -> tuple[list[str], list[str]]:
        names = select(Department.id)
        before = list(uow.session.scalars(names))
        with database.engine.begin() as writer:
            writer.execute(insert(Department), {"id": "two", "name_zh": "二", "name_en": "two", "kind": "business"})
        return before, list(uow.session.scalars(names))

    assert database.read_now(ACTOR, read) == (["one"], ["one"])
    assert database.read_now(ACTOR, lambda uow: set(uow.session.scalars(select(Department.id)))) == {"one", "two"}


@pytest.mark.requirement("R52")
def test_the_event_of_a_reading_is_kept_before_its_answer_is_given(database: Database) -> None:
    def read(uow: UnitOfWork) -> int:
        audit_trail.record(uow, "department-read", "department", "all")
        return uow.session.scalar(select(func.count()).select_from(AuditEvent)) or 0

    assert database.read_now(ACTOR, read) == 0
    assert database.run_now(ACTOR, lambda uow: uow.session.scalars(select(AuditEvent.action)).all()) == [
        "department-read"
    ]


@pytest.mark.requirement("R52", refuses=True)
def test_a_reading_whose_event_cannot_be_kept_gives_no_answer(database: Database) -> None:
    def refuse(*_: object) -> None:
        raise Retryable("the disk is full")

    database._append_events = refuse
    with pytest.raises(Retryable, match="full"):
        database.read_now(ACTOR, lambda uow: audit_trail.record(uow, "department-read", "department", "all"))
    assert database.read_now(ACTOR, lambda uow: uow.session.scalar(select(func.count()).select_from(AuditEvent))) == 0


def test_a_reading_can_neither_write_nor_lock(database: Database) -> None:
    def write(uow: UnitOfWork) -> None:
        uow.session.execute(insert(Department), {"id": "no", "name_zh": "无", "name_en": "no", "kind": "business"})

    with pytest.raises(Exception, match=r"(?i)read.?only"):
        database.read_now(ACTOR, write)
    with pytest.raises(RuntimeError, match="locks no rows"):
        database.read_now(ACTOR, lambda uow: uow.session.get(Department, "one", with_for_update=True))
    database.run_now(ACTOR, write)  # the connection writes again


def test_what_a_reading_leaves_to_write_is_written_after_it(database: Database) -> None:
    database.read_now(ACTOR, lambda uow: uow.write(lambda writing: department(writing, "one")))
    assert database.run_now(ACTOR, lambda uow: uow.session.scalars(select(Department.id)).all()) == ["one"]


def test_what_a_refused_reading_counts_is_counted(database: Database) -> None:
    def refuse(uow: UnitOfWork) -> None:
        uow.after_refusal.append(lambda counting: department(counting, "one"))
        raise Refused("no", "No.")

    with pytest.raises(Refused):
        database.read_now(ACTOR, refuse)
    assert database.run_now(ACTOR, lambda uow: uow.session.scalars(select(Department.id)).all()) == ["one"]


def test_without_a_free_connection_a_unit_is_tried_again_later(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = database.engine.pool
    monkeypatch.setattr(pool, "_timeout", 0)
    taken = [pool.connect() for _ in range(15)]
    try:
        for unit in (database.run_now, database.read_now):
            with pytest.raises(Retryable, match="every connection of this process was in use"):
                unit(ACTOR, lambda _: None)
    finally:
        for connection in taken:
            connection.close()
    database.run_now(ACTOR, department, "one")


def test_the_connections_in_use_are_told(database: Database) -> None:
    def told(name: str) -> float:
        return metrics.REGISTRY.get_sample_value(f"footage_desk_database_connections_{name}") or 0

    during = database.run_now(Actor("system", "test"), lambda uow: uow.session.connection() and told("in_use"))

    assert (during, told("in_use")) == (1, 0)
    assert told("limit") >= 5
