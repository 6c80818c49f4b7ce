"""Resolving an incident from the command line, where there is no Operate (docs/runbooks/incidents-pending.md)."""

import grpc
from pyzeebe.proto import gateway_pb2 as pb
from pyzeebe.proto import gateway_pb2_grpc as rpc

from services.runtime.engine_client import CALL_SECONDS
from services.runtime.errors import Fatal, Retryable

RUNBOOK = "incidents-pending"


async def resolve(channel: grpc.aio.Channel, incident_key: int, job_key: int | None, retries: int) -> None:
    """Give the incident's job its retries back, where it has one, and resolve it; what failed is tried again.

    Raises Fatal when there is no such incident or job, Retryable when the engine does not answer.
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
