"""Resolve an incident, or modify its instance, without Operate (docs/runbooks/incidents-pending.md)."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import grpc
from pyzeebe.proto import gateway_pb2 as pb
from pyzeebe.proto import gateway_pb2_grpc as rpc

from services.runtime.engine_client import CALL_SECONDS
from services.runtime.errors import Fatal, Retryable

RUNBOOK = "incidents-pending"


async def resolve(channel: grpc.aio.Channel, incident_key: int, job_key: int | None, retries: int) -> None:
    """Reset the retries of the incident's job, if any, and resolve it.

    Raises Fatal if there is no such incident or job, Retryable if the engine does not answer.
    """
    stub = rpc.GatewayStub(channel)
    check = "check both keys in the engine's log; a job without retries needs --job"
    async with _reported("resolve the incident", incident_key, check):
        if job_key is not None:
            update = pb.UpdateJobRetriesRequest(jobKey=job_key, retries=retries)
            await stub.UpdateJobRetries(update, timeout=CALL_SECONDS)
        await stub.ResolveIncident(pb.ResolveIncidentRequest(incidentKey=incident_key), timeout=CALL_SECONDS)


async def modify(
    channel: grpc.aio.Channel, instance_key: int, activate: str, terminate: int, variables: Mapping[str, object]
) -> None:
    """Activate an element of a process instance, with variables of the instance, and terminate an element instance.

    Raises as ``resolve``.
    """
    instruction = pb.ModifyProcessInstanceRequest.ActivateInstruction(
        elementId=activate,
        variableInstructions=[
            pb.ModifyProcessInstanceRequest.VariableInstruction(variables=json.dumps(dict(variables)))
        ],
    )
    request = pb.ModifyProcessInstanceRequest(
        processInstanceKey=instance_key,
        activateInstructions=[instruction],
        terminateInstructions=[pb.ModifyProcessInstanceRequest.TerminateInstruction(elementInstanceKey=terminate)],
    )
    async with _reported("modify the instance", instance_key, "check the keys, and the element's id in the model"):
        await rpc.GatewayStub(channel).ModifyProcessInstance(request, timeout=CALL_SECONDS)


@asynccontextmanager
async def _reported(doing: str, key: int, check: str) -> AsyncIterator[None]:
    """Turn the engine's refusal into a sentence that ends with what to ``check``."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        cause = f"{error.code().name}: {error.details() or 'no details'}"
        if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
            raise Retryable(f"could not {doing} | {key} | {cause} | see that the engine runs, and try again") from error
        raise Fatal(f"could not {doing} | {key} | {cause} | {check}") from error
