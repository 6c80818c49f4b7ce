"""The job runner against a gateway that is down, slow, busy, silent, or gone and back: no job lost, none done twice."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import grpc
import pytest
from broken_gateways import KeepingGateway, free_port, half_open, served
from fake_gateway import PATIENCE, made_job

from services.runtime.channel import open_channel
from services.runtime.health import Health
from services.runtime.jobs import adapter
from services.runtime.jobs.runner import JobRunner
from services.runtime.jobs.worker import Worker, describe
from services.runtime.settings import Settings


@dataclass(frozen=True)
class SealItem:
    application_id: str
    job_key: int


@dataclass
class Book:
    """What the handlers did: the runs of each job, and its one effect, which the first run leaves for the others."""

    runs: Counter[int] = field(default_factory=Counter)
    effects: dict[int, int] = field(default_factory=dict)
    most_at_once: dict[int, int] = field(default_factory=dict)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    began: asyncio.Queue[int] = field(default_factory=asyncio.Queue)

    def worker(self, job_type: str = "seal-item") -> Worker:
        running: Counter[int] = Counter()

        async def handle(command: SealItem) -> None:
            key = command.job_key
            self.runs[key] += 1
            running[key] += 1
            self.most_at_once[key] = max(self.most_at_once.get(key, 0), running[key])
            self.began.put_nowait(key)
            try:
                await self.gate.wait()
            finally:
                running[key] -= 1
            self.effects.setdefault(key, self.runs[key])

        return describe(job_type, handle)


class Watch:
    """Seconds that go on when the test says so."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def book() -> Book:
    book = Book()
    book.gate.set()
    return book


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "POLL_PAUSE_FIRST", 0.01)
    monkeypatch.setattr(adapter, "POLL_PAUSE_LONGEST", 0.05)


@asynccontextmanager
async def working(
    address: str, *workers: Worker, watch: Callable[[], float] | None = None, **overrides: Any
) -> AsyncIterator[JobRunner]:
    values: dict[str, Any] = {"job_timeout": timedelta(seconds=1), "poll_seconds": 1, "drain_seconds": 5} | overrides
    settings = Settings.load(zeebe_address=address, workers=values)
    health = Health(monotonic=watch) if watch else Health()
    async with open_channel(settings) as channel:
        runner = JobRunner(settings, workers, {}, channel, health=health)
        async with asyncio.timeout(PATIENCE * 2):
            task = asyncio.create_task(runner.run())
            try:
                yield runner
            finally:
                await runner.stop()
                await task


async def finished(gateway: KeepingGateway, *keys: int) -> None:
    await gateway.until(lambda: set(keys) <= set(gateway.completed))
    assert gateway.completed == Counter(keys)


def look_again(runner: JobRunner, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Awaitable[None]]:
    """Wait until so many polls have failed."""
    failed, changed = 0, asyncio.Condition()
    pause = runner._adapter._pause

    async def watched(job_type: str, error: Any, acts: Any) -> None:
        nonlocal failed
        async with changed:
            failed += 1
            changed.notify_all()
        await pause(job_type, error, acts)

    monkeypatch.setattr(runner._adapter, "_pause", watched)

    async def until(times: int) -> None:
        async with changed:
            await changed.wait_for(lambda: failed >= times)

    return until


async def test_a_worker_that_is_there_before_the_engine_is_alive_and_begins_when_it_comes(
    book: Book, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = KeepingGateway()
    port = free_port()
    async with working(f"127.0.0.1:{port}", book.worker(), watch=watch, poll_seconds=0.2) as runner:
        polled = look_again(runner, monkeypatch)
        for times in (1, 3, 5):
            await polled(times)
            watch.seconds += 50
            runner.health.loop_stamp = watch.seconds
            await polled(times + 2)
            assert runner.health.faults() == []
        async with served(gateway, port):
            await gateway.put("seal-item", 1, {"applicationId": "A1"})
            await finished(gateway, 1)
    assert book.effects == {1: 1}


async def test_a_gateway_that_comes_back_on_its_port_is_found_and_what_was_out_is_done_once(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "CALL_SECONDS", 0.2)
    gateway, told = KeepingGateway(), asyncio.Event()
    book.gate.clear()
    async with AsyncExitStack() as up:
        port = await up.enter_async_context(served(gateway))
        async with working(gateway.address, book.worker()) as runner:
            complete = runner._adapter.complete_job

            async def watched(job_key: int, variables: Any) -> Any:
                answer = await complete(job_key, variables)
                told.set()
                return answer

            monkeypatch.setattr(runner._adapter, "complete_job", watched)
            await gateway.put("seal-item", 1, {"applicationId": "A1"})
            await book.began.get()
            await up.aclose()
            # The handler ends, and nobody is there to hear of it.
            book.gate.set()
            await told.wait()
            async with served(gateway, port):
                await gateway.put("seal-item", 2, {"applicationId": "A2"})
                await finished(gateway, 2)
                await gateway.time_out(1)
                await finished(gateway, 1, 2)
    assert book.runs == {1: 2, 2: 1}
    assert set(book.effects) == {1, 2}
    assert max(book.most_at_once.values()) == 1


@pytest.mark.parametrize("code", [grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE])
async def test_a_busy_gateway_gets_every_kind_of_call_again(book: Book, code: grpc.StatusCode) -> None:
    gateway = KeepingGateway()
    book.gate.clear()
    async with served(gateway), working(gateway.address, book.worker()) as runner:
        for method in ("ActivateJobs", "UpdateJobTimeout", "CompleteJob"):
            gateway.fail(method, code, times=2)
        await gateway.put("seal-item", 1, {"applicationId": "A1"})
        await book.began.get()
        await gateway.call("UpdateJobTimeout", 3)
        book.gate.set()
        await finished(gateway, 1)
        assert runner.health.faults() == []
    assert book.runs == {1: 1}
    assert len(gateway.calls["CompleteJob"]) == 3


async def test_a_gateway_that_stays_busy_costs_a_second_run_and_no_second_effect(book: Book) -> None:
    gateway = KeepingGateway()
    async with served(gateway), working(gateway.address, book.worker()):
        gateway.fail("CompleteJob", grpc.StatusCode.INTERNAL)
        await gateway.put("seal-item", 1, {"applicationId": "A1"})
        await gateway.call("CompleteJob")
        assert not gateway.completed
        await gateway.time_out(1)
        await finished(gateway, 1)
    assert book.runs == {1: 2}
    assert book.effects == {1: 1}
    assert not gateway.calls["FailJob"]


async def test_a_complete_that_is_slow_is_given_up_and_the_job_is_done_when_it_comes_again(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "CALL_SECONDS", 0.2)
    gateway = KeepingGateway()
    async with served(gateway), working(gateway.address, book.worker()) as runner:
        gateway.hang = {"CompleteJob"}
        await gateway.put("seal-item", 1, {"applicationId": "A1"})
        await gateway.call("CompleteJob")
        gateway.hang = set()
        await gateway.time_out(1)
        await finished(gateway, 1)
        assert runner.health.faults() == []
    assert book.effects == {1: 1}


async def test_an_extension_that_is_not_answered_is_asked_for_again_before_the_time_is_over(book: Book) -> None:
    gateway = KeepingGateway()
    gateway.hang = {"UpdateJobTimeout"}
    book.gate.clear()
    asked: list[float] = []
    async with served(gateway), working(gateway.address, book.worker(), job_timeout=timedelta(seconds=3)):
        await gateway.put("seal-item", 1, {"applicationId": "A1"})
        await book.began.get()
        began = asyncio.get_running_loop().time()
        for number in (1, 2):
            await gateway.call("UpdateJobTimeout", number)
            asked.append(asyncio.get_running_loop().time() - began)
        book.gate.set()
        await finished(gateway, 1)
    assert asked[1] - asked[0] < 1.5


async def test_a_gateway_that_takes_the_call_and_never_answers_leaves_the_worker_alive_and_it_stops_in_time(
    book: Book, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        half_open() as (port, came),
        working(f"127.0.0.1:{port}", book.worker(), watch=watch, poll_seconds=0.2) as runner,
    ):
        polled = look_again(runner, monkeypatch)
        await came.wait()
        await polled(2)
        watch.seconds = runner.health.loop_stamp = 50
        await polled(4)
        assert runner.health.faults() == []
        async with asyncio.timeout(4):
            await runner.stop(grace=0.1)


async def test_a_poll_that_never_ends_is_a_dead_poller(book: Book, watch: Watch) -> None:
    gateway = KeepingGateway()
    gateway.hang = {"ActivateJobs"}
    async with served(gateway), working(gateway.address, book.worker(), watch=watch, poll_seconds=30) as runner:
        await gateway.call("ActivateJobs")
        watch.seconds = runner.health.loop_stamp = 119
        assert runner.health.faults() == []
        watch.seconds = runner.health.loop_stamp = 121
        assert runner.health.faults() == ["nobody polls for seal-item"]


async def test_a_job_that_timed_out_goes_to_another_worker_and_the_first_ones_late_answer_is_let_go(
    book: Book,
) -> None:
    gateway, other = KeepingGateway(), Book()
    book.gate.clear()
    other.gate.set()
    # With its one place taken the first one does not poll, so the job goes to the other.
    async with served(gateway), working(gateway.address, book.worker(), concurrency=1):
        await gateway.put("seal-item", 1, {"applicationId": "A1"})
        await book.began.get()
        async with working(gateway.address, other.worker()):
            await gateway.time_out(1)
            await finished(gateway, 1)
        assert other.runs == {1: 1}
        book.gate.set()
        await gateway.until(lambda: gateway.late == [1])
    assert book.most_at_once == {1: 1}
    assert gateway.completed == {1: 1}
    assert not gateway.calls["FailJob"]


async def test_jobs_that_a_poll_brings_when_the_drain_has_begun_are_all_given_back_though_the_gateway_is_busy(
    book: Book,
) -> None:
    gateway = KeepingGateway()
    book.gate.clear()
    async with served(gateway), working(gateway.address, book.worker(), poll_seconds=10) as runner:
        await gateway.put("seal-item", 1, {"applicationId": "A1"})
        await book.began.get()
        await gateway.call("ActivateJobs", 2)
        gateway.fail("FailJob", grpc.StatusCode.UNAVAILABLE, times=2)
        stopping = asyncio.create_task(runner.stop(grace=PATIENCE))
        await gateway.call("UpdateJobTimeout", len(gateway.calls["UpdateJobTimeout"]) + 1)
        await gateway.put_all(*(made_job("seal-item", key, {"applicationId": "A1"}) for key in (2, 3)))
        await gateway.call("FailJob")
        book.gate.set()
        await stopping
    assert {call.jobKey for call in gateway.calls["FailJob"]} == {2, 3}
    assert {job.key for job in gateway.jobs["seal-item"]} == {2, 3}
    assert book.runs == {1: 1}


async def test_a_drain_is_alive_and_asks_for_nothing_more(book: Book, watch: Watch) -> None:
    gateway = KeepingGateway()
    book.gate.clear()
    async with served(gateway), working(gateway.address, book.worker(), watch=watch) as runner:
        await gateway.put("seal-item", 1, {"applicationId": "A1"})
        await book.began.get()
        stopping = asyncio.create_task(runner.stop(grace=PATIENCE))
        await gateway.call("UpdateJobTimeout", 4)
        asked = len(gateway.calls["ActivateJobs"])
        watch.seconds = runner.health.loop_stamp = 3600
        assert runner.health.faults() == []
        await gateway.call("UpdateJobTimeout", 8)
        assert len(gateway.calls["ActivateJobs"]) == asked
        book.gate.set()
        await stopping
    assert gateway.completed == {1: 1}


async def test_a_drain_ends_in_time_though_the_gateway_never_answers_what_it_is_told(book: Book) -> None:
    gateway = KeepingGateway()
    gateway.hang = {"CompleteJob", "FailJob", "UpdateJobTimeout"}
    slow = Book()
    workers = book.worker(), slow.worker("slow-item")
    async with served(gateway), working(gateway.address, *workers, drain_seconds=0) as runner:
        await gateway.put("seal-item", 1, {"applicationId": "A1"})
        await gateway.put("slow-item", 2, {"applicationId": "A2"})
        await gateway.call("CompleteJob")
        await slow.began.get()
        began = asyncio.get_running_loop().time()
        await runner.stop(grace=0.2)
        assert asyncio.get_running_loop().time() - began < 6
    assert set(gateway.out) == {1, 2}


async def test_another_worker_finishes_once_what_a_stopped_one_hands_back(book: Book) -> None:
    gateway, other = KeepingGateway(), Book()
    book.gate.clear()
    other.gate.set()
    async with served(gateway):
        async with working(gateway.address, book.worker()) as first:
            await gateway.put("seal-item", 1, {"applicationId": "A1"}, retries=3)
            await book.began.get()
            # Its own poll, open still, does not get it back.
            await first.stop(grace=0)
        async with working(gateway.address, other.worker()):
            await finished(gateway, 1)
    assert book.effects == {}
    assert other.runs == other.effects == {1: 1}
    (given_back,) = gateway.calls["FailJob"]
    assert (given_back.retries, given_back.retryBackOff) == (3, 0)
