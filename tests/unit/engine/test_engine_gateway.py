"""The gateway: long polls, streams, results."""

import asyncio
import json
from typing import Any

import grpc
import pytest
from bpmn_makers import ONE_JOB, diagram, end, start
from engine_harness import running_engine
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pyzeebe.proto import gateway_pb2 as pb
from wrong_calls import answer

from services.engine.processing import command_processor, messages

CREATE = pb.CreateProcessInstanceRequest


async def test_a_long_poll_is_answered_as_soon_as_there_is_a_job() -> None:
    async with running_engine() as engine:
        await engine.deploy(ONE_JOB)
        polling = await engine.long_poll("work")

        await engine.stub.CreateProcessInstance(CREATE(bpmnProcessId="one-job", version=-1, variables='{"x": 1}'))

        (job,) = await polling
        assert json.loads(job.variables) == {"x": 1}


async def test_stopping_ends_the_long_polls() -> None:
    async with running_engine() as engine:
        polling = await engine.long_poll("work")
        engine.server.writer.end_long_polls()

        assert await polling == []


async def test_a_stream_hands_out_jobs_as_they_come() -> None:
    async with running_engine() as engine:
        await engine.deploy(ONE_JOB)
        stream = engine.stub.StreamActivatedJobs(pb.StreamActivatedJobsRequest(type="work", worker="w", timeout=60_000))
        for number in (1, 2):
            await engine.stub.CreateProcessInstance(
                CREATE(bpmnProcessId="one-job", version=-1, variables=json.dumps({"n": number}))
            )
            job = await stream.read()
            assert json.loads(job.variables) == {"n": number}
        stream.cancel()


async def test_a_result_that_does_not_come_in_time_is_deadline_exceeded() -> None:
    async with running_engine() as engine:
        await engine.deploy(ONE_JOB)
        request = pb.CreateProcessInstanceWithResultRequest(
            request=CREATE(bpmnProcessId="one-job", version=-1), requestTimeout=1
        )

        with pytest.raises(grpc.aio.AioRpcError, match="did not end within") as error:
            await engine.stub.CreateProcessInstanceWithResult(request)

    assert error.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_result_holds_the_process_variables() -> None:
    script = (
        '<bpmn:scriptTask id="t"><bpmn:extensionElements><zeebe:script expression="=a + 1" resultVariable="b" />'
        "</bpmn:extensionElements></bpmn:scriptTask>"
    )
    async with running_engine() as engine:
        await engine.deploy(diagram(start() + script + end(), "s>t t>e"))
        request = pb.CreateProcessInstanceWithResultRequest(
            request=CREATE(bpmnProcessId="p", version=-1, variables='{"a": 1}'), fetchVariables=["b"]
        )

        answer = await engine.stub.CreateProcessInstanceWithResult(request)

    assert json.loads(answer.variables) == {"b": 2}


async def test_a_job_may_be_failed_by_somebody_who_did_not_fetch_it() -> None:
    async with running_engine() as engine:
        await engine.deploy(ONE_JOB)
        await engine.stub.CreateProcessInstance(CREATE(bpmnProcessId="one-job", version=-1))
        (job,) = await engine.fetch("work")
        engine.turn(minutes=2)
        (again,) = await engine.fetch("work")

        await engine.stub.FailJob(pb.FailJobRequest(jobKey=job.key, retries=2))
        await engine.stub.FailJob(pb.FailJobRequest(jobKey=job.key, retries=1))

        assert again.key == job.key
        assert [j.retries for j in await engine.fetch("work")] == [1]


def _result(timeout: int, **more: Any) -> pb.CreateProcessInstanceWithResultRequest:
    return pb.CreateProcessInstanceWithResultRequest(
        request=CREATE(bpmnProcessId="one-job", version=-1, variables='{"x": 1}'), requestTimeout=timeout, **more
    )


@pytest.mark.parametrize(("asked", "answered"), [([], {"x": 1, "y": 2}), (["y", "nobody"], {"y": 2}), (["nobody"], {})])
async def test_a_result_waits_for_the_end_and_holds_what_was_asked_for(
    asked: list[str], answered: dict[str, int]
) -> None:
    async with running_engine() as engine:
        await engine.deploy(ONE_JOB)
        waiting = asyncio.ensure_future(
            engine.stub.CreateProcessInstanceWithResult(_result(60_000, fetchVariables=asked))
        )

        (job,) = await engine.fetch("work", wait_ms=10_000)
        await engine.stub.CompleteJob(pb.CompleteJobRequest(jobKey=job.key, variables='{"y": 2}'))
        answer = await waiting

    assert json.loads(answer.variables) == answered
    assert (answer.processInstanceKey, answer.bpmnProcessId, answer.version) == (job.processInstanceKey, "one-job", 1)


@pytest.mark.parametrize("mishap", ["cancelled", "incident", "nothing"])
async def test_an_instance_that_does_not_complete_has_no_result_in_time(mishap: str) -> None:
    async with running_engine() as engine:
        await engine.deploy(ONE_JOB)
        waiting = asyncio.ensure_future(engine.stub.CreateProcessInstanceWithResult(_result(300)))
        (job,) = await engine.fetch("work", wait_ms=10_000)
        if mishap == "cancelled":
            await engine.stub.CancelProcessInstance(
                pb.CancelProcessInstanceRequest(processInstanceKey=job.processInstanceKey)
            )
        elif mishap == "incident":
            await engine.stub.FailJob(pb.FailJobRequest(jobKey=job.key, retries=0))

        with pytest.raises(grpc.aio.AioRpcError) as error:
            await waiting
        left = await engine.server.writer.read(lambda store: store.instances.get_for_update(job.processInstanceKey))

    assert error.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert (left is None) == (mishap == "cancelled")


async def test_what_breaks_inside_is_internal_and_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    request = pb.PublishMessageRequest(name="m", correlationKey="k", messageId="1", timeToLive=60_000)

    def broken(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    async with running_engine() as engine:
        with monkeypatch.context() as patch:
            patch.setattr(messages, "_start_instances", broken)  # after the message was put into the books
            with pytest.raises(grpc.aio.AioRpcError, match="ZeroDivisionError: a bug") as error:
                await engine.stub.PublishMessage(request)
        await engine.stub.PublishMessage(request)

    assert error.value.code() == grpc.StatusCode.INTERNAL
    assert "a command failed and was rolled back" in caplog.text


@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("PublishMessage", pb.PublishMessageRequest(name="m")),
        ("ActivateJobs", pb.ActivateJobsRequest(type="work", timeout=1, maxJobsToActivate=1)),
    ],
)
async def test_a_disk_that_is_full_is_internal_and_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, method: str, request_: Message
) -> None:
    def full(_command: object) -> "asyncio.Future[None]":
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.set_exception(OSError(28, "No space left on device"))
        return future

    async with running_engine() as engine:
        with monkeypatch.context() as patch:
            patch.setattr(engine.server.writer, "enqueue", full)
            with pytest.raises(grpc.aio.AioRpcError, match="No space left") as error:
                await answer(engine, method, request_)

    assert error.value.code() == grpc.StatusCode.INTERNAL
    assert f"the engine could not handle {method}" in caplog.text


async def test_health_is_told_at_once_and_to_those_who_watch() -> None:
    async with running_engine() as engine, grpc.aio.insecure_channel(engine.address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        checks = [
            await health.Check(health_pb2.HealthCheckRequest(service=service))
            for service in ("", "gateway_protocol.Gateway")
        ]
        watch = health.Watch(health_pb2.HealthCheckRequest(service="gateway_protocol.Gateway"))
        watched = await watch.read()
        watch.cancel()
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await health.Check(health_pb2.HealthCheckRequest(service="other"))

    assert {check.status for check in [*checks, watched]} == {health_pb2.HealthCheckResponse.SERVING}
    assert error.value.code() == grpc.StatusCode.NOT_FOUND


async def test_the_topology_is_one_broker_that_leads_one_partition() -> None:
    async with running_engine() as engine:
        topology = await engine.stub.Topology(pb.TopologyRequest())

    (broker,) = topology.brokers
    (partition,) = broker.partitions
    assert (topology.clusterSize, topology.partitionsCount, topology.replicationFactor) == (1, 1, 1)
    assert f"{broker.host}:{broker.port}" == engine.address
    assert (broker.version, topology.gatewayVersion) == ("8.6.0", "8.6.0")
    assert (partition.partitionId, partition.role, partition.health) == (1, pb.Partition.LEADER, pb.Partition.HEALTHY)


async def test_a_call_of_a_later_version_is_unimplemented() -> None:
    async with running_engine() as engine, grpc.aio.insecure_channel(engine.address) as channel:
        later = channel.unary_unary("/gateway_protocol.Gateway/EvaluateConditional")

        with pytest.raises(grpc.aio.AioRpcError) as error:
            await later(b"")

    assert error.value.code() == grpc.StatusCode.UNIMPLEMENTED


async def test_the_old_deployment_call_deploys_processes() -> None:
    async with running_engine() as engine:
        answer = await engine.stub.DeployProcess(
            pb.DeployProcessRequest(processes=[pb.ProcessRequestObject(name="a.bpmn", definition=ONE_JOB)])
        )

    assert [(p.bpmnProcessId, p.version, p.resourceName) for p in answer.processes] == [("one-job", 1, "a.bpmn")]


async def test_a_deleted_version_goes_on_where_it_runs_and_starts_no_more() -> None:
    async with running_engine() as engine:
        keys = [
            (await engine.deploy(ONE_JOB + b" " * spaces)).deployments[0].process.processDefinitionKey
            for spaces in range(2)
        ]
        await engine.stub.CreateProcessInstance(CREATE(bpmnProcessId="one-job", version=2))
        await engine.stub.DeleteResource(pb.DeleteResourceRequest(resourceKey=keys[1]))

        older = await engine.stub.CreateProcessInstance(CREATE(bpmnProcessId="one-job", version=-1))
        with pytest.raises(grpc.aio.AioRpcError, match="version '2'"):
            await engine.stub.CreateProcessInstance(CREATE(bpmnProcessId="one-job", version=2))
        again = await engine.deploy(ONE_JOB + b" ")
        jobs = await engine.fetch("work")
        for job in jobs:
            await engine.stub.CompleteJob(pb.CompleteJobRequest(jobKey=job.key))
        left = await engine.server.writer.read(lambda store: store.instances.get_for_update(jobs[0].processInstanceKey))

    assert (older.version, again.deployments[0].process.version) == (1, 3)
    assert [job.processDefinitionVersion for job in jobs] == [2, 1]
    assert left is None


async def test_a_loop_without_an_end_is_no_busy_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients repeat what RESOURCE_EXHAUSTED turns away, and would run into the end of the loop each time."""
    monkeypatch.setattr(command_processor, "MAX_STEPS", 200)
    gateways = '<bpmn:exclusiveGateway id="a" /><bpmn:exclusiveGateway id="b" />'
    async with running_engine() as engine:
        await engine.deploy(diagram(start() + gateways, "s>a a>b b>a", process_id="loop"))
        with pytest.raises(grpc.aio.AioRpcError, match="endless loop") as error:
            await engine.stub.CreateProcessInstance(CREATE(bpmnProcessId="loop", version=-1))
    assert error.value.code() is grpc.StatusCode.FAILED_PRECONDITION
