"""The relay: every message is published until the books show that the process has taken it, and no longer."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import grpc
import pytest
from broken_gateways import served
from fake_gateway import FakeGateway
from review_desk import NOON, ReviewDesk
from sqlalchemy import Double, literal
from written_logs import written_logs

from services.database.leases import Lease, LeaseTime
from services.database.tables.applications import Application
from services.database.tables.outbox import OutboxMessage
from services.database.unit_of_work import UnitOfWork
from services.domain.applications import opening as application_opening
from services.domain.custody import closing
from services.domain.process import outbox, subjects
from services.domain.process import relay as relaying
from services.domain.process.relay import FAILURES_IN_A_ROW, LEASE, OutgoingMessage, Relay, claim_due
from services.runtime import metrics
from services.runtime.engine_client import PyzeebeEngineClient, Unauthorized
from services.runtime.errors import Fatal, Retryable
from services.runtime.logs import get_logger

pytestmark = pytest.mark.both_databases

MINUTE = timedelta(minutes=1)


class Engine:
    """The publishing side of an engine client; ``trouble`` is raised instead while it is set.

    ``away``: correlation keys of a partition that is away.
    """

    def __init__(self) -> None:
        self.published: list[tuple[str, str, dict[str, object], str]] = []
        self.trouble: Exception | None = None
        self.away = set[str]()
        self.asked = 0
        self.heard = asyncio.Event()

    async def publish_message(
        self,
        name: str,
        correlation_key: str,
        variables: Mapping[str, object],
        message_id: str,
        ttl: timedelta = timedelta(hours=1),
    ) -> None:
        assert ttl == timedelta(hours=1)
        self.asked += 1
        if correlation_key in self.away:
            raise Retryable("its partition is away")
        if self.trouble is not None:
            raise self.trouble
        self.published.append((name, correlation_key, dict(variables), message_id))
        self.heard.set()


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


def relay(desk: ReviewDesk, engine: Any) -> Relay:
    return Relay(desk.database, engine)


async def test_a_message_carries_its_keys_and_is_published_again_with_growing_pauses(desk: ReviewDesk) -> None:
    engine, application_id = Engine(), desk.submitted()
    pauses = []
    for pause in (1, 5, 30, 60, 60):
        assert await relay(desk, engine).publish_due() == 1
        assert await relay(desk, engine).publish_due() == 0
        desk.clock.turn((pause * MINUTE) - timedelta(seconds=1))
        assert await relay(desk, engine).publish_due() == 0
        desk.clock.turn(timedelta(seconds=1))
        pauses.append(pause)

    assert engine.published == [
        ("application-submitted", application_id, {"applicationId": application_id}, application_id)
    ] * len(pauses)


async def test_what_the_process_has_taken_is_published_no_more(desk: ReviewDesk) -> None:
    engine, application_id = Engine(), desk.submitted()
    await relay(desk, engine).publish_due()

    desk.run(application_opening.open_case, application_id, 4711)
    desk.clock.turn(timedelta(days=1))

    assert await relay(desk, engine).publish_due() == 0


async def test_an_engine_that_is_away_delays_and_loses_nothing(desk: ReviewDesk) -> None:
    engine, application_id = Engine(), desk.submitted()
    engine.trouble = Retryable("away")
    with pytest.raises(Retryable):
        await relay(desk, engine).publish_due()

    engine.trouble = None
    assert await relay(desk, engine).publish_due() == 1
    assert engine.published[0][1] == application_id


async def test_a_message_that_the_engine_refuses_does_not_hold_the_others_up(desk: ReviewDesk) -> None:
    engine = Engine()
    desk.submitted()
    engine.trouble = Fatal("refused")
    await relay(desk, engine).publish_due()
    engine.trouble = None
    later = desk.submitted()

    await relay(desk, engine).publish_due()

    assert [message[1] for message in engine.published] == [later]


async def run_until(relay: Relay, engine: Engine, key: str) -> int:
    """Run the relay until the message of this key is published; return how many runs it took."""
    for run in range(1, 20):
        asked = engine.asked
        try:
            await relay.publish_due()
        except Retryable:
            assert engine.asked - asked <= FAILURES_IN_A_ROW
        if key in [message[1] for message in engine.published]:
            return run
    raise AssertionError("the message is not published")


async def test_a_partition_that_is_away_delays_its_own_cases_alone(
    desk: ReviewDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relaying, "AT_ONCE", 4)
    engine = Engine()
    engine.away = {desk.submitted() for _ in range(7)}  # more than a page
    behind, publisher = desk.submitted(), relay(desk, engine)
    assert await run_until(publisher, engine, behind) == 3  # once all seven were tried

    for _ in range(3):
        assert await run_until(publisher, engine, desk.submitted()) == 1
    assert {message[1] for message in engine.published}.isdisjoint(engine.away)

    returned, engine.away = engine.away, set()
    while await publisher.publish_due():
        pass
    assert len(engine.published) == len({message[1] for message in engine.published}) == 11
    assert returned < {message[1] for message in engine.published}


async def test_an_engine_that_is_away_is_not_asked_for_each_message(desk: ReviewDesk) -> None:
    engine = Engine()
    waiting = [desk.submitted() for _ in range(FAILURES_IN_A_ROW + 2)]
    engine.trouble, publisher = Retryable("away"), relay(desk, engine)
    with pytest.raises(Retryable, match="away"):
        await publisher.publish_due()
    assert engine.asked == FAILURES_IN_A_ROW

    engine.trouble = None
    assert await publisher.publish_due() == len(waiting)  # at once, and each of them once
    assert sorted(message[1] for message in engine.published) == sorted(waiting)


async def test_a_message_that_is_not_taken_is_not_overtaken_within_its_case(desk: ReviewDesk) -> None:
    engine, other = Engine(), desk.submitted()
    case = desk.submitted()

    def publish_later(uow: Any, name: str) -> None:
        outbox.publish(uow, name, f"{name}-key", application_id=case, message_id=name, variables={})

    desk.clock.turn(MINUTE)
    desk.run(publish_later, "second")
    engine.away, time = {case}, RelayTime()
    [publisher, _] = two_relays(desk, engine, time)
    assert await publisher.publish_due() == 1
    desk.clock.turn(timedelta(seconds=1))
    desk.run(publish_later, "third")
    for _ in range(3):
        with pytest.raises(Retryable, match="its partition"):
            await publisher.publish_due()
        time.seconds += LEASE.total_seconds()  # it may have left the lease to others for a while
    assert [message[1] for message in engine.published] == [other]

    engine.away = set()
    while await publisher.publish_due():
        pass
    assert [message[3] for message in engine.published] == [other, case, "second", "third"]


async def test_a_case_whose_message_is_pointless_is_held_no_more(desk: ReviewDesk) -> None:
    engine, case = Engine(), desk.submitted()
    engine.away, publisher = {case}, relay(desk, engine)
    with pytest.raises(Retryable):
        await publisher.publish_due()
    desk.run(application_opening.open_case, case, 4711)  # the process had it all the same
    assert await publisher.publish_due() == 0
    assert publisher._held == {}


async def test_messages_of_a_closed_application_are_pointless(desk: ReviewDesk) -> None:
    engine, application_id = Engine(), desk.submitted()

    def close(uow: Any) -> None:
        uow.session.get_one(Application, application_id).closed_at = uow.now

    desk.run(close)

    assert await relay(desk, engine).publish_due() == 0
    assert desk.the(OutboxMessage, application_id=application_id).settled_because == "the application is closed"


async def test_a_decision_that_no_job_follows_counts_as_taken_after_three_times(desk: ReviewDesk) -> None:
    engine, application_id = Engine(), desk.submitted()
    desk.run(application_opening.open_case, application_id, 4711)
    review_id = desk.opened(application_id, "preliminary")
    desk.decide(review_id, "head")

    for _ in range(5):
        await relay(desk, engine).publish_due()
        desk.clock.turn(timedelta(hours=2))

    assert [message[1] for message in engine.published] == [review_id] * 3


async def test_a_decision_that_the_engine_refuses_goes_out_when_it_takes_it(
    desk: ReviewDesk,
) -> None:
    engine, application_id = Engine(), desk.submitted()
    desk.run(application_opening.open_case, application_id, 4711)
    review_id = desk.opened(application_id, "preliminary")
    desk.decide(review_id, "head")
    engine.trouble = Fatal("refused")
    for _ in range(5):
        await relay(desk, engine).publish_due()
        desk.clock.turn(timedelta(hours=2))
    assert desk.the(OutboxMessage, correlation_key=review_id).published_at is None

    engine.trouble = None
    await relay(desk, engine).publish_due()

    assert [message[1] for message in engine.published] == [review_id]


async def test_an_engine_that_does_not_let_us_in_delays_as_one_that_is_away(desk: ReviewDesk) -> None:
    engine, application_id = Engine(), desk.submitted()
    engine.trouble = Unauthorized("check CAMUNDA_CLIENT_SECRET")
    with pytest.raises(Retryable, match="check CAMUNDA_CLIENT_SECRET"):
        await relay(desk, engine).publish_due()

    engine.trouble = None
    await relay(desk, engine).publish_due()

    assert engine.published[0][1] == application_id


class QuotingGateway(FakeGateway):
    """Refuses every message with words that repeat what it carries."""

    code = grpc.StatusCode.INVALID_ARGUMENT

    async def PublishMessage(self, request: Any, context: Any) -> Any:
        await context.abort(self.code, f"cannot read {request.variables}")


@pytest.mark.parametrize("code", ["INVALID_ARGUMENT", "INTERNAL", "UNKNOWN", "NOT_FOUND", "FAILED_PRECONDITION"])
async def test_no_value_of_a_message_reaches_the_log_whatever_the_engine_quotes(desk: ReviewDesk, code: str) -> None:
    application_id = desk.submitted()

    def personal(uow: Any) -> None:
        message = outbox.list_due(uow)[0]
        message.variables = {"applicant": "Zhang San"}

    desk.run(personal)
    gateway = QuotingGateway()
    gateway.code = grpc.StatusCode[code]
    with written_logs() as log:
        async with served(gateway) as port, grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            try:
                await relay(desk, PyzeebeEngineClient(channel)).publish_due()
            except Retryable as error:  # what the relay's loop logs
                get_logger("relay").warning("the outbox waits", cause=str(error))

    assert code in log.getvalue()
    assert application_id in log.getvalue() or code == "INTERNAL"
    assert "Zhang" not in log.getvalue()


def test_a_letter_that_is_printed_shows_no_value() -> None:
    assert "Zhang" not in repr(OutgoingMessage("a", "a", "copy-returned", "k", "m", {"applicant": "Zhang San"}, 0))


async def test_the_relay_wakes_at_the_commit_that_leaves_a_message(desk: ReviewDesk) -> None:
    engine = Engine()
    running = asyncio.create_task(relay(desk, engine).run())
    await asyncio.sleep(0)

    application_id = await asyncio.to_thread(desk.submitted)
    async with asyncio.timeout(4):
        await engine.heard.wait()  # before it would look by itself

    assert engine.published[0][1] == application_id
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


def test_a_closed_case_needs_no_message_not_even_one_that_is_on_its_way(desk: ReviewDesk) -> None:
    application_id = desk.submitted()
    (letter,) = desk.run(claim_due)

    desk.classed(application_id, withdrawn_at=NOON)
    desk.run(closing.release_case, application_id, "withdrawn")  # the process was faster than the relay's own book
    desk.run(outbox.mark_published, letter.message_id, attempts=0, retry_after=timedelta())

    assert desk.the(OutboxMessage, application_id=application_id).settled_at is not None
    assert desk.run(claim_due) == []


class RelayTime(LeaseTime):
    """The time of leases, which passes when it is told to."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def now(self, _dialect: str) -> Any:
        return literal(self.seconds, Double())

    def monotonic(self) -> float:
        return self.seconds


def two_relays(desk: ReviewDesk, engine: Any, time: LeaseTime) -> list[Relay]:
    return [
        Relay(desk.database, engine, lease=Lease(desk.database, "relay", LEASE, holder=name, time_=time))
        for name in "ab"
    ]


async def test_two_relays_send_each_message_once_and_one_goes_on_when_the_other_is_killed(desk: ReviewDesk) -> None:
    engine, time = Engine(), RelayTime()
    first, second = two_relays(desk, engine, time)
    sent = [desk.submitted() for _ in range(3)]

    assert await asyncio.gather(first.publish_due(), second.publish_due()) in ([3, 0], [0, 3])
    sent += [desk.submitted()]
    await asyncio.gather(first.publish_due(), second.publish_due())
    assert sorted(message[3] for message in engine.published) == sorted(sent)

    holder, other = (first, second) if first._lease.held else (second, first)
    sent += [desk.submitted()]
    assert await other.publish_due() == 0
    time.seconds += LEASE.total_seconds() * 4 / 3  # the holder was killed
    assert await other.publish_due() == 1
    assert await holder.publish_due() == 0
    assert sorted(message[3] for message in engine.published) == sorted(sent)


async def test_a_relay_that_has_lost_its_lease_stops_before_the_next_message(desk: ReviewDesk) -> None:
    time = RelayTime()
    [other] = two_relays(desk, (engine := Engine()), time)[1:]

    class Slow(Engine):
        """Stands still for longer than the lease while it publishes the first message; the other relay goes on."""

        async def publish_message(self, *arguments: Any, **named: Any) -> None:
            await super().publish_message(*arguments, **named)
            time.seconds += LEASE.total_seconds() + 1
            await other.publish_due()

    slow = Slow()
    [first] = two_relays(desk, slow, time)[:1]
    for _ in range(3):
        desk.submitted()
    twice = metrics.MESSAGES_PUBLISHED_TWICE._value.get()

    assert await first.publish_due() == 1

    assert len(slow.published) == 1
    assert len(engine.published) == 3  # the first of them for the second time: its row did not say yet that it was sent
    assert metrics.MESSAGES_PUBLISHED_TWICE._value.get() == twice + 1
    assert await first.publish_due() == 0


class PassingTime(LeaseTime):
    """The time of the event loop and of leases: it passes while nothing but time is waited for."""

    def __init__(self, desk: ReviewDesk, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = 1_000.0
        self._at_work, self._run = 0, desk.database.run
        monkeypatch.setattr(asyncio.get_running_loop(), "time", self.monotonic)
        monkeypatch.setattr(desk.database, "run", self._count)

    def now(self, _dialect: str) -> Any:
        return literal(self.seconds, Double())

    def monotonic(self) -> float:
        return self.seconds

    async def _count(self, *arguments: Any, **named: Any) -> Any:
        self._at_work += 1
        try:
            return await self._run(*arguments, **named)
        finally:
            self._at_work -= 1

    async def until(self, condition: Callable[[], bool]) -> float:
        """Let time pass until this holds; return the seconds that have passed."""
        begun, idle = self.seconds, 0
        while not condition():
            await asyncio.sleep(0)
            idle = 0 if self._at_work else idle + 1
            if idle == 30:
                self.seconds, idle = self.seconds + 0.25, 0
        return self.seconds - begun


class HalfSilent(Engine):
    """Never answers about the messages of its ``dead`` partition."""

    def __init__(self, dead: Iterable[str]) -> None:
        super().__init__()
        self.dead = set(dead)
        self.silent = self.most_silent = 0

    @property
    def taken(self) -> list[str]:
        return [message[3] for message in self.published]

    async def publish_message(self, name: str, correlation_key: str, *arguments: Any) -> None:
        if correlation_key in self.dead:
            self.asked += 1
            self.silent += 1
            self.most_silent = max(self.most_silent, self.silent)
            try:
                await asyncio.Event().wait()
            finally:
                self.silent -= 1
        await super().publish_message(name, correlation_key, *arguments)


def written(desk: ReviewDesk, monkeypatch: pytest.MonkeyPatch, *keys: str) -> set[str]:
    """Write a message for each key, to a process of its own; their ids."""
    monkeypatch.setitem(subjects.IS_OVER, "probe", lambda _uow, _key: False)

    def write(uow: UnitOfWork) -> None:
        for key in keys:
            subject = subjects.Subject("probe", key)
            outbox.publish(uow, "probe", key, application_id=None, subject=subject, message_id=key, variables={})
            uow.session.flush()

    desk.run(write)
    desk.clock.turn(timedelta(milliseconds=1))
    return set(keys)


@asynccontextmanager
async def at_work(*relays: Relay) -> AsyncIterator[None]:
    running = [asyncio.create_task(relay.run()) for relay in relays]
    try:
        yield
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def test_a_partition_that_is_silent_holds_up_nobody_else(
    desk: ReviewDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = written(desk, monkeypatch, *(f"dead-{number}" for number in range(20)))
    living = written(desk, monkeypatch, *(f"living-{number}" for number in range(20)))
    engine, time = HalfSilent(dead), PassingTime(desk, monkeypatch)
    [publisher, _] = two_relays(desk, engine, time)
    silence = relaying.ANSWER_HELD.total_seconds()

    async with at_work(publisher):
        assert await time.until(lambda: living <= set(engine.taken)) < silence
        assert engine.most_silent <= relaying.LANES + 1

        await time.until(lambda: engine.silent == 1)
        later = written(desk, monkeypatch, "living-later")
        assert await time.until(lambda: later <= set(engine.taken)) < silence / 2
        assert engine.silent == 1, "a held case is tried meanwhile"

        asked = engine.asked
        await time.until(lambda: engine.asked > asked + 3)
        assert engine.most_silent <= relaying.LANES + 1

        engine.dead = set()
        await time.until(lambda: dead <= set(engine.taken))
    assert sorted(engine.taken) == sorted(dead | living | later), "each of them once"


async def test_of_two_relays_one_alone_asks_while_a_partition_is_silent(
    desk: ReviewDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = written(desk, monkeypatch, *(f"dead-{number}" for number in range(20)))
    living = written(desk, monkeypatch, *(f"living-{number}" for number in range(20)))
    time, engines = PassingTime(desk, monkeypatch), [HalfSilent(dead), HalfSilent(dead)]
    relays = [two_relays(desk, engine, time)[number] for number, engine in enumerate(engines)]

    async with at_work(*relays):
        await time.until(lambda: living <= {*engines[0].taken, *engines[1].taken})
        end = time.seconds + 1.5 * LEASE.total_seconds()
        await time.until(lambda: time.seconds > end)

        assert sorted(engines[0].taken + engines[1].taken) == sorted(living)
        assert 0 in (engines[0].asked, engines[1].asked)


async def test_a_relay_that_alone_does_not_reach_the_engine_lets_another_one_try(
    desk: ReviewDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(desk, monkeypatch, "first", "second")
    time, cut_off, reaching = PassingTime(desk, monkeypatch), Engine(), Engine()
    first, second = (two_relays(desk, engine, time)[number] for number, engine in enumerate((cut_off, reaching)))
    async with at_work(first):
        await time.until(lambda: first._lease.held and len(cut_off.published) == 2)
        cut_off.trouble = Retryable("no route to it")
        late = written(desk, monkeypatch, "third")
        # nobody else was there, so that it has the lease again, and nothing new comes that would fail
        await time.until(lambda: bool(first._held) and not first._lease.held)
        await time.until(lambda: first._lease.held)
        async with at_work(second):
            await time.until(lambda: late <= {message[3] for message in reaching.published})


async def test_an_engine_that_is_silent_as_a_whole_is_asked_ever_less_and_said_to_be_away(
    desk: ReviewDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = written(desk, monkeypatch, *(f"dead-{number}" for number in range(20)))
    engine, time = HalfSilent(dead), PassingTime(desk, monkeypatch)
    failures = [metrics.PERIODIC_FAILURES.labels(task)._value for task in ("relay", "relay-held")]
    before = [failure.get() for failure in failures]

    async with at_work(two_relays(desk, engine, time)[0]):
        await time.until(lambda: engine.asked >= len(dead))
        end = time.seconds + 40
        await time.until(lambda: time.seconds > end)

    assert len(dead) + 3 <= engine.asked <= len(dead) + 6
    assert failures[0].get() == before[0] + 1, "all of them were new once"
    assert failures[1].get() >= before[1] + 3, "the task that tries them succeeds never, which its alert says"
