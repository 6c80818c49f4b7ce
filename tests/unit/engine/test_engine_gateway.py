"""The gateway: status codes and sentences for wrong calls, long polls, streams, results."""

import json

import grpc
import pytest
from bpmn_makers import ONE_JOB, diagram, end, start
from engine_desk import running_engine
from google.protobuf.message import Message
from pyzeebe.proto import gateway_pb2 as pb

NOT_FOUND, INVALID = grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT
CREATE, ACTIVATE = pb.CreateProcessInstanceRequest, pb.ActivateJobsRequest

WRONG_CALLS: list[tuple[str, Message, grpc.StatusCode, str]] = [
    ("CreateProcessInstance", CREATE(bpmnProcessId="x", version=-1), NOT_FOUND, "'x', but none found"),
    ("CreateProcessInstance", CREATE(bpmnProcessId="one-job", version=9), NOT_FOUND, "version '9'"),
    ("CreateProcessInstance", CREATE(processDefinitionKey=5), NOT_FOUND, "key '5'"),
    ("CreateProcessInstance", CREATE(bpmnProcessId="one-job", version=-1, variables="[1]"), INVALID, "JSON object"),
    (
        "CreateProcessInstance",
        CREATE(bpmnProcessId="one-job", version=-1, startInstructions=[{"elementId": "nope"}]),
        INVALID,
        "no element is found with id 'nope'",
    ),
    ("CancelProcessInstance", pb.CancelProcessInstanceRequest(processInstanceKey=5), NOT_FOUND, "'5'"),
    ("SetVariables", pb.SetVariablesRequest(elementInstanceKey=5, variables="{}"), NOT_FOUND, "'5'"),
    ("CompleteJob", pb.CompleteJobRequest(jobKey=5), NOT_FOUND, "no such job"),
    ("FailJob", pb.FailJobRequest(jobKey=5, retries=1), NOT_FOUND, "no such job"),
    ("ThrowError", pb.ThrowErrorRequest(jobKey=5, errorCode="E"), NOT_FOUND, "no such job"),
    ("UpdateJobRetries", pb.UpdateJobRetriesRequest(jobKey=5, retries=1), NOT_FOUND, "no such job"),
    ("UpdateJobTimeout", pb.UpdateJobTimeoutRequest(jobKey=5, timeout=1), NOT_FOUND, "no such job"),
    ("ResolveIncident", pb.ResolveIncidentRequest(incidentKey=5), NOT_FOUND, "no such incident"),
    ("DeleteResource", pb.DeleteResourceRequest(resourceKey=5), NOT_FOUND, "`5`"),
    ("DeployResource", pb.DeployResourceRequest(), INVALID, "at least one resource"),
    ("DeployResource", pb.DeployResourceRequest(resources=[{"name": "a.txt"}]), INVALID, "neither .bpmn nor .dmn"),
    ("EvaluateDecision", pb.EvaluateDecisionRequest(decisionId="x"), INVALID, "but no decision found for id 'x'"),
    ("EvaluateDecision", pb.EvaluateDecisionRequest(), INVALID, "either a decision id or"),
    ("ModifyProcessInstance", pb.ModifyProcessInstanceRequest(processInstanceKey=5), NOT_FOUND, "key '5'"),
    ("MigrateProcessInstance", pb.MigrateProcessInstanceRequest(), grpc.StatusCode.UNIMPLEMENTED, "keep their version"),
]


@pytest.mark.parametrize(("method", "request_", "status", "text"), WRONG_CALLS)
async def test_a_wrong_call_is_answered_with_its_status_and_a_sentence(
    method: str, request_: Message, status: grpc.StatusCode, text: str
) -> None:
    async with running_engine() as engine:
        await engine.deploy(ONE_JOB)

        with pytest.raises(grpc.aio.AioRpcError) as error:
            await getattr(engine.stub, method)(request_)

    assert error.value.code() == status
    assert text in (error.value.details() or "")


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (ACTIVATE(type=" ", timeout=1, maxJobsToActivate=1), "type to be present"),
        (ACTIVATE(type="t", timeout=0, maxJobsToActivate=1), "timeout to be greater than zero"),
        (ACTIVATE(type="t", timeout=1, maxJobsToActivate=0), "maxJobsToActivate to be greater than zero"),
    ],
)
async def test_a_fetch_that_asks_for_nothing_is_refused(request_: pb.ActivateJobsRequest, text: str) -> None:
    async with running_engine() as engine:
        with pytest.raises(grpc.aio.AioRpcError, match=text) as error:
            _ = [answer async for answer in engine.stub.ActivateJobs(request_)]

    assert error.value.code() == INVALID


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
