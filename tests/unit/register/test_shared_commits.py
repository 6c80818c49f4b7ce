"""Units that come at once on SQLite share a commit: each stands or falls as if it had one of its own."""

import random
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from new_books import lay_out
from sqlalchemy import Engine, event, select, text
from sqlalchemy.exc import IntegrityError

from services.keeping.books import snapshot
from services.keeping.trail_check import recompute
from services.register import audit
from services.register import unit as unit_of_work
from services.register.people import Department
from services.register.rules import Rules
from services.register.shared_commits import HELD_OPEN, SharedCommits
from services.register.unit import EVERY_COMMIT, Actor, Register, Unit
from services.runtime.clock import FixedClock
from services.runtime.errors import Refused, Retryable

NOON = datetime(2031, 3, 4, 12, 0, tzinfo=UTC)
ACTOR = Actor("system", "test")
PATIENCE = 30.0  # seconds until a test that hangs fails
DEPARTMENT = "INSERT {} INTO departments (id, name_zh, name_en, kind) VALUES ('{}', '生产部', 'Production', 'business')"

Act = Callable[[Unit], Any]


class Queue(deque[Any]):
    """Tells when somebody has begun to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.came = threading.Semaphore(0)

    def append(self, waiting: Any) -> None:
        super().append(waiting)
        self.came.release()


class Company:
    """Acts of several threads: the first is at work until all others wait for their turn, in this order."""

    def __init__(self, file: Path) -> None:
        self.file, self.url = file, f"sqlite:///{file}"
        self.register = Register(self.url, FixedClock(NOON), Rules(max_use_days=30))
        lay_out(self.register)
        self.seconds = 0.0
        self.queue = Queue()
        self.commits = SharedCommits(self.register.engine, lambda: self.seconds)
        self.commits._waiting = self.queue
        self.register._begin = self.commits.begin
        self.committed = 0
        event.listen(self.register.engine, "commit", self._count)

    def _count(self, _connection: object) -> None:
        self.committed += 1

    def together(self, *acts: Act) -> list[Any]:
        """What each answers or raises."""
        begun, all_wait = threading.Event(), threading.Event()

        def first(unit: Unit) -> Any:
            begun.set()
            assert all_wait.wait(PATIENCE)
            return acts[0](unit)

        with ThreadPoolExecutor(len(acts)) as pool:
            ended: list[Future[Any]] = [pool.submit(self.register.run_now, ACTOR, first)]
            assert begun.wait(PATIENCE)
            for act in acts[1:]:
                ended.append(pool.submit(self.register.run_now, ACTOR, act))
                assert self.queue.came.acquire(timeout=PATIENCE)
            all_wait.set()
            return [one.exception(PATIENCE) or one.result() for one in ended]

    def kept(self) -> list[str]:
        """What is on the disk, as another connection sees it, once the trail has been recomputed."""
        with snapshot(self.url) as connection:
            assert recompute(connection).faults == []
        return self.on_disk()

    def on_disk(self) -> list[str]:
        with closing(sqlite3.connect(self.file)) as connection:
            events = [row[0] for row in connection.execute("SELECT subject_id FROM audit_events ORDER BY seq")]
            rows = {row[0] for row in connection.execute("SELECT id FROM departments")}
        assert rows == set(events)
        return events


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    company = Company(tmp_path / "register.db")
    yield company
    company.register.close()


def enter(key: str, then: Act | None = None) -> Act:
    """Enter a department with its event; answers which there are."""

    def act(unit: Unit) -> list[str]:
        unit.session.add(Department(id=key, name_zh="生产部", name_en="Production", kind="business"))
        audit.record(unit, "department-entered", "department", key)
        unit.session.flush()
        if then is not None:
            then(unit)
        return sorted(unit.session.scalars(select(Department.id)))

    return act


def fail(error: BaseException) -> Act:
    def act(_unit: Unit) -> None:
        raise error

    return act


def break_at_commit(unit: Unit) -> None:
    unit.session.execute(text("PRAGMA defer_foreign_keys = ON"))
    unit.session.execute(
        text("INSERT INTO rule_changes (at, changed_by, rule, reason) VALUES ('2031-03-04', 'nobody', 'x', 'y')")
    )


def test_acts_at_once_share_a_commit_and_see_what_was_done_before(company: Company) -> None:
    heard: dict[int, list[str]] = {}
    company.register.on(EVERY_COMMIT, lambda: heard.setdefault(threading.get_ident(), company.on_disk()))

    answers = company.together(enter("a"), enter("b"), enter("c"))

    assert answers == [["a"], ["a", "b"], ["a", "b", "c"]]
    assert company.committed == 1
    assert list(heard.values()) == [["a", "b", "c"]] * 3  # each in its own thread, once all is on the disk


@pytest.mark.parametrize("error", [Refused("no", "不", "No"), ZeroDivisionError(), KeyboardInterrupt(), SystemExit()])
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
    def refused(unit: Unit) -> None:
        unit.after_refusal.append(enter("counted"))
        raise Refused("no", "不", "No")

    company.together(enter("a"), enter("b", refused), enter("c"))

    assert sorted(company.kept()) == ["a", "c", "counted"]


def test_a_part_and_a_conflict_are_undone_alone(company: Company) -> None:
    def conflicts(unit: Unit) -> None:
        with suppress(IntegrityError), unit.savepoint():
            enter("a")(unit)

    answers = company.together(enter("a"), enter("b", conflicts), enter("a"), enter("c"))

    assert isinstance(answers[2], Retryable)
    assert "came first" in str(answers[2])
    assert company.kept() == ["a", "b", "c"]


def test_a_commit_that_fails_fails_all_and_the_next_works(company: Company) -> None:
    heard: list[str] = []
    company.register.on(EVERY_COMMIT, lambda: heard.append("commit"))

    answers = company.together(enter("a"), enter("b", break_at_commit), enter("c"))

    assert [type(one) for one in answers] == [Retryable] * 3
    assert "the register did not answer" in str(answers[0])
    assert (company.kept(), heard) == ([], [])
    assert company.together(enter("d"), enter("e")) == [["d"], ["d", "e"]]
    assert company.kept() == ["d", "e"]


def test_who_fails_last_raises_its_own_error_and_not_that_of_the_commit(company: Company) -> None:
    refused = Refused("no", "不", "No")

    answers = company.together(enter("a"), enter("b", break_at_commit), fail(refused))

    assert [type(one) for one in answers[:2]] == [Retryable] * 2
    assert answers[2] is refused
    assert company.kept() == []


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("goes_on", ["with the error", "with another act", "as if nothing had been"])
def test_where_sqlite_ends_the_transaction_nobody_is_told_of_success(
    company: Company, place: int, goes_on: str
) -> None:
    company.register.run_now(ACTOR, enter("before"))

    def lose(unit: Unit) -> None:
        try:
            unit.session.execute(text(DEPARTMENT.format("OR ROLLBACK", "before")))
        except IntegrityError:
            if goes_on == "with the error":
                raise
            if goes_on == "with another act":
                unit.session.execute(text(DEPARTMENT.format("", "on its own")))

    acts: list[Act] = [enter("a"), enter("b"), enter("c")]
    acts[place] = lose

    answers = company.together(*acts)

    assert [isinstance(one, Exception) for one in answers[: place + 1]] == [True] * (place + 1)
    assert [type(one) for one in answers[:place]] == [Retryable] * place
    assert company.kept() == ["before", *"abc"[place + 1 :]]  # those who came after have begun anew


def test_a_transaction_that_another_process_keeps_away_is_tried_again_later(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unit_of_work, "LOCKED_SECONDS", 0.0)
    with closing(sqlite3.connect(company.file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for key in "ab":
            with pytest.raises(Retryable, match="did not answer"):
                company.register.run_now(ACTOR, enter(key))
        other.execute("ROLLBACK")

    company.register.run_now(ACTOR, enter("c"))
    assert company.kept() == ["c"]


def test_who_waits_for_another_process_asks_again_and_again(company: Company) -> None:
    with closing(sqlite3.connect(company.file, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        asked: list[str] = []

        def end_at_last(statement: str) -> None:
            asked.append(statement)
            if asked.count(unit_of_work.BEGIN) == 3:
                other.execute("ROLLBACK")

        event.listen(company.register.engine, "checkout", lambda raw, *_: raw.set_trace_callback(end_at_last))
        company.register.run_now(ACTOR, enter("a"))

    assert company.kept() == ["a"]


def test_a_transaction_is_not_held_open_longer_than_nobody_notices(company: Company) -> None:
    def dawdle(_unit: Unit) -> None:
        company.seconds += HELD_OPEN

    assert len(company.together(enter("a"), enter("b", dawdle), enter("c"))) == 3
    assert company.committed == 2


def test_who_has_only_read_waits_for_nobody(company: Company) -> None:
    def read(unit: Unit) -> list[str]:
        return list(unit.session.scalars(select(Department.id)))

    assert company.together(read, read, enter("a")) == [[], [], ["a"]]
    assert company.committed == 3


@pytest.mark.parametrize("when", ["while it waits", "as it gets the turn"])
def test_who_is_interrupted_while_it_waits_keeps_nobody_waiting(company: Company, when: str) -> None:
    class Interrupted:
        """Stands for the lock of a thread that a signal interrupts."""

        def __init__(self) -> None:
            self._turn = threading.Event()

        def acquire(self) -> None:
            if when == "as it gets the turn":
                assert self._turn.wait(PATIENCE)
            raise KeyboardInterrupt

        def release(self) -> None:
            self._turn.set()

    def interrupted() -> None:
        company.commits._take_turn(Interrupted())  # type: ignore[arg-type]  # a lock can have no subclass

    begun, go_on = threading.Event(), threading.Event()

    def wait(_unit: Unit) -> None:
        begun.set()
        assert go_on.wait(PATIENCE)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(company.register.run_now, ACTOR, enter("a", wait))
        assert begun.wait(PATIENCE)
        second = pool.submit(interrupted)
        assert company.queue.came.acquire(timeout=PATIENCE)
        if when == "while it waits":
            assert isinstance(second.exception(PATIENCE), KeyboardInterrupt)
        go_on.set()
        assert first.result(PATIENCE) == ["a"]
        assert isinstance(second.exception(PATIENCE), KeyboardInterrupt)

    company.register.run_now(ACTOR, enter("b"))
    assert company.kept() == ["a", "b"]


def test_others_write_on_the_same_engine_beside_the_units(company: Company) -> None:
    def directly(engine: Engine, key: str) -> None:
        with engine.begin() as connection:
            connection.execute(
                text("INSERT INTO rule_changes (at, changed_by, rule, reason) SELECT 1, 1, 1, 1 WHERE 0")
            )
            assert connection.execute(select(Department.id).where(Department.id == key)).first() is None

    with ThreadPoolExecutor(3) as pool:
        units = [pool.submit(company.register.run_now, ACTOR, enter(f"{number}")) for number in range(20)]
        others = [pool.submit(directly, company.register.engine, "none") for _ in range(5)]
        for one in (*units, *others):
            one.result(PATIENCE)
    assert len(company.kept()) == 20


@pytest.mark.parametrize("seed", range(3))
def test_whatever_many_threads_do_the_books_are_what_was_answered(company: Company, seed: int) -> None:
    errors = [None, None, None, Refused("no", "不", "No"), RuntimeError("in the middle"), KeyboardInterrupt()]

    def client(number: int) -> list[str]:
        chosen, done = random.Random(seed * 100 + number), []  # noqa: S311  # no secret
        for turn in range(12):
            key, error = f"{chosen.choice([number, 'shared'])}-{turn}", chosen.choice(errors)
            with suppress(Refused, RuntimeError, KeyboardInterrupt, Retryable):
                company.register.run_now(ACTOR, enter(key, fail(error) if error else None))
                done.append(key)
        return done

    with ThreadPoolExecutor(10) as pool:
        answered = [key for done in pool.map(client, range(10)) for key in done]

    assert len(answered) > 30
    assert sorted(company.kept()) == sorted(answered)
