"""How jobs reach their workers: polls and streams beside each other, and jobs whose worker went away meanwhile."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from bpmn_makers import ONE_JOB, diagram, end, start
from engine_harness import Running, running_engine
from pyzeebe.proto import gateway_pb2 as pb

from services.engine import job_activation
from services.engine.job_activation import ActivationRequest, poll_jobs, stream_jobs
from services.engine.processing.execution import Execution

_EIGHT_JOBS = diagram(
    start()
    + '<bpmn:serviceTask id="t"><bpmn:extensionElements><zeebe:taskDefinition type="work" /></bpmn:extensionElements>'
    + "<bpmn:multiInstanceLoopCharacteristics><bpmn:extensionElements>"
    + '<zeebe:loopCharacteristics inputCollection="=[1,2,3,4,5,6,7,8]" /></bpmn:extensionElements>'
    + "</bpmn:multiInstanceLoopCharacteristics></bpmn:serviceTask>"
    + end(),
    "s>t t>e",
    process_id="eight",
)
_WISH = ActivationRequest("work", "gone", 60_000, 32, [])


@pytest.fixture
async def engine() -> AsyncIterator[Running]:
    async with running_engine() as running:
        await running.deploy(ONE_JOB)
        yield running


async def _create(engine: Running, count: int = 1) -> None:
    for number in range(count):
        variables = json.dumps({"n": number, "other": "x"})
        request = pb.CreateProcessInstanceRequest(bpmnProcessId="one-job", version=-1, variables=variables)
        await engine.stub.CreateProcessInstance(request)


async def _fetched(engine: Running) -> list[int]:
    """The number of each job that can be fetched now; waits for the first."""
    return [json.loads(job.variables)["n"] for job in await engine.fetch("work", wait_ms=10_000)]


async def _stream(engine: Running, **more: Any) -> "grpc.aio.UnaryStreamCall[Any, pb.ActivatedJob]":
    """A stream that the engine holds open."""
    opened, watch = asyncio.Event(), engine.server.writer.subscribe_to_jobs

    def watched(job_type: str) -> asyncio.Event:
        opened.set()
        return watch(job_type)

    engine.server.writer.subscribe_to_jobs = watched  # type: ignore[method-assign]  # tells when the stream has arrived
    request = pb.StreamActivatedJobsRequest(type="work", worker="streamer", timeout=60_000, **more)
    stream = engine.stub.StreamActivatedJobs(request)
    await opened.wait()
    engine.server.writer.subscribe_to_jobs = watch  # type: ignore[method-assign]  # as it was
    return stream


async def _refuse(_answer: object) -> None:
    raise ConnectionResetError("the worker is gone")


async def test_a_fetch_that_is_given_up_while_jobs_are_activated_returns_them(engine: Running) -> None:
    await _create(engine, 2)
    polling_task = asyncio.create_task(poll_jobs(engine.server.writer, _WISH, -1, _refuse))
    await asyncio.sleep(0)  # it has asked the writer now

    polling_task.cancel()

    assert await _fetched(engine) == [0, 1]


async def test_an_answer_that_cannot_be_sent_returns_its_jobs_with_their_retries(engine: Running) -> None:
    await _create(engine)

    with pytest.raises(ConnectionResetError):
        await poll_jobs(engine.server.writer, _WISH, -1, _refuse)

    (job,) = await engine.fetch("work", wait_ms=10_000)
    assert (job.retries, job.worker) == (3, "w")


async def test_a_stream_that_breaks_returns_what_it_had_not_sent(engine: Running) -> None:
    await _create(engine, 3)
    sent: list[pb.ActivatedJob] = []

    async def send_one(job: pb.ActivatedJob) -> None:
        if sent:
            raise ConnectionResetError("the worker is gone")
        sent.append(job)

    with pytest.raises(ConnectionResetError):
        await stream_jobs(engine.server.writer, _WISH, send_one)

    assert [json.loads(job.variables)["n"] for job in sent] == [0]
    assert await _fetched(engine) == [1, 2]


async def test_jobs_of_a_client_that_went_away_come_back_after_their_timeout(engine: Running) -> None:
    stream = await _stream(engine)
    await _create(engine)
    assert json.loads((await stream.read()).variables)["n"] == 0

    stream.cancel()
    assert await engine.fetch("work") == []
    engine.turn(seconds=61)

    assert await _fetched(engine) == [0]


async def test_a_stream_that_its_client_closed_takes_no_more_jobs(engine: Running) -> None:
    closed, unwatch = asyncio.Event(), engine.server.writer.unsubscribe_from_jobs

    def unwatched(job_type: str, event: asyncio.Event) -> None:
        unwatch(job_type, event)
        closed.set()

    engine.server.writer.unsubscribe_from_jobs = unwatched  # type: ignore[method-assign]  # tells when the stream is gone
    stream = await _stream(engine)

    stream.cancel()
    await closed.wait()
    await _create(engine)

    assert await _fetched(engine) == [0]


async def _until_all(engine: Running, *takers: AsyncIterator[int], count: int) -> list[list[int]]:
    """The keys that each taker got, once all of them together have ``count``."""
    got: list[list[int]] = [[] for _ in takers]
    done = asyncio.Event()

    async def take(taker: AsyncIterator[int], mine: list[int]) -> None:
        async for key in taker:
            mine.append(key)
            if sum(map(len, got)) == count:
                done.set()

    taking = [asyncio.create_task(take(taker, mine)) for taker, mine in zip(takers, got, strict=True)]
    await engine.stub.CreateProcessInstance(pb.CreateProcessInstanceRequest(bpmnProcessId="eight", version=-1))
    await done.wait()
    for task in taking:
        task.cancel()
    await asyncio.gather(*taking, return_exceptions=True)
    return got


async def _streamed(stream: "grpc.aio.UnaryStreamCall[Any, pb.ActivatedJob]") -> AsyncIterator[int]:
    async for job in stream:
        yield job.key


async def _polled(engine: Running) -> AsyncIterator[int]:
    while True:
        for job in await engine.fetch("work", wait_ms=60_000, most=1):
            yield job.key


async def test_streams_of_one_type_share_what_comes(engine: Running) -> None:
    await engine.deploy(_EIGHT_JOBS)
    streams = [_streamed(await _stream(engine)), _streamed(await _stream(engine))]

    first, second = await _until_all(engine, *streams, count=8)

    assert len({*first, *second}) == 8
    assert first
    assert second


async def test_a_job_goes_to_a_stream_or_to_a_poll_and_never_to_both(engine: Running) -> None:
    await engine.deploy(_EIGHT_JOBS)

    got = await _until_all(engine, _streamed(await _stream(engine)), _polled(engine), _polled(engine), count=8)

    assert len({key for keys in got for key in keys}) == 8


async def test_a_streamed_job_tells_what_a_fetched_one_does(engine: Running) -> None:
    stream = await _stream(engine, fetchVariable=["n"])
    await _create(engine)

    job = await stream.read()

    due = datetime.fromtimestamp(job.deadline / 1000, UTC)
    assert (job.type, job.worker, job.retries, job.elementId, job.bpmnProcessId) == (
        "work",
        "streamer",
        3,
        "work",
        "one-job",
    )
    assert (job.variables, job.customHeaders, job.tenantId) == ('{"n": 0}', "{}", "<default>")
    assert due == engine.clock.now() + timedelta(minutes=1)
    stream.cancel()


async def test_a_streamed_job_that_fails_or_times_out_is_streamed_again(engine: Running) -> None:
    stream = await _stream(engine)
    await _create(engine)
    job = await stream.read()

    await engine.stub.FailJob(pb.FailJobRequest(jobKey=job.key, retries=2))
    failed = await stream.read()
    await engine.stub.FailJob(pb.FailJobRequest(jobKey=job.key, retries=1, retryBackOff=60_000))
    engine.turn(minutes=1)
    backed_off = await stream.read()
    engine.turn(minutes=2)
    timed_out = await stream.read()

    assert [j.key for j in (failed, backed_off, timed_out)] == [job.key] * 3
    assert [j.retries for j in (failed, backed_off, timed_out)] == [2, 1, 1]
    stream.cancel()


@pytest.mark.parametrize(("lasts", "after", "comes"), [(120_000, 90, False), (120_000, 121, True), (-1, 0, True)])
async def test_a_timeout_is_counted_from_when_it_was_set(
    engine: Running, lasts: int, after: float, comes: bool
) -> None:
    await _create(engine)
    (job,) = await engine.fetch("work")

    await engine.stub.UpdateJobTimeout(pb.UpdateJobTimeoutRequest(jobKey=job.key, timeout=lasts))
    engine.turn(seconds=after)

    assert [again.key for again in await engine.fetch("work")] == [job.key] * comes


@pytest.mark.parametrize("wait_ms", [-1, 0, 1])
async def test_a_fetch_that_finds_nothing_ends_when_it_was_told_to(
    engine: Running, monkeypatch: pytest.MonkeyPatch, wait_ms: int
) -> None:
    monkeypatch.setattr(job_activation, "_DEFAULT_WAIT_SECONDS", 0.001)

    assert await engine.fetch("work", wait_ms=wait_ms) == []


async def test_no_more_jobs_than_asked_for_and_the_oldest_first(engine: Running) -> None:
    await _create(engine, 3)

    first = await engine.fetch("work", most=2)
    rest = await engine.fetch("work", most=2)

    assert [json.loads(job.variables)["n"] for job in [*first, *rest]] == [0, 1, 2]
    assert (len(first), len(rest)) == (2, 1)


async def test_a_job_that_no_message_can_hold_holds_up_no_other(engine: Running) -> None:
    await _create(engine, 2)

    def spoil(execution: Execution) -> None:
        spoilt = execution.store.jobs.activatable("work", 1)[0]
        spoilt.retries = 2**31
        execution.store.jobs.save(spoilt)

    await engine.server.writer.submit(spoil)

    assert await _fetched(engine) == [1]
