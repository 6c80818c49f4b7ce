"""Whatever an error of the database is: to try again, or a value to correct; and the next unit works."""

import sqlite3
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import NoResultFound

from services.database.driver import open_driver
from services.database.tables.people import Department
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.runtime import metrics
from services.runtime.errors import Refused, Retryable

ACTOR = Actor("system", "test")
RAISE = "DO $$ BEGIN RAISE EXCEPTION 'none of anybody''s business' USING ERRCODE = '{}'; END $$"

on_postgres = [
    pytest.mark.postgres,
    pytest.mark.both_databases,
    pytest.mark.parametrize("any_database_url", ["postgres"], indirect=True),
]


def counted(reason: str) -> float:
    name = "footage_desk_database_transaction_failures_total"
    return metrics.REGISTRY.get_sample_value(name, {"reason": reason}) or 0.0


def count(uow: UnitOfWork) -> int:
    return uow.session.query(Department).count()


def raised(database: Database, *statements: str) -> Exception:
    """What a unit of work raises that executes them."""

    def act(uow: UnitOfWork) -> None:
        for statement in statements:
            uow.session.execute(text(statement))

    with pytest.raises((Retryable, Refused)) as error:
        database.run_now(ACTOR, act)
    assert "business" not in str(error.value) or isinstance(error.value, Retryable)
    assert database.read_now(ACTOR, count) == 0
    return error.value


@pytest.mark.postgres
@pytest.mark.parametrize("any_database_url", ["postgres"], indirect=True)
@pytest.mark.parametrize(
    ("code", "reason", "says"),
    [
        ("40001", "conflict", "another act came first"),
        ("40P01", "conflict", "another act came first"),
        ("23505", "conflict", "another act came first"),
        ("23502", "unavailable", "refused a statement"),  # a value lacks
        ("23514", "unavailable", "refused a statement"),  # no row may have the value
        ("08006", "unavailable", "did not answer"),
        ("53100", "unavailable", "the disk is full"),
        ("53300", "unavailable", "did not answer"),  # too many connections
        ("55P03", "unavailable", "did not answer"),  # a lock is not to be had
        ("57014", "unavailable", "did not answer in time"),
        ("57P01", "unavailable", "did not answer"),  # it is being shut down
        ("57P03", "unavailable", "did not answer"),  # it is being started
        ("58030", "unavailable", "did not answer"),  # its disk fails
        ("25006", "unavailable", "takes no changes"),
        ("25P02", "unavailable", "refused a statement"),
        ("42P01", "unavailable", "refused a statement"),  # a table that is not there
        ("42501", "unavailable", "refused a statement"),  # a right that the account lacks
        ("0A000", "unavailable", "refused a statement"),
        ("XX000", "unavailable", "refused a statement"),
    ],
)
def test_what_postgresql_raises_is_tried_again_and_counted(
    database: Database, code: str, reason: str, says: str
) -> None:
    before = counted(reason)
    error = raised(database, RAISE.format(code))
    assert isinstance(error, Retryable)
    assert says in str(error)
    assert counted(reason) == before + 1
    assert (error.away == "database") == (says in ("did not answer", "did not answer in time", "takes no changes"))


@pytest.mark.postgres
@pytest.mark.parametrize("any_database_url", ["postgres"], indirect=True)
@pytest.mark.parametrize("statement", ["SELECT 1 / 0", "SELECT 99999999999::integer", "SELECT 'x'::date"])
def test_a_value_that_cannot_be_stored_is_refused(database: Database, statement: str) -> None:
    error = raised(database, statement)
    assert isinstance(error, Refused)
    assert (error.code, error.status) == ("not-storable", 422)
    assert error.zh != error.en


@pytest.mark.postgres
@pytest.mark.parametrize("any_database_url", ["postgres"], indirect=True)
def test_a_statement_that_takes_too_long_is_ended_by_the_server(database: Database) -> None:
    error = raised(database, "SET LOCAL statement_timeout = 1", "SELECT pg_sleep(60)")
    assert "it ended a statement that took too long" in str(error)


@pytest.mark.postgres
@pytest.mark.parametrize("any_database_url", ["postgres"], indirect=True)
@pytest.mark.parametrize("where", ["statement", "after it", "audit trail"])
def test_a_connection_that_the_server_ends_is_replaced(database: Database, where: str) -> None:
    end = text("SELECT pg_terminate_backend(pg_backend_pid())")

    def act(uow: UnitOfWork) -> None:
        if where == "statement":
            uow.session.execute(end)
        own = uow.session.scalar(text("SELECT pg_backend_pid()"))
        with database.engine.connect() as other:
            other.execute(text("SELECT pg_terminate_backend(:pid, 10000)"), {"pid": own})
        if where == "audit trail":
            with open_driver(uow.session.connection(), "append") as driver:
                driver.rows("SELECT 1")

    with pytest.raises(Retryable, match=r"did not answer|broke"):
        database.run_now(ACTOR, act)
    assert database.read_now(ACTOR, count) == 0


@pytest.mark.postgres
@pytest.mark.parametrize("any_database_url", ["postgres"], indirect=True)
@pytest.mark.both_databases
def test_a_row_that_is_wrong_by_itself_is_not_said_to_be_another_acts_fault(database: Database) -> None:
    """Nothing but a defect of the product writes one: whoever acts is not told to try again for ever."""
    row = "INSERT INTO departments (id, name_zh, name_en, kind) VALUES ('d', {}, 'en', 'business')"
    assert "refused a statement" in str(raised(database, row.format("NULL")))
    assert "came first" in str(raised(database, row.format("'zh'"), row.format("'zh'")))


def test_what_is_no_error_of_the_database_stays_what_it_is(database: Database) -> None:
    with pytest.raises(NoResultFound):
        database.run_now(ACTOR, lambda uow: uow.session.get_one(Department, "nowhere"))


@pytest.mark.parametrize("any_database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("error", "says"),
    [
        (sqlite3.OperationalError("database is locked"), "did not answer"),
        (sqlite3.OperationalError("attempt to write a readonly database"), "did not answer"),
        (sqlite3.InterfaceError("bad parameter"), "refused a statement"),
        (sqlite3.ProgrammingError("Cannot operate on a closed database."), "broke|refused"),
        (sqlite3.DatabaseError("nobody knows"), "refused a statement"),
        (sqlite3.IntegrityError("UNIQUE"), "came first"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_sqlites_driver_raises_itself_is_tried_again(database: Database, error: Exception, says: str) -> None:
    def fail(_: UnitOfWork) -> None:
        raise error

    for unit in (database.run_now, database.read_now):
        with pytest.raises(Retryable, match=says):
            unit(ACTOR, fail)
    assert database.read_now(ACTOR, count) == 0


Unit = Callable[..., Any]
