"""Acts of several threads on SQLite: one after another, and each stands or falls alone."""

import random
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from new_database import lay_out
from sqlalchemy import Engine, event, select, text
from sqlalchemy.exc import IntegrityError

from services.backup.database_export import snapshot
from services.database import engine as database_engine
from services.database.tables.people import Department
from services.database.unit_of_work import EVERY_COMMIT, Actor, UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.audit.verification import verify_trail
from services.domain.wiring import open_database
from services.runtime.clock import FixedClock
from services.runtime.errors import Refused, Retryable
from services.runtime.rules import Rules

NOON = datetime(2031, 3, 4, 12, 0, tzinfo=UTC)
ACTOR = Actor("system", "test")
PATIENCE = 30.0  # seconds until a test that hangs fails
DEPARTMENT = "INSERT {} INTO departments (id, name_zh, name_en, kind) VALUES ('{}', '生产部', 'Production', 'business')"

Act = Callable[[UnitOfWork], Any]


class Company:
    """A register on a file that several threads write to."""

    def __init__(self, file: Path) -> None:
        self.file, self.url = file, f"sqlite:///{file}"
        self.database = open_database(self.url, FixedClock(NOON), Rules(max_use_days=30))
        lay_out(self.database)

    def together(self, *acts: Act) -> list[Any]:
        """What each answers or raises: the first is at work until the threads of all others have begun."""
        begun, others = threading.Event(), threading.Semaphore(0)

        def first(uow: UnitOfWork) -> Any:
            begun.set()
            for _ in acts[1:]:
                assert others.acquire(timeout=PATIENCE)
            return acts[0](uow)

        def other(act: Act) -> Any:
            others.release()
            return self.database.run_now(ACTOR, act)

        with ThreadPoolExecutor(len(acts)) as pool:
            ended: list[Future[Any]] = [pool.submit(self.database.run_now, ACTOR, first)]
            assert begun.wait(PATIENCE)
            ended += [pool.submit(other, act) for act in acts[1:]]
            return [one.exception(PATIENCE) or one.result() for one in ended]

    def kept(self) -> list[str]:
        """What is on the disk, as another connection sees it, once the trail has been recomputed; sorted."""
        with snapshot(self.url) as connection:
            assert verify_trail(connection).faults == []
        return self.on_disk()

    def on_disk(self) -> list[str]:
        with closing(sqlite3.connect(self.file)) as connection:
            connection.execute("BEGIN")  # both at one moment, while others commit
            events = [row[0] for row in connection.execute("SELECT subject_id FROM audit_events ORDER BY 1")]
            rows = {row[0] for row in connection.execute("SELECT id FROM departments")}
        assert rows == set(events)
        return events


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    company = Company(tmp_path / "database.sqlite3")
    yield company
    company.database.close()


def enter(key: str, then: Act | None = None) -> Act:
    """Enter a department with its event; answers which there are."""

    def act(uow: UnitOfWork) -> list[str]:
        uow.session.add(Department(id=key, name_zh="生产部", name_en="Production", kind="business"))
        audit_trail.record(uow, "department-added", "department", key)
        uow.session.flush()
        if then is not None:
            then(uow)
        return sorted(uow.session.scalars(select(Department.id)))

    return act


def fail(error: BaseException) -> Act:
    def act(_unit: UnitOfWork) -> None:
        raise error

    return act


def break_at_commit(uow: UnitOfWork) -> None:
    uow.session.execute(text("PRAGMA defer_foreign_keys = ON"))
    uow.session.execute(
        text("INSERT INTO rule_changes (at, changed_by, rule, reason) VALUES ('2031-03-04', 'nobody', 'x', 'y')")
    )


def test_an_act_sees_what_was_done_before_and_is_on_the_disk_when_it_is_heard_of(company: Company) -> None:
    heard: dict[int, list[str]] = {}
    company.database.on(EVERY_COMMIT, lambda: heard.setdefault(threading.get_ident(), company.on_disk()))

    answers = company.together(enter("a"), enter("b"), enter("c"))

    assert sorted(map(len, answers)) == [1, 2, 3]
    assert answers[0] == ["a"]
    assert ["a", "b", "c"] in answers
    assert len(heard) == 3  # each in its own thread
    assert all("a" in seen for seen in heard.values())


@pytest.mark.parametrize("error", [Refused("no", "No"), ZeroDivisionError(), KeyboardInterrupt(), SystemExit()])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_an_act_that_fails_leaves_nothing_and_its_neighbours_stay(
    company: Company, place: int, error: BaseException
) -> None:
    acts = [enter("a"), enter("b"), enter("c")]
    acts[place] = enter("failed", fail(error))

    answers = company.together(*acts)

    assert answers[place] is error
    assert company.kept() == [key for number, key in enumerate("abc") if number != place]


def test_what_is_counted_after_a_refusal_has_a_transaction_of_its_own(company: Company) -> None:
    def refused(uow: UnitOfWork) -> None:
        uow.after_refusal.append(enter("counted"))
        raise Refused("no", "No")

    company.together(enter("a"), enter("b", refused), enter("c"))

    assert company.kept() == ["a", "c", "counted"]


def test_a_part_and_a_conflict_are_undone_alone(company: Company) -> None:
    def conflicts(uow: UnitOfWork) -> None:
        with suppress(IntegrityError), uow.savepoint():
            enter("a")(uow)

    answers = company.together(enter("a"), enter("b", conflicts), enter("a"), enter("c"))

    assert isinstance(answers[2], Retryable)
    assert "came first" in str(answers[2])
    assert company.kept() == ["a", "b", "c"]


def test_a_commit_that_fails_fails_alone_and_the_next_works(company: Company) -> None:
    heard: list[str] = []
    company.database.on(EVERY_COMMIT, lambda: heard.append("commit"))

    answers = company.together(enter("a"), enter("b", break_at_commit), enter("c"))

    assert isinstance(answers[1], Retryable)
    assert (company.kept(), heard) == (["a", "c"], ["commit"] * 2)


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("goes_on", ["with the error", "with another act", "as if nothing had been"])
def test_where_sqlite_ends_the_transaction_nobody_is_told_of_success(
    company: Company, place: int, goes_on: str
) -> None:
    company.database.run_now(ACTOR, enter("before"))

    def lose(uow: UnitOfWork) -> None:
        try:
            uow.session.execute(text(DEPARTMENT.format("OR ROLLBACK", "before")))
        except IntegrityError:
            if goes_on == "with the error":
                raise
            if goes_on == "with another act":
                uow.session.execute(text(DEPARTMENT.format("", "on its own")))

    acts: list[Act] = [enter("a"), enter("b"), enter("c")]
    acts[place] = lose

    answers = company.together(*acts)

    assert isinstance(answers[place], Exception)
    assert company.kept() == sorted({"before", *"abc"} - {"abc"[place]})


def test_a_transaction_that_another_process_keeps_away_is_tried_again_later(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_engine, "LOCK_TIMEOUT_SECONDS", 0.0)
    with closing(sqlite3.connect(company.file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for key in "ab":
            with pytest.raises(Retryable, match="did not answer"):
                company.database.run_now(ACTOR, enter(key))
        other.execute("ROLLBACK")

    company.database.run_now(ACTOR, enter("c"))
    assert company.kept() == ["c"]


def test_who_waits_for_another_process_asks_again_and_again(company: Company) -> None:
    with closing(sqlite3.connect(company.file, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        asked: list[str] = []

        def end_at_last(statement: str) -> None:
            asked.append(statement)
            if asked.count(database_engine.BEGIN) == 3:
                other.execute("ROLLBACK")

        event.listen(company.database.engine, "checkout", lambda raw, *_: raw.set_trace_callback(end_at_last))
        company.database.run_now(ACTOR, enter("a"))

    assert company.kept() == ["a"]


def test_others_write_on_the_same_engine_beside_the_units(company: Company) -> None:
    def directly(engine: Engine, key: str) -> None:
        with engine.begin() as connection:
            connection.execute(
                text("INSERT INTO rule_changes (at, changed_by, rule, reason) SELECT 1, 1, 1, 1 WHERE 0")
            )
            assert connection.execute(select(Department.id).where(Department.id == key)).first() is None

    with ThreadPoolExecutor(3) as pool:
        units = [pool.submit(company.database.run_now, ACTOR, enter(f"{number}")) for number in range(20)]
        others = [pool.submit(directly, company.database.engine, "none") for _ in range(5)]
        for one in (*units, *others):
            one.result(PATIENCE)
    assert len(company.kept()) == 20


@pytest.mark.parametrize("seed", range(3))
def test_whatever_many_threads_do_the_books_are_what_was_answered(company: Company, seed: int) -> None:
    errors = [None, None, None, Refused("no", "No"), RuntimeError("in the middle"), KeyboardInterrupt()]

    def client(number: int) -> list[str]:
        chosen, done = random.Random(seed * 100 + number), []  # noqa: S311  # no secret
        for turn in range(12):
            key, error = f"{chosen.choice([number, 'shared'])}-{turn}", chosen.choice(errors)
            with suppress(Refused, RuntimeError, KeyboardInterrupt, Retryable):
                company.database.run_now(ACTOR, enter(key, fail(error) if error else None))
                done.append(key)
        return done

    with ThreadPoolExecutor(10) as pool:
        answered = [key for done in pool.map(client, range(10)) for key in done]

    assert len(answered) > 30
    assert company.kept() == sorted(answered)
