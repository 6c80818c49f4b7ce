"""A job whose part is away waits with all its retries; what a wait does not mend uses them up."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from fake_gateway import FakeGateway
from seal_jobs import Act, Sealed, SealItem, raises, running, seal_worker, settings_for

from services.database.outages import away
from services.recorders.protocol import RecorderDown
from services.runtime.clock import FixedClock
from services.runtime.errors import Fatal, Outcome, Retryable
from services.runtime.jobs.commands import JobFacts
from services.runtime.jobs.failures import Backoff, Waits
from services.runtime.jobs.journal import Begun, NoJournal, Wait
from services.runtime.jobs.runner import JobRunner
from services.runtime.metrics import REGISTRY
from services.vault.store.protocol import StoreDown

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
SECOND = 1000  # milliseconds


class Kept(NoJournal):
    """Keeps the last wait, as the database does across restarts."""

    def __init__(self, since: datetime | None = None, error: Exception | None = None) -> None:
        self.since, self.error = since, error
        self.waited: list[Wait | None] = []
        self.stopped = 0

    async def began(self, job: JobFacts, /) -> Begun:
        if self.error is not None:
            raise self.error
        return Begun(self.since)

    async def waits(self, job: JobFacts, wait: Wait | None, /) -> None:
        self.waited.append(wait)
        self.since = wait.since if wait is not None else None

    async def stuck(self, job: JobFacts, /) -> None:
        self.stopped += 1


@asynccontextmanager
async def failing(
    gateway: FakeGateway, channel: grpc.aio.Channel, error: Exception | Act, journal: Kept, clock: FixedClock
) -> AsyncIterator[None]:
    runner = JobRunner(
        settings_for(gateway),
        [seal_worker(raises(error) if isinstance(error, Exception) else error)],
        {},
        channel,
        backoff=Backoff(jitter=0),
        journal=journal,
        clock=clock,
    )
    async with running(runner):
        yield


def counted(action: str) -> float:
    named = {"type": "seal-item", "action": action}
    return REGISTRY.get_sample_value("camunda_job_invocations_total", named) or 0.0


DOWN = RecorderDown("could not ask the recorder | recorder 7 | no connection | switch it on")


async def test_what_is_away_uses_up_no_retry_and_the_back_off_grows_with_the_wait(
    gateway: FakeGateway, channel: Any
) -> None:
    journal, clock = Kept(), FixedClock(NOON)
    before = {action: counted(action) for action in ("failed", "waiting")}
    waited = (0, 1, 20, 600, 6 * 3600)
    async with failing(gateway, channel, DOWN, journal, clock):
        failures = []
        for number, seconds in enumerate(waited, 1):
            clock.turn(NOON + timedelta(seconds=seconds) - clock.now())
            await gateway.put("seal-item", 11, {"applicationId": "A1"}, retries=3)
            failures.append(await gateway.call("FailJob", number))

    assert [one.retries for one in failures] == [3] * len(waited)
    assert [one.retryBackOff for one in failures] == [SECOND, SECOND, 20 * SECOND, 300 * SECOND, 300 * SECOND]
    last = journal.waited[-1]
    assert last is not None
    assert (last.part, last.since, last.until) == ("recorder", NOON, NOON + timedelta(hours=24))
    assert last.next_try_at == clock.now() + timedelta(minutes=5)
    assert "tried again until 2026-11-29T12:00Z, then it becomes an incident" in failures[-1].errorMessage
    assert {action: counted(action) - before[action] for action in before} == {"failed": 0, "waiting": len(waited)}


async def test_after_the_limit_it_is_an_incident_that_says_what_to_do_also_after_a_restart(
    gateway: FakeGateway, channel: Any
) -> None:
    journal, clock = Kept(since=NOON), FixedClock(NOON + timedelta(hours=24))

    async with failing(gateway, channel, DOWN, journal, clock):
        await gateway.put("seal-item", 12, {"applicationId": "A1"}, retries=3)
        failed = await gateway.call("FailJob")

    assert (failed.retries, journal.stopped) == (0, 1)
    for part in ("it was waited for since 2026-11-28T12:00Z", "switch it on; bring it back", "recorder-down.md"):
        assert part in failed.errorMessage


async def test_the_last_try_is_at_the_limit(gateway: FakeGateway, channel: Any) -> None:
    journal, clock = Kept(since=NOON), FixedClock(NOON + timedelta(hours=24) - timedelta(seconds=90))

    async with failing(gateway, channel, DOWN, journal, clock):
        await gateway.put("seal-item", 13, {"applicationId": "A1"})
        assert (await gateway.call("FailJob")).retryBackOff == 90 * SECOND


async def test_a_database_that_is_away_is_waited_for_without_the_journal(gateway: FakeGateway, channel: Any) -> None:
    journal, clock = Kept(error=Retryable("the database did not answer", away="database")), FixedClock(NOON)

    async with failing(gateway, channel, DOWN, journal, clock):
        for number in range(1, 8):
            await gateway.put("seal-item", 14, {"applicationId": "A1"}, retries=3)
            failed = await gateway.call("FailJob", number)
            assert failed.retries == 3
            clock.turn(timedelta(minutes=5))

    assert failed.retryBackOff == 300 * SECOND


@pytest.mark.parametrize(
    "error",
    [
        RecorderDown("it does not accept the password", "login"),
        StoreDown("the store is full", full=True),
        Retryable("could not decode it"),
    ],
    ids=["password", "full", "other"],
)
async def test_what_a_wait_does_not_mend_uses_up_the_retries(
    gateway: FakeGateway, channel: Any, error: Exception
) -> None:
    journal, clock = Kept(since=NOON), FixedClock(NOON)

    async with failing(gateway, channel, error, journal, clock):
        await gateway.put("seal-item", 15, {"applicationId": "A1"}, retries=3)
        await gateway.put("seal-item", 15, {"applicationId": "A1"}, retries=1)
        left = [(await gateway.call("FailJob", number)).retries for number in (1, 2)]

    assert left == [2, 0]
    assert journal.waited == [None]  # it waits no more
    assert journal.stopped == 1


@pytest.mark.parametrize("error", [Fatal("the bucket is not there"), Retryable("could not decode it")])
async def test_an_incident_of_another_cause_is_not_blamed_on_what_was_away(
    gateway: FakeGateway, channel: Any, error: Exception
) -> None:
    journal, clock = Kept(since=NOON), FixedClock(NOON)

    async with failing(gateway, channel, error, journal, clock):
        await gateway.put("seal-item", 17, {"applicationId": "A1"}, retries=1)
        assert (await gateway.call("FailJob")).retries == 0

    assert journal.waited == [None]  # before it is recorded as stopped
    assert journal.stopped == 1


async def test_a_part_that_fails_each_time_after_a_long_try_is_not_waited_for_without_end(
    gateway: FakeGateway, channel: Any
) -> None:
    journal, clock = Kept(), FixedClock(NOON)

    async def try_for_long(_command: SealItem) -> Sealed:
        clock.turn(timedelta(minutes=20))
        raise DOWN

    async with failing(gateway, channel, try_for_long, journal, clock):
        left = []
        for number, retries in enumerate((3, 2, 1), 1):
            await gateway.put("seal-item", 16, {"applicationId": "A1"}, retries=retries)
            left.append((await gateway.call("FailJob", number)).retries)

    assert left == [2, 1, 0]
    assert journal.stopped == 1


def test_a_wait_that_was_noted_long_ago_counts_no_more() -> None:
    waits = Waits()

    assert waits.since(1, NOON) == NOON
    assert waits.since(1, NOON + timedelta(minutes=5)) == NOON
    later = NOON + timedelta(hours=3)  # a try that ran for so long has had its part
    assert waits.since(1, later) == later


@pytest.mark.parametrize(
    ("said", "waited"),
    [
        ("connection refused. Is the server running on that host?", "database"),
        ("FATAL:  the database system is starting up", "database"),
        ("FATAL:  sorry, too many clients already", "database"),
        ("server closed the connection unexpectedly", "database"),
        ('FATAL:  password authentication failed for user "desk_parts"', None),
        ('FATAL:  database "footage" does not exist', None),
        ('FATAL:  role "desk" does not exist', None),
        ("fe_sendauth: no password supplied", None),
        ('致命错误:  用户 "desk_parts" Password 认证失败', None),
    ],
)
def test_a_database_that_refuses_is_not_waited_for(said: str, waited: str | None) -> None:
    assert away(OSError(f"connection failed: {said}")) == waited


class Recorded(Kept):
    """Keeps the wait in a database that other processes change too."""

    async def began(self, job: JobFacts, /) -> Begun:
        return Begun(self.since, recorded=True)


async def test_a_wait_that_another_process_has_seen_the_end_of_is_forgotten(gateway: FakeGateway, channel: Any) -> None:
    journal, clock = Recorded(), FixedClock(NOON)

    async with failing(gateway, channel, DOWN, journal, clock):
        await gateway.put("seal-item", 18, {"applicationId": "A1"}, retries=3)
        await gateway.call("FailJob")
        clock.turn(timedelta(hours=24) - timedelta(minutes=1))
        await gateway.put("seal-item", 18, {"applicationId": "A1"}, retries=3)
        await gateway.call("FailJob", 2)
        # another process reports the incident, and a person resolves it
        journal.since = None
        clock.turn(timedelta(minutes=5))
        await gateway.put("seal-item", 18, {"applicationId": "A1"}, retries=3)
        failed = await gateway.call("FailJob", 3)

    assert (failed.retries, journal.stopped) == (3, 0)
    last = journal.waited[-1]
    assert last is not None
    assert last.since == clock.now()


async def test_a_wait_of_which_the_journal_knows_nothing_is_kept_by_the_process(
    gateway: FakeGateway, channel: Any
) -> None:
    class Forgets(Kept):
        async def waits(self, job: JobFacts, wait: Wait | None, /) -> None:
            self.waited.append(wait)

    journal, clock = Forgets(), FixedClock(NOON)
    async with failing(gateway, channel, DOWN, journal, clock):
        for number in (1, 2):
            await gateway.put("seal-item", 19, {"applicationId": "A1"})
            await gateway.call("FailJob", number)
            clock.turn(timedelta(minutes=5))

    assert [one.since for one in journal.waited if one is not None] == [NOON, NOON]


@pytest.mark.parametrize("end", ["outcome", "done"])
async def test_a_job_that_has_ended_leaves_no_wait_behind(gateway: FakeGateway, channel: Any, end: str) -> None:
    journal, clock, tries = Kept(), FixedClock(NOON), iter([DOWN, None, DOWN])

    async def act(_command: SealItem) -> Sealed:
        if (error := next(tries)) is not None:
            raise error
        if end == "outcome":
            raise Outcome("FOOTAGE_MISSING", "nothing is there")
        return Sealed("copy", 1)

    async with failing(gateway, channel, act, journal, clock):
        for method, number in (
            ("FailJob", 1),
            ("ThrowError" if end == "outcome" else "CompleteJob", 1),
            ("FailJob", 2),
        ):
            await gateway.put("seal-item", 20, {"applicationId": "A1"})
            await gateway.call(method, number)
            journal.since = None
            clock.turn(timedelta(minutes=5))

    since = [one.since for one in journal.waited if one is not None]
    assert since == [NOON, NOON + timedelta(minutes=10)]
