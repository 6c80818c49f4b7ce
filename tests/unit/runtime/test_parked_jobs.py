"""A job that waits for one thing goes on as soon as that is back, and no single recorder uses up all places."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import grpc
from fake_gateway import FakeGateway
from seal_jobs import Sealed, SealItem, running, seal_worker, settings_for

from services.recorders.job_places import JobPlaces
from services.recorders.protocol import RecorderDown
from services.runtime.clock import SystemClock
from services.runtime.jobs.failures import Backoff
from services.runtime.jobs.parking import Parking
from services.runtime.jobs.runner import PLACE_DELAY, JobRunner
from services.runtime.jobs.worker import Worker, describe

AWAY = RecorderDown("could not ask the recorder | recorder X | no connection | switch it on", awaits="X")
LONG = Backoff(first=timedelta(minutes=5), jitter=0)


@asynccontextmanager
async def working(
    gateway: FakeGateway, channel: grpc.aio.Channel, worker: Worker, places: JobPlaces | None = None
) -> AsyncIterator[JobRunner]:
    dependencies = {"places": places} if places is not None else {}
    settings = settings_for(gateway, heavy_concurrency=2)
    runner = JobRunner(settings, [worker], dependencies, channel, backoff=LONG)
    if places is not None:
        places.freed.append(lambda awaits: runner.parking.wake(awaits, most=1))
    async with running(runner):
        yield runner


def waiting(parts: dict[int, RecorderDown]) -> Worker:
    """A worker whose jobs wait for what ``parts`` says, by job, and else are done."""

    async def act(command: SealItem) -> Sealed:
        if command.job_key in parts:
            raise parts[command.job_key]
        return Sealed("copy", 1)

    return seal_worker(act)


async def test_jobs_that_wait_for_a_recorder_go_on_when_it_is_back_and_no_others_do(
    gateway: FakeGateway, channel: Any
) -> None:
    other = RecorderDown("could not ask the recorder | recorder Y | no connection | switch it on", awaits="Y")
    async with working(gateway, channel, waiting({1: AWAY, 2: AWAY, 3: other})) as runner:
        for key in (1, 2, 3):
            await gateway.put("seal-item", key, {"applicationId": "A1"}, retries=3)
        await gateway.until(lambda: len(gateway.calls["UpdateJobTimeout"]) == 3)
        assert runner.parking.awaited == {"X", "Y"}
        assert gateway.calls["FailJob"] == []

        runner.parking.wake("X")
        await gateway.call("FailJob", 2)

        returned = {one.jobKey: (one.retries, one.retryBackOff) for one in gateway.calls["FailJob"]}
        assert returned == {1: (3, 0), 2: (3, 0)}
        assert runner.parking.awaited == {"Y"}
    # the process ends: another one has the job at once
    assert [one.jobKey for one in gateway.calls["FailJob"][2:]] == [3]
    kept = gateway.calls["UpdateJobTimeout"][0]
    assert timedelta(milliseconds=kept.timeout) > timedelta(minutes=5), "the engine hands it to nobody meanwhile"


async def test_a_wait_that_the_engine_does_not_leave_to_the_process_runs_in_the_engine(
    gateway: FakeGateway, channel: Any
) -> None:
    gateway.fail("UpdateJobTimeout", grpc.StatusCode.NOT_FOUND)
    async with working(gateway, channel, waiting({1: AWAY})) as runner:
        await gateway.put("seal-item", 1, {"applicationId": "A1"}, retries=3)
        failed = await gateway.call("FailJob")

        assert (failed.retries, failed.retryBackOff) == (3, 300_000)
        assert runner.parking.awaited == frozenset()


async def test_a_job_that_the_engine_hands_out_again_is_not_returned_by_the_former_wait(
    gateway: FakeGateway, channel: Any
) -> None:
    parts = {1: AWAY}
    async with working(gateway, channel, waiting(parts)) as runner:
        await gateway.put("seal-item", 1, {"applicationId": "A1"})
        await gateway.until(lambda: runner.parking.awaited)
        parts.clear()
        await gateway.put("seal-item", 1, {"applicationId": "A1"})
        await gateway.call("CompleteJob")
    assert gateway.calls["FailJob"] == []


async def test_no_more_jobs_are_parked_than_there_is_room_for() -> None:
    async def left(_key: int, _milliseconds: int) -> bool:
        return True

    async def nothing() -> None:
        pass

    parking = Parking(left, SystemClock(), most=2)
    jobs: list[Any] = [type("Job", (), {"key": key})() for key in (1, 2, 3)]
    assert [await parking.keep(job, "X", timedelta(hours=1), nothing) for job in jobs] == [True, True, False]
    await parking.close()
    assert not await parking.keep(jobs[0], "X", timedelta(hours=1), nothing)


async def test_a_job_that_is_parked_while_its_process_ends_is_returned_before_that() -> None:
    returned: list[int] = []

    async def closed_meanwhile(_job_key: int, _milliseconds: int) -> bool:
        await parking.close()
        return True

    async def give_back() -> None:
        returned.append(1)

    parking = Parking(closed_meanwhile, SystemClock())
    job: Any = type("Job", (), {"key": 1})()
    assert await parking.keep(job, "X", timedelta(minutes=5), give_back)
    assert returned == [1]
    assert parking.awaited == frozenset()


async def test_a_recorder_that_hangs_leaves_a_place_to_the_jobs_of_another_one(
    gateway: FakeGateway, channel: Any
) -> None:
    release, begun = asyncio.Event(), list[int]()
    places = JobPlaces(2)

    async def handle(command: SealItem, places: JobPlaces) -> Sealed:
        with places.one("seal-item", command.application_id):
            begun.append(command.job_key)
            if command.application_id == "hangs":
                await release.wait()
            return Sealed("copy", 1)

    async with working(gateway, channel, describe("seal-item", handle, heavy=True), places) as runner:
        for key in (1, 2, 3, 4):
            await gateway.put("seal-item", key, {"applicationId": "hangs"}, retries=3)
        await gateway.until(
            lambda: len([one for one in gateway.calls["UpdateJobTimeout"] if one.jobKey in (3, 4)]) == 2
        )
        assert begun == [1, 2]
        kept = next(one for one in gateway.calls["UpdateJobTimeout"] if one.jobKey == 3)
        assert timedelta(milliseconds=kept.timeout) > PLACE_DELAY

        await gateway.put("seal-item", 5, {"applicationId": "answers"})
        assert (await gateway.call("CompleteJob")).jobKey == 5

        release.set()
        await gateway.call("CompleteJob", 3)
        failed = await gateway.call("FailJob", 2)
        assert {one.jobKey for one in gateway.calls["FailJob"]} == {3, 4}
        assert (failed.retries, failed.retryBackOff, runner.parking.awaited) == (3, 0, frozenset())


async def test_places_are_counted_by_recorder_and_kind_of_work() -> None:
    places = JobPlaces(1)
    with places.one("retrieve-footage", "X"), places.one("preserve-footage", "X"), places.one("retrieve-footage", "Y"):
        assert (places.taken("retrieve-footage"), places.taken("preserve-footage")) == (2, 1)
    assert places.taken("retrieve-footage") == 0
