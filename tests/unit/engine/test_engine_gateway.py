"""The gateway: long polls, streams, results."""

import json

import grpc
import pytest
from bpmn_makers import ONE_JOB, diagram, end, start
from engine_desk import running_engine
from pyzeebe.proto import gateway_pb2 as pb

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
        engine.server.writer.stop_waiting()

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
