"""Calls that a gateway refuses, with their status and words of the sentence, and the stage they are made on."""

from collections.abc import Callable
from dataclasses import dataclass

import grpc
from bpmn_makers import ONE_JOB, diagram, end, job, start
from engine_harness import Running
from google.protobuf.message import Message
from pyzeebe.proto import gateway_pb2 as pb

NOT_FOUND, INVALID = grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT
STATE, EXISTS = grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.ALREADY_EXISTS

CREATE, ACTIVATE, STREAM = pb.CreateProcessInstanceRequest, pb.ActivateJobsRequest, pb.StreamActivatedJobsRequest
RESULT, MODIFY, DEPLOY = (
    pb.CreateProcessInstanceWithResultRequest,
    pb.ModifyProcessInstanceRequest,
    pb.DeployResourceRequest,
)
PUBLISH, SIGNAL, EVALUATE = pb.PublishMessageRequest, pb.BroadcastSignalRequest, pb.EvaluateDecisionRequest
COMPLETE, FAIL, THROW = pb.CompleteJobRequest, pb.FailJobRequest, pb.ThrowErrorRequest
RETRIES, TIMEOUT, SET = pb.UpdateJobRetriesRequest, pb.UpdateJobTimeoutRequest, pb.SetVariablesRequest
CANCEL, RESOLVE, DELETE = pb.CancelProcessInstanceRequest, pb.ResolveIncidentRequest, pb.DeleteResourceRequest

_BY_MESSAGE = diagram(
    '<bpmn:startEvent id="s"><bpmn:messageEventDefinition messageRef="M" /></bpmn:startEvent>' + end(),
    "s>e",
    process_id="by-message",
    before='<bpmn:message id="M" name="begin" />',
)
_CALLER = diagram(
    start()
    + '<bpmn:callActivity id="c"><bpmn:extensionElements><zeebe:calledElement processId="one-job" />'
    + "</bpmn:extensionElements></bpmn:callActivity>"
    + end(),
    "s>c c>e",
    process_id="caller",
)
_GONE = diagram(start() + end(), "s>e", process_id="gone")
_NO_FLOW = diagram(start() + job("t"), "s>nowhere")


@dataclass
class Keys:
    """What there is before the call: process instances, jobs, an incident, and a definition that was deleted."""

    running: int
    ended: int
    child: int
    waiting: int  # a job nobody fetched
    fetched: int
    failed: int
    done: int
    incident: int
    deleted: int


async def set_stage(engine: Running) -> Keys:
    stub = engine.stub
    deployed = await engine.deploy(ONE_JOB, _BY_MESSAGE, _CALLER, _GONE)
    deleted = deployed.deployments[3].process.processDefinitionKey
    ended, _, running = [(await stub.CreateProcessInstance(create("one-job"))).processInstanceKey for _ in range(3)]
    done, failed, fetched = await engine.fetch("work")
    await stub.CompleteJob(COMPLETE(jobKey=done.key))
    await stub.FailJob(FAIL(jobKey=failed.key, retries=0))
    (incident,) = await engine.server.writer.read(lambda store: store.incidents.all_open())
    await stub.CreateProcessInstance(create("caller"))
    (waiting,) = await engine.server.writer.read(lambda store: store.jobs.activatable("work", 9))
    await stub.DeleteResource(DELETE(resourceKey=deleted))
    await stub.PublishMessage(PUBLISH(name="m", correlationKey="k", messageId="twice", timeToLive=60_000))
    return Keys(
        running,
        ended,
        child=waiting.process_instance_key,
        waiting=waiting.key,
        fetched=fetched.key,
        failed=failed.key,
        done=done.key,
        incident=incident.key,
        deleted=deleted,
    )


async def answer(engine: Running, method: str, request: Message) -> None:
    call = getattr(engine.stub, method)(request)
    if method in ("ActivateJobs", "StreamActivatedJobs"):
        async for _ in call:
            pass
    else:
        await call


def create(process_id: str, **more: object) -> pb.CreateProcessInstanceRequest:
    return CREATE(bpmnProcessId=process_id, version=-1, **more)  # type: ignore[arg-type]  # by name, as in the proto


def _in_result(request: pb.CreateProcessInstanceRequest) -> pb.CreateProcessInstanceWithResultRequest:
    return RESULT(request=request, requestTimeout=60_000)


WRONG: dict[str, tuple[str, Callable[[Keys], Message], grpc.StatusCode, str]] = {
    "deploy nothing": ("DeployResource", lambda k: DEPLOY(), INVALID, "at least one resource"),
    "deploy a text": (
        "DeployResource",
        lambda k: DEPLOY(resources=[pb.Resource(name="a.txt")]),
        INVALID,
        "neither .bpmn nor .dmn",
    ),
    "deploy no XML": (
        "DeployResource",
        lambda k: DEPLOY(resources=[pb.Resource(name="a.bpmn", content=b"x")]),
        INVALID,
        "a.bpmn",
    ),
    "deploy a wrong model": (
        "DeployResource",
        lambda k: DEPLOY(resources=[pb.Resource(name="a.bpmn", content=_NO_FLOW)]),
        INVALID,
        "nowhere",
    ),
    "deploy one process twice": (
        "DeployResource",
        lambda k: DEPLOY(resources=[pb.Resource(name=f"{n}.bpmn", content=ONE_JOB) for n in "ab"]),
        INVALID,
        "'one-job' is in 'a.bpmn' and in 'b.bpmn'",
    ),
    "deploy for a tenant": ("DeployResource", lambda k: DEPLOY(tenantId="t"), INVALID, "multi-tenancy is disabled"),
    "deploy the old way": ("DeployProcess", lambda k: pb.DeployProcessRequest(), INVALID, "at least one resource"),
    "create of an unknown process": ("CreateProcessInstance", lambda k: create("x"), NOT_FOUND, "'x', but none found"),
    "create of an unknown version": (
        "CreateProcessInstance",
        lambda k: CREATE(bpmnProcessId="one-job", version=9),
        NOT_FOUND,
        "version '9'",
    ),
    "create of version 0": ("CreateProcessInstance", lambda k: CREATE(bpmnProcessId="one-job"), NOT_FOUND, "'0'"),
    "create by an unknown key": ("CreateProcessInstance", lambda k: CREATE(processDefinitionKey=5), NOT_FOUND, "'5'"),
    "create of nothing": (
        "CreateProcessInstance",
        lambda k: CREATE(processDefinitionKey=-1),
        INVALID,
        "at least a bpmnProcessId or a key",
    ),
    "create of what was deleted": (
        "CreateProcessInstance",
        lambda k: CREATE(processDefinitionKey=k.deleted),
        NOT_FOUND,
        "none found",
    ),
    "create without a plain start": (
        "CreateProcessInstance",
        lambda k: create("by-message"),
        STATE,
        "no such event",
    ),
    "create with a list": ("CreateProcessInstance", lambda k: create("one-job", variables="[1]"), INVALID, "object"),
    "create with half an object": (
        "CreateProcessInstance",
        lambda k: create("one-job", variables='{"a":'),
        INVALID,
        "JSON",
    ),
    "create at an unknown element": (
        "CreateProcessInstance",
        lambda k: create("one-job", startInstructions=[{"elementId": "nope"}]),
        INVALID,
        "no element is found with id 'nope'",
    ),
    "create at a start event": (
        "CreateProcessInstance",
        lambda k: create("one-job", startInstructions=[{"elementId": "s"}]),
        INVALID,
        "'s' is a",
    ),
    "create for a tenant": (
        "CreateProcessInstance",
        lambda k: create("one-job", tenantId="other"),
        INVALID,
        "CreateProcessInstance with tenant identifier 'other', but multi-tenancy is disabled",
    ),
    "create unknown with result": (
        "CreateProcessInstanceWithResult",
        lambda k: _in_result(create("x")),
        NOT_FOUND,
        "'x', but none found",
    ),
    "create with result and a text": (
        "CreateProcessInstanceWithResult",
        lambda k: _in_result(create("one-job", variables='"text"')),
        INVALID,
        "object",
    ),
    "create with result for a tenant": (
        "CreateProcessInstanceWithResult",
        lambda k: _in_result(create("one-job", tenantId="other")),
        INVALID,
        "multi-tenancy is disabled",
    ),
    "cancel an unknown instance": ("CancelProcessInstance", lambda k: CANCEL(processInstanceKey=5), NOT_FOUND, "'5'"),
    "cancel a negative key": ("CancelProcessInstance", lambda k: CANCEL(processInstanceKey=-1), NOT_FOUND, "'-1'"),
    "cancel what has ended": (
        "CancelProcessInstance",
        lambda k: CANCEL(processInstanceKey=k.ended),
        NOT_FOUND,
        "no such process was found",
    ),
    "cancel a called instance": (
        "CancelProcessInstance",
        lambda k: CANCEL(processInstanceKey=k.child),
        STATE,
        "created by a parent process instance",
    ),
    "variables of nothing": ("SetVariables", lambda k: SET(elementInstanceKey=5), NOT_FOUND, "'5'"),
    "variables of what has ended": ("SetVariables", lambda k: SET(elementInstanceKey=k.ended), NOT_FOUND, "no such"),
    "variables that are a number": (
        "SetVariables",
        lambda k: SET(elementInstanceKey=k.running, variables="1"),
        INVALID,
        "object",
    ),
    "a message published twice": (
        "PublishMessage",
        lambda k: PUBLISH(name="m", correlationKey="k", messageId="twice"),
        EXISTS,
        "already published",
    ),
    "a message with wrong variables": ("PublishMessage", lambda k: PUBLISH(name="m", variables="NaN"), INVALID, "JSON"),
    "a message for a tenant": (
        "PublishMessage",
        lambda k: PUBLISH(name="m", tenantId="other"),
        INVALID,
        "multi-tenancy is disabled",
    ),
    "a message larger than 4 MB": (
        "PublishMessage",
        lambda k: PUBLISH(name="m", variables='{"x": "' + "x" * 4_194_304 + '"}'),
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "larger than max",
    ),
    "a signal with wrong variables": ("BroadcastSignal", lambda k: SIGNAL(signalName="s", variables="{"), INVALID, "J"),
    "a signal for a tenant": ("BroadcastSignal", lambda k: SIGNAL(signalName="s", tenantId="t"), INVALID, "tenant"),
    "complete an unknown job": ("CompleteJob", lambda k: COMPLETE(jobKey=5), NOT_FOUND, "no such job"),
    "complete a job twice": ("CompleteJob", lambda k: COMPLETE(jobKey=k.done), NOT_FOUND, "no such job"),
    "complete a failed job": ("CompleteJob", lambda k: COMPLETE(jobKey=k.failed), STATE, "in state 'FAILED'"),
    "complete with a list": ("CompleteJob", lambda k: COMPLETE(jobKey=k.fetched, variables="[]"), INVALID, "object"),
    "fail an unknown job": ("FailJob", lambda k: FAIL(jobKey=5, retries=1), NOT_FOUND, "no such job"),
    "fail a failed job": ("FailJob", lambda k: FAIL(jobKey=k.failed, retries=1), STATE, "in state 'FAILED'"),
    "fail with a list": ("FailJob", lambda k: FAIL(jobKey=k.fetched, retries=1, variables="[]"), INVALID, "object"),
    "an error from an unknown job": ("ThrowError", lambda k: THROW(jobKey=5, errorCode="E"), NOT_FOUND, "no such job"),
    "an error from a failed job": ("ThrowError", lambda k: THROW(jobKey=k.failed), STATE, "in state 'FAILED'"),
    "an error with a list": ("ThrowError", lambda k: THROW(jobKey=k.fetched, variables="[]"), INVALID, "object"),
    "retries of an unknown job": ("UpdateJobRetries", lambda k: RETRIES(jobKey=5, retries=1), NOT_FOUND, "no such job"),
    "no retries": ("UpdateJobRetries", lambda k: RETRIES(jobKey=k.failed), INVALID, "positive amount"),
    "negative retries": ("UpdateJobRetries", lambda k: RETRIES(jobKey=k.failed, retries=-1), INVALID, "was '-1'"),
    "timeout of an unknown job": ("UpdateJobTimeout", lambda k: TIMEOUT(jobKey=5, timeout=1), NOT_FOUND, "no such job"),
    "timeout of a job nobody has": (
        "UpdateJobTimeout",
        lambda k: TIMEOUT(jobKey=k.waiting, timeout=1),
        STATE,
        "not active",
    ),
    "timeout of a failed job": ("UpdateJobTimeout", lambda k: TIMEOUT(jobKey=k.failed, timeout=1), STATE, "not active"),
    "resolve an unknown incident": ("ResolveIncident", lambda k: RESOLVE(incidentKey=5), NOT_FOUND, "no such incident"),
    "resolve without retries": (
        "ResolveIncident",
        lambda k: RESOLVE(incidentKey=k.incident),
        STATE,
        "no retries left",
    ),
    "an unknown decision": (
        "EvaluateDecision",
        lambda k: EVALUATE(decisionId="x", decisionKey=5),
        INVALID,
        "but no decision found for id 'x'",
    ),
    "a decision by an unknown key": (
        "EvaluateDecision",
        lambda k: EVALUATE(decisionKey=5),
        INVALID,
        "but no decision found for key '5'",
    ),
    "no decision": ("EvaluateDecision", lambda k: EVALUATE(decisionKey=-1), INVALID, "either a decision id or"),
    "a decision with a list": ("EvaluateDecision", lambda k: EVALUATE(decisionId="x", variables="[]"), INVALID, "obj"),
    "a decision for a tenant": ("EvaluateDecision", lambda k: EVALUATE(decisionId="x", tenantId="t"), INVALID, "tenan"),
    "modify an unknown instance": ("ModifyProcessInstance", lambda k: MODIFY(processInstanceKey=5), NOT_FOUND, "'5'"),
    "activate an unknown element": (
        "ModifyProcessInstance",
        lambda k: MODIFY(processInstanceKey=k.running, activateInstructions=[{"elementId": "nope"}]),
        INVALID,
        "nope",
    ),
    "terminate an unknown element": (
        "ModifyProcessInstance",
        lambda k: MODIFY(processInstanceKey=k.running, terminateInstructions=[{"elementInstanceKey": 5}]),
        INVALID,
        "'5'",
    ),
    "modify with wrong variables": (
        "ModifyProcessInstance",
        lambda k: MODIFY(
            processInstanceKey=k.running,
            activateInstructions=[{"elementId": "work", "variableInstructions": [{"variables": "[]"}]}],
        ),
        INVALID,
        "object",
    ),
    "migrate what is unknown": (
        "MigrateProcessInstance",
        lambda k: pb.MigrateProcessInstanceRequest(processInstanceKey=5),
        NOT_FOUND,
        "no process instance found with key '5'",
    ),
    "migrate to what is unknown": (
        "MigrateProcessInstance",
        lambda k: pb.MigrateProcessInstanceRequest(
            processInstanceKey=k.running, migrationPlan={"targetProcessDefinitionKey": 5}
        ),
        NOT_FOUND,
        "no process definition found with key '5'",
    ),
    "delete what is unknown": ("DeleteResource", lambda k: DELETE(resourceKey=5), NOT_FOUND, "key `5`"),
    "delete twice": ("DeleteResource", lambda k: DELETE(resourceKey=k.deleted), NOT_FOUND, "no resource found"),
    "jobs of no type": (
        "ActivateJobs",
        lambda k: ACTIVATE(type=" ", timeout=1, maxJobsToActivate=1),
        INVALID,
        "type to be present",
    ),
    "jobs for no time": (
        "ActivateJobs",
        lambda k: ACTIVATE(type="work", maxJobsToActivate=1),
        INVALID,
        "timeout to be greater than zero",
    ),
    "no jobs": (
        "ActivateJobs",
        lambda k: ACTIVATE(type="work", timeout=1, maxJobsToActivate=-1),
        INVALID,
        "max jobs to activate to be greater than zero, but it was '-1'",
    ),
    "jobs of tenants": (
        "ActivateJobs",
        lambda k: ACTIVATE(type="work", timeout=1, maxJobsToActivate=1, tenantIds=["<default>", "other"]),
        INVALID,
        "'other', but multi-tenancy is disabled",
    ),
    "a stream of no type": ("StreamActivatedJobs", lambda k: STREAM(timeout=1), INVALID, "type to be present"),
    "a stream for no time": ("StreamActivatedJobs", lambda k: STREAM(type="work", timeout=-1), INVALID, "was '-1'"),
    "a stream of a tenant": (
        "StreamActivatedJobs",
        lambda k: STREAM(type="work", timeout=1, tenantIds=["other"]),
        INVALID,
        "StreamActivatedJobs with tenant identifier",
    ),
}
