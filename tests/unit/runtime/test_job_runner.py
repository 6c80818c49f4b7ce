"""The job runner against a gateway that speaks the protocol: each trap of pyzeebe, each way a job may end."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import grpc
import pytest
from fake_gateway import PATIENCE, FakeGateway, made_job
from seal_jobs import Sealed, SealItem, done, raises, running, seal_worker, settings_for

from services.runtime.engine_client import PyzeebeEngineClient
from services.runtime.errors import Fatal, Outcome, Refused, Retryable
from services.runtime.jobs import adapter
from services.runtime.jobs.failures import Backoff
from services.runtime.jobs.runner import POLL_SILENCE, JobRunner
from services.runtime.jobs.worker import Worker
from services.runtime.metrics import REGISTRY
from services.runtime.threads import run_in_thread


@asynccontextmanager
async def working(
    gateway: FakeGateway, channel: grpc.aio.Channel, *workers: Worker, **overrides: Any
) -> AsyncIterator[JobRunner]:
    backoff = Backoff(first=timedelta(seconds=2), factor=3, jitter=0)
    async with running(JobRunner(settings_for(gateway, **overrides), workers, {}, channel, backoff=backoff)) as runner:
        yield runner


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_a_job_becomes_a_command_and_its_result_variables(gateway: FakeGateway, channel: Any) -> None:
    seen: list[SealItem] = []

    async def act(command: SealItem) -> Sealed:
        seen.append(command)
        return await done(command)

    async with working(gateway, channel, seal_worker(act)):
        await gateway.put("seal-item", 11, {"applicationId": "A1", "somethingElse": 1})
        completed = await gateway.call("CompleteJob")

    assert seen == [SealItem("A1", 11, 1)]
    assert json.loads(completed.variables) == {"copyId": "copy-1", "byteCount": 10}
    assert list(gateway.calls["ActivateJobs"][0].fetchVariable) == ["applicationId", "part", "applicationNumber"]


async def test_metrics_have_camundas_names(gateway: FakeGateway, channel: Any) -> None:
    async with working(gateway, channel, seal_worker(done, "count-me")):
        await gateway.put("count-me", 12, {"applicationId": "A1"})
        await gateway.call("CompleteJob")

    for name in ("camunda_client_worker_job_activated_total", "camunda_client_worker_job_handled_total"):
        assert counted(name, type="count-me") == 1
    assert counted("camunda_job_invocations_total", type="count-me", action="activated") == 1
    assert counted("camunda_job_invocations_total", type="count-me", action="completed") == 1
    assert counted("camunda_job_execution_time_seconds_count", type="count-me") == 1


async def test_an_outcome_is_thrown_with_code_and_variables(gateway: FakeGateway, channel: Any) -> None:
    act = raises(Outcome("FOOTAGE_MISSING", "the recorder holds nothing for the span", {"itemId": "I1"}))

    async with working(gateway, channel, seal_worker(act)):
        await gateway.put("seal-item", 13, {"applicationId": "A1"})
        thrown = await gateway.call("ThrowError")

    assert (thrown.jobKey, thrown.errorCode, json.loads(thrown.variables)) == (13, "FOOTAGE_MISSING", {"itemId": "I1"})
    assert not gateway.calls["FailJob"]
    assert not gateway.calls["CompleteJob"]


@pytest.mark.parametrize(
    "error",
    [
        Fatal("could not open the master | object m/1 | wrong key | restore the key, then resolve"),
        Refused("agreement-missing", "There is no agreement."),
    ],
)
async def test_what_only_a_person_can_mend_is_an_incident_at_once(
    gateway: FakeGateway, channel: Any, error: Exception
) -> None:
    async with working(gateway, channel, seal_worker(raises(error))):
        await gateway.put("seal-item", 14, {"applicationId": "A1"}, retries=3)
        failed = await gateway.call("FailJob")

    assert failed.retries == 0
    assert len(failed.errorMessage.split(" | ")) == 4
    assert all(part in failed.errorMessage for part in str(error).split(" | "))
    assert "application A1" in failed.errorMessage


async def test_what_may_pass_is_tried_again_after_waits_that_grow(gateway: FakeGateway, channel: Any) -> None:
    act = raises(Retryable("the recorder R1 does not answer"))

    async with working(gateway, channel, seal_worker(act)):
        for left in (3, 2, 1):
            await gateway.put("seal-item", 15, {"applicationId": "A1"}, retries=left)
            await gateway.call("FailJob", 4 - left)

    failed = gateway.calls["FailJob"]
    assert [call.retries for call in failed] == [2, 1, 0]
    assert [call.retryBackOff for call in failed] == [2000, 6000, 18000]
    assert failed[0].errorMessage == (
        "seal-item failed | application A1, job 15 | the recorder R1 does not answer | "
        "nothing: it is retried automatically"
    )
    assert failed[2].errorMessage.endswith("set retries and resolve the incident (docs/runbooks/jobs-failing.md)")


async def test_an_unknown_error_is_tried_again_and_tells_its_type_alone(gateway: FakeGateway, channel: Any) -> None:
    async with working(gateway, channel, seal_worker(raises(KeyError("a person's name")))):
        await gateway.put("seal-item", 16, {"applicationId": "A1"})
        failed = await gateway.call("FailJob")

    assert failed.retries == 2
    assert failed.retryBackOff == 2000
    assert "KeyError" in failed.errorMessage
    assert "name" not in failed.errorMessage


async def test_a_wrong_variable_is_an_incident_that_names_it(gateway: FakeGateway, channel: Any) -> None:
    async with working(gateway, channel, seal_worker(done)):
        await gateway.put("seal-item", 17, {"applicationId": 5})
        failed = await gateway.call("FailJob")

    assert failed.retries == 0
    assert "variable applicationId of job 17 at Task_seal-item" in failed.errorMessage


async def test_connection_errors_without_end_do_not_close_the_channel(
    gateway: FakeGateway, channel: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "POLL_PAUSE_FIRST", 0.0)
    gateway.fail("ActivateJobs", grpc.StatusCode.INTERNAL, times=15)

    async with working(gateway, channel, seal_worker(done)) as runner:
        await gateway.put("seal-item", 18, {"applicationId": "A1"})
        await gateway.call("CompleteJob")
        assert runner.health.faults() == []


async def test_a_status_pyzeebe_does_not_know_does_not_end_the_worker(
    gateway: FakeGateway, channel: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "POLL_PAUSE_FIRST", 0.0)
    gateway.fail("ActivateJobs", grpc.StatusCode.UNAUTHENTICATED, times=2)

    async with working(gateway, channel, seal_worker(done)):
        await gateway.put("seal-item", 19, {"applicationId": "A1"})
        await gateway.call("CompleteJob")


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, "the engine refuses the request | check the settings of the worker"),
        (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED: as ordered | check CAMUNDA_CLIENT_ID"),
        (grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED: as ordered | check CAMUNDA_CLIENT_ID"),
    ],
)
async def test_a_poll_that_the_engine_refuses_is_asked_again_by_a_process_that_is_alive_and_not_ready(
    gateway: FakeGateway, channel: Any, monkeypatch: pytest.MonkeyPatch, code: grpc.StatusCode, sentence: str
) -> None:
    monkeypatch.setattr(adapter, "POLL_PAUSE_FIRST", 0.01)
    monkeypatch.setattr(adapter, "POLL_PAUSE_REFUSED", 0.05)
    job_type = f"seal-item-{code.name}"
    gateway.fail("ActivateJobs", code, times=10**5)

    async with working(gateway, channel, seal_worker(done, job_type)) as runner:
        await gateway.call("ActivateJobs", 4)
        assert runner.health.faults() == []
        told = (await runner.health.unready())["polls"]
        assert told.startswith(f"could not poll for jobs | {job_type} | {sentence}")
        refused = {"type": job_type, "reason": "refused"}
        assert (REGISTRY.get_sample_value("footage_desk_poll_failures_total", refused) or 0) >= 3

        gateway.orders["ActivateJobs"].clear()
        await gateway.put(job_type, 20, {"applicationId": "A1"})
        await gateway.call("CompleteJob")
        await gateway.call("ActivateJobs", len(gateway.calls["ActivateJobs"]) + 1)
        assert "polls" not in await runner.health.unready()


async def test_an_answer_that_is_not_understood_costs_neither_the_process_nor_the_other_jobs(
    gateway: FakeGateway, channel: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "POLL_PAUSE_FIRST", 0.0)
    garbled = made_job("garbled", 30)
    garbled.variables = "{"

    async with working(gateway, channel, seal_worker(done, "garbled"), seal_worker(done)) as runner:
        await gateway.put_all(garbled)
        await gateway.call("ActivateJobs", 4)
        await gateway.put("seal-item", 31, {"applicationId": "A1"})
        await gateway.call("CompleteJob")
        assert runner.health.faults() == []
        named = {"type": "garbled", "reason": "refused"}
        assert (REGISTRY.get_sample_value("footage_desk_poll_failures_total", named) or 0) >= 1


def test_the_pauses_of_a_refused_poll_are_long_and_shorter_than_what_counts_as_dead() -> None:
    assert adapter.POLL_PAUSE_LONGEST < adapter.POLL_PAUSE_REFUSED * 1.2 < POLL_SILENCE


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED])
async def test_an_answer_survives_a_gateway_that_fails_twice(
    gateway: FakeGateway, channel: Any, code: grpc.StatusCode
) -> None:
    gateway.fail("CompleteJob", code, times=2)

    async with working(gateway, channel, seal_worker(done)):
        await gateway.put("seal-item", 20, {"applicationId": "A1"})
        await gateway.call("CompleteJob", 3)

    assert not gateway.calls["FailJob"]


async def test_a_handler_that_lives_keeps_its_job(gateway: FakeGateway, channel: Any) -> None:
    release = asyncio.Event()

    async def act(command: SealItem) -> Sealed:
        await release.wait()
        return await done(command)

    async with working(gateway, channel, seal_worker(act)):
        await gateway.put("seal-item", 21, {"applicationId": "A1"})
        extended = await gateway.call("UpdateJobTimeout", 2)
        release.set()
        await gateway.call("CompleteJob")

    assert (extended.jobKey, extended.timeout) == (21, 1000)


async def test_a_handler_whose_job_is_gone_is_stopped_and_says_nothing(gateway: FakeGateway, channel: Any) -> None:
    stopped = asyncio.Event()

    async def act(_command: SealItem) -> Sealed:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        raise AssertionError("an event that nobody sets was set")

    gateway.gone.add(22)
    async with working(gateway, channel, seal_worker(act)) as runner:
        await gateway.put("seal-item", 22, {"applicationId": "A1"})
        async with asyncio.timeout(PATIENCE):
            await stopped.wait()
        await runner.stop()

    assert not gateway.calls["CompleteJob"]
    assert not gateway.calls["FailJob"]


async def test_a_handler_that_waits_for_the_engine_is_stopped_too(gateway: FakeGateway, channel: Any) -> None:
    client = PyzeebeEngineClient(channel)

    async def act(_command: SealItem) -> Sealed:
        await client.publish_message("never-answered", "A1", {}, message_id="A1")
        raise AssertionError("the gateway has answered")

    gateway.hang = {"PublishMessage"}
    gateway.gone.add(27)
    lost = "footage_desk_job_leases_lost_total"
    async with working(gateway, channel, seal_worker(act, "wait-for-engine")) as runner:
        await gateway.put("wait-for-engine", 27, {"applicationId": "A1"})
        await gateway.call("UpdateJobTimeout")
        await runner.stop()

    assert counted(lost, type="wait-for-engine") == 1
    assert not gateway.calls["FailJob"]


async def test_a_job_that_timed_out_but_is_not_gone_is_finished(gateway: FakeGateway, channel: Any) -> None:
    release = asyncio.Event()

    async def act(command: SealItem) -> Sealed:
        await release.wait()
        return await done(command)

    gateway.inactive.add(23)
    async with working(gateway, channel, seal_worker(act)):
        await gateway.put("seal-item", 23, {"applicationId": "A1"})
        await gateway.call("UpdateJobTimeout", 2)
        release.set()
        await gateway.call("CompleteJob")


async def test_a_job_handed_out_twice_runs_once_at_a_time(gateway: FakeGateway, channel: Any) -> None:
    release, runs = asyncio.Event(), []

    async def act(command: SealItem) -> Sealed:
        runs.append(command.job_key)
        await release.wait()
        return await done(command)

    async with working(gateway, channel, seal_worker(act)):
        await gateway.put("seal-item", 24, {"applicationId": "A1"})
        await gateway.put("seal-item", 24, {"applicationId": "A1"})
        await gateway.put("seal-item", 25, {"applicationId": "A2"})
        await gateway.until(lambda: len(runs) == 2 and len(gateway.calls["UpdateJobTimeout"]) > 1)
        release.set()
        await gateway.call("CompleteJob", 2)

    assert sorted(runs) == [24, 25]
    assert sorted(call.jobKey for call in gateway.calls["CompleteJob"]) == [24, 25]
    assert not gateway.calls["FailJob"]


async def test_an_answer_that_comes_too_late_is_let_go(
    gateway: FakeGateway, channel: Any, caplog: pytest.LogCaptureFixture
) -> None:
    gateway.gone.add(26)

    async with working(gateway, channel, seal_worker(done)):
        await gateway.put("seal-item", 26, {"applicationId": "A1"})
        await gateway.call("CompleteJob")

    assert not gateway.calls["FailJob"]
    assert "Error in job executor" not in caplog.text


async def test_no_more_jobs_run_than_there_are_places(gateway: FakeGateway, channel: Any) -> None:
    release, running, most = asyncio.Event(), 0, 0

    async def act(command: SealItem) -> Sealed:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await release.wait()
        running -= 1
        return await done(command)

    async with working(gateway, channel, seal_worker(act, heavy=True), heavy_concurrency=2):
        for key in range(30, 36):
            await gateway.put("seal-item", key, {"applicationId": "A1"})
        await gateway.call("UpdateJobTimeout", 4)
        release.set()
        await gateway.call("CompleteJob", 6)

    assert most == 2
    assert all(call.maxJobsToActivate <= 2 for call in gateway.calls["ActivateJobs"])
    assert not gateway.calls["StreamActivatedJobs"]


async def test_stopping_lets_running_jobs_end(gateway: FakeGateway, channel: Any) -> None:
    started, release = asyncio.Event(), asyncio.Event()

    async def act(command: SealItem) -> Sealed:
        started.set()
        await release.wait()
        return await done(command)

    runner = JobRunner(settings_for(gateway), [seal_worker(act)], {}, channel)
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(runner.run())
        await gateway.put("seal-item", 40, {"applicationId": "A1"})
        await started.wait()
        stopping = group.create_task(runner.stop(grace=PATIENCE))
        await gateway.call("UpdateJobTimeout")
        assert not stopping.done()
        release.set()

    assert [call.jobKey for call in gateway.calls["CompleteJob"]] == [40]


async def test_stopping_is_bounded_and_hands_back_what_runs_on(gateway: FakeGateway, channel: Any) -> None:
    started = asyncio.Event()

    async def act(_command: SealItem) -> Sealed:
        started.set()
        await asyncio.Event().wait()
        raise AssertionError("an event that nobody sets was set")

    other = seal_worker(done, "another-type")
    runner = JobRunner(settings_for(gateway), [seal_worker(act), other], {}, channel)
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(runner.run())
        await gateway.put("seal-item", 41, {"applicationId": "A1"}, retries=3)
        await started.wait()
        await runner.stop(grace=0.2)

    handed_back = gateway.calls["FailJob"]
    assert [(call.jobKey, call.retries, call.retryBackOff) for call in handed_back] == [(41, 3, 0)]
    assert runner.running == 0


async def test_a_job_that_arrives_during_the_drain_is_handed_back(gateway: FakeGateway, channel: Any) -> None:
    started, release = asyncio.Event(), asyncio.Event()

    async def act(command: SealItem) -> Sealed:
        started.set()
        await release.wait()
        return await done(command)

    runner = JobRunner(settings_for(gateway, poll_seconds=10), [seal_worker(act)], {}, channel)
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(runner.run())
        await gateway.put("seal-item", 42, {"applicationId": "A1"})
        await started.wait()
        await gateway.call("ActivateJobs", 2)
        stopping = group.create_task(runner.stop(grace=PATIENCE))
        await gateway.call("UpdateJobTimeout")
        await gateway.put("seal-item", 43, {"applicationId": "A2"}, retries=2)
        handed_back = await gateway.call("FailJob")
        release.set()
        await stopping

    assert (handed_back.jobKey, handed_back.retries) == (43, 2)
    assert [call.jobKey for call in gateway.calls["CompleteJob"]] == [42]


async def test_blocking_work_leaves_the_loop_free_and_has_its_own_threads(gateway: FakeGateway, channel: Any) -> None:
    release = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def act(command: SealItem) -> Sealed:
        await run_in_thread(lambda: asyncio.run_coroutine_threadsafe(release.wait(), loop).result(PATIENCE))
        return await done(command)

    async with working(gateway, channel, seal_worker(act), threads=1):
        await gateway.put("seal-item", 50, {"applicationId": "A1"})
        await gateway.put("seal-item", 51, {"applicationId": "A1"})
        await gateway.until(lambda: {call.jobKey for call in gateway.calls["UpdateJobTimeout"]} == {50, 51})
        release.set()
        await gateway.call("CompleteJob", 2)
