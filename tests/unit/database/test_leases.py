"""Leases: one process at a time has one, another takes it over within a bounded time, and who lost it knows so."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from background import going
from sqlalchemy import ColumnElement, Double, event, literal

from services.app import portal_tasks
from services.database.leases import Lease, Leased, LeaseTime, end_all
from services.database.unit_of_work import Actor, Database
from services.domain.wiring import open_database
from services.runtime import metrics
from services.runtime.clock import FixedClock
from services.runtime.errors import Retryable
from services.runtime.rules import Rules

pytestmark = pytest.mark.both_databases

TEN = timedelta(seconds=10)
TEST = Actor("system", "test")
PATIENCE = 10.0


class TurnedTime(LeaseTime):
    """A time of leases that passes when it is told to, in the database and in the processes."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def now(self, _dialect: str) -> ColumnElement[float]:
        return literal(self.seconds, Double())

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def time() -> TurnedTime:
    return TurnedTime()


def held(task: str) -> float | None:
    return metrics.REGISTRY.get_sample_value("footage_desk_lease_held", {"task": task})


async def test_one_of_two_holds_a_lease_and_the_other_takes_it_over_when_it_has_run_out(
    database: Database, time: TurnedTime
) -> None:
    first = Lease(database, "relay", TEN, holder="a", time_=time)
    second = Lease(database, "relay", TEN, holder="b", time_=time)

    assert [await first.hold(), await second.hold()] == [True, False]
    answers = []
    for _ in range(4):  # the first was killed: it renews nothing any more
        time.seconds += 10 / 3 + 0.01
        answers.append(await second.hold())

    assert answers == [False, False, True, True]
    assert not first.held
    assert not await first.hold()


async def test_a_lease_of_a_clock_that_was_ahead_does_not_outlive_its_holder(
    database: Database, time: TurnedTime
) -> None:
    assert await Lease(database, "relay", TEN, holder="a", time_=time).hold()  # and is killed
    time.seconds -= TEN.total_seconds()
    assert not await Lease(database, "relay", TEN, holder="b", time_=time).hold(), "it may be alive"

    time.seconds -= timedelta(days=1).total_seconds()
    assert await Lease(database, "relay", TEN, holder="b", time_=time).hold()
    assert not await Lease(database, "relay", TEN, holder="c", time_=time).hold()


async def test_who_renews_in_time_keeps_it(database: Database, time: TurnedTime) -> None:
    first = Lease(database, "relay", TEN, holder="a", time_=time)
    second = Lease(database, "relay", TEN, holder="b", time_=time)
    for _ in range(20):
        assert await first.hold()
        assert not await second.hold()
        time.seconds += 4


async def test_a_lease_that_is_given_back_is_taken_at_once(database: Database, time: TurnedTime) -> None:
    first = Lease(database, "relay", TEN, holder="a", time_=time)
    assert await first.hold()
    assert held("relay") == 1

    await first.release()

    assert held("relay") == 0
    assert not await first.hold()  # the others come first
    assert await Lease(database, "relay", TEN, holder="b", time_=time).hold()


async def test_who_gives_back_what_another_has_taken_takes_nothing_from_it(
    database: Database, time: TurnedTime
) -> None:
    slow = Lease(database, "relay", 2 * TEN, holder="a", time_=time)
    assert await slow.hold()
    await database.run(TEST, end_all)
    second = Lease(database, "relay", TEN, holder="b", time_=time)
    assert await second.hold()

    await slow.release()

    assert not await Lease(database, "relay", TEN, holder="c", time_=time).hold()


async def test_the_database_is_asked_once_in_a_third_of_the_length(database: Database, time: TurnedTime) -> None:
    leases = [Lease(database, "relay", TEN, holder=name, time_=time) for name in "ab"]
    begun = count_statements(database)
    for _ in range(100):
        for lease in leases:
            await lease.hold()

    assert len(begun()) == len(leases)


async def test_leases_run_by_the_clock_of_the_database(database: Database) -> None:
    assert await Lease(database, "relay", TEN, holder="a").hold()
    assert not await Lease(database, "relay", TEN, holder="b").hold()
    assert await Lease(database, "ended", -TEN, holder="a").hold() is False  # taken, and run out
    assert await Lease(database, "ended", TEN, holder="b").hold()


async def test_a_task_that_fails_or_ends_leaves_the_lease_to_another_process(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: asyncio.Queue[str] = asyncio.Queue()

    async def fail() -> None:
        ran.put_nowait("failed")
        raise Retryable("the engine cannot be reached from here")

    async def work() -> None:
        ran.put_nowait("worked")

    never = timedelta(days=1)
    given_back = asyncio.Event()
    failing = Leased(Lease(database, "task", never, holder="a"), never, fail)
    release = failing.lease.release

    async def note_release() -> None:
        await release()
        given_back.set()

    monkeypatch.setattr(failing.lease, "release", note_release)
    async with asyncio.timeout(PATIENCE), going(failing.run()):
        assert await ran.get() == "failed"
        await given_back.wait()
        async with going(Leased(Lease(database, "task", never, holder="b"), never, work).run()):
            assert await ran.get() == "worked"
        async with going(Leased(Lease(database, "task", never, holder="c"), never, work).run()):
            assert await ran.get() == "worked"


async def test_a_process_that_counts_nothing_exports_what_another_has_counted(
    database: Database, any_database_url: str, time: TurnedTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[str] = []
    monkeypatch.setattr(metrics, "export_counted", counted.append)
    monkeypatch.setattr(metrics, "generate_latest", lambda _: b"")
    other = open_database(any_database_url, FixedClock(datetime(2031, 3, 4, tzinfo=UTC)), Rules(max_use_days=30))
    tasks = [
        portal_tasks.count(of, lease=Lease(of, "metrics", TEN, holder=name, time_=time))
        for of, name in ((database, "a"), (other, "b"))
    ]
    statements = [count_statements(database), count_statements(other)]
    try:
        for task in tasks:
            await task._run_once()
        first = [len(asked()) for asked in statements]
        time.seconds += 11  # the first was killed
        await tasks[1]._run_once()
        second = len(statements[1]())
    finally:
        other.close()

    assert counted[0] == counted[1]
    assert "footage_desk_outbox_lag_seconds 0.0" in counted[0]
    assert len(counted) == 3
    assert first[0] > 10
    assert first[1] == 2  # the lease, and what was counted
    assert second == first[0]


def test_the_metrics_of_instances_have_a_registry_of_their_own() -> None:
    assert metrics.CASES_WITHOUT_INSTANCE in metrics.INSTANCE_REGISTRY._collector_to_names
    assert metrics.CASES_WITHOUT_INSTANCE not in metrics.DATABASE_REGISTRY._collector_to_names


def count_statements(database: Database) -> Callable[[], list[str]]:
    """Return a function that returns the statements since it was last called, besides those that begin or end."""
    said: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            said.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)

    def taken() -> list[str]:
        result = said[:]
        said.clear()
        return result

    return taken
