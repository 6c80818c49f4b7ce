"""Resolve an incident from the command line, without Operate (docs/runbooks/incidents-pending.md)."""

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
    try:
        if job_key is not None:
            update = pb.UpdateJobRetriesRequest(jobKey=job_key, retries=retries)
            await stub.UpdateJobRetries(update, timeout=CALL_SECONDS)
        await stub.ResolveIncident(pb.ResolveIncidentRequest(incidentKey=incident_key), timeout=CALL_SECONDS)
    except grpc.aio.AioRpcError as error:
        cause = f"{error.code().name}: {error.details() or 'no details'}"
        if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
            raise Retryable(
                f"could not resolve the incident | {incident_key} | {cause} | see that the engine runs, and try again"
            ) from error
        raise Fatal(
            f"could not resolve the incident | {incident_key} | {cause} | "
            "check both keys in the engine's log; a job without retries needs --job"
        ) from error
