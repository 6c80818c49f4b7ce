"""The client of the engine, and its implementation over gRPC with pyzeebe.

Transport errors become ``Retryable`` here and nowhere else (``transport``).
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol, cast

import grpc
from pyzeebe import ZeebeClient
from pyzeebe.errors import (
    JobAlreadyDeactivatedError,
    JobNotFoundError,
    MessageAlreadyExistsError,
    ProcessInvalidError,
    PyZeebeError,
    UnknownGrpcStatusCodeError,
    ZeebeBackPressureError,
    ZeebeDeadlineExceeded,
    ZeebeGatewayUnavailableError,
    ZeebeInternalError,
)
from pyzeebe.grpc_internals.types import DeployResourceResponse
from pyzeebe.proto import gateway_pb2 as pb
from pyzeebe.proto import gateway_pb2_grpc as rpc

from services.runtime.errors import Fatal, Retryable
from services.runtime.oauth import CHECK_CLIENT, REFUSED
from services.runtime.translations import Message, Text

CALL_SECONDS = 20.0

DEFAULT_TTL = timedelta(hours=1)

# With these a call is turned away before what it carries is read; the text of any other may quote its variables.
UNREAD = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
}


class Unauthorized(Fatal):
    """The gateway or the token address does not accept this client: every call would be refused."""


@dataclass(frozen=True)
class Topology:
    """The cluster behind the gateway."""

    gateway_version: str
    cluster_size: int
    partitions: int


@dataclass(frozen=True)
class DeployedProcess:
    """A process of a deployment, and the name of the file that it is in."""

    process_id: str
    version: int
    definition_key: int
    file: str


@dataclass(frozen=True)
class Deployment:
    """The result of a deployment: ``name -> version`` of each process and decision."""

    key: int
    versions: Mapping[str, int]
    processes: Sequence[DeployedProcess] = ()


class EngineClient(Protocol):
    """Raises Retryable if the engine cannot be reached or is busy, Fatal (Unauthorized) if it refuses."""

    async def publish_message(
        self,
        name: str,
        correlation_key: str,
        variables: Mapping[str, object],
        message_id: str,
        ttl: timedelta = DEFAULT_TTL,
    ) -> None:
        """Publish a message; one that the engine still buffers under this id counts as published."""
        ...

    async def deploy(self, paths: Sequence[Path]) -> Deployment:
        """Deploy BPMN and DMN files together; unchanged content makes no new version."""
        ...

    async def has_instance(self, process_instance_key: int) -> bool:
        """Return whether a process instance runs."""
        ...

    async def topology(self) -> Topology: ...

    async def healthy(self) -> bool:
        """Return whether the gateway answers and has a partition; never raises."""
        ...


class PyzeebeEngineClient:
    """EngineClient over a channel of ``services.runtime.channel``; close the channel, not this."""

    def __init__(self, channel: grpc.aio.Channel, call_seconds: float = CALL_SECONDS) -> None:
        # Trap 1 of docs/zeebe.md: pyzeebe's counter of connection errors never goes back.
        self._client = ZeebeClient(channel, max_connection_retries=-1)
        self._stub = rpc.GatewayStub(channel)
        self._call_seconds = call_seconds

    async def publish_message(
        self,
        name: str,
        correlation_key: str,
        variables: Mapping[str, object],
        message_id: str,
        ttl: timedelta = DEFAULT_TTL,
    ) -> None:
        async with transport(f"publish message {name}", self._call_seconds, values=True):
            try:
                await self._client.publish_message(
                    name,
                    correlation_key,
                    cast("dict[str, Any]", dict(variables)),
                    time_to_live_in_milliseconds=ttl // timedelta(milliseconds=1),
                    message_id=message_id,
                )
            except MessageAlreadyExistsError:
                return

    async def deploy(self, paths: Sequence[Path]) -> Deployment:
        async with transport("deploy " + ", ".join(path.name for path in paths), self._call_seconds):
            response = await self._client.deploy_resource(*paths)
        versions: dict[str, int] = {}
        processes = [
            DeployedProcess(part.bpmn_process_id, part.version, part.process_definition_key, part.resource_name)
            for part in response.deployments
            if isinstance(part, DeployResourceResponse.ProcessMetadata)
        ]
        for part in response.deployments:
            name = getattr(part, "bpmn_process_id", None) or getattr(part, "dmn_decision_id", None)
            if name is not None:
                versions[name] = part.version
        return Deployment(response.key, versions, processes)

    async def has_instance(self, process_instance_key: int) -> bool:
        # The gateway has no query. To set no variable at all is what it answers by, and changes nothing.
        request = pb.SetVariablesRequest(elementInstanceKey=process_instance_key, variables="{}", local=True)
        try:
            await self._stub.SetVariables(request, timeout=self._call_seconds)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return False
            raise Retryable(
                f"could not ask for the process instance | {process_instance_key} | {error.code().name}: "
                f"{error.details()} | see that the engine runs, and that this client may update process instances"
            ) from error
        return True

    async def topology(self) -> Topology:
        async with transport(Message("ask for the topology"), self._call_seconds):
            answer = await self._client.topology()
        return Topology(answer.gateway_version or "unknown", answer.cluster_size or 0, answer.partitions_count or 0)

    async def healthy(self) -> bool:
        try:
            return (await self.topology()).partitions > 0
        except (Retryable, Fatal):
            return False


@asynccontextmanager
async def transport(doing: str | Text, seconds: float = CALL_SECONDS, *, values: bool = False) -> AsyncIterator[None]:
    """Turn errors of pyzeebe and gRPC into Retryable or Fatal; a call that hangs ends after ``seconds``.

    ``values``: the call carries variables, which may be personal data, so no answer that may quote them is repeated.
    """
    describe = _without_values if values else cause_of
    try:
        # Not anyio's: a cancelled grpc.aio call raises a CancelledError of its own, which anyio does not know again.
        async with asyncio.timeout(seconds):
            yield
    except (JobNotFoundError, JobAlreadyDeactivatedError):
        raise  # an answer about the job, which the caller knows what to do with
    except TimeoutError as error:
        raise Retryable(
            Message("could not {act}: the engine did not answer within {seconds} s", act=doing, seconds=f"{seconds:g}")
        ) from error
    except (ZeebeGatewayUnavailableError, ZeebeDeadlineExceeded, ZeebeInternalError) as error:
        if REFUSED in cause_of(error):
            raise _unauthorized(doing, error) from error
        raise Retryable(_unreachable(doing, error, describe(error))) from error
    except ZeebeBackPressureError as error:
        raise Retryable(
            Message("could not {act}: the engine is busy ({error})", act=doing, error=describe(error))
        ) from error
    except ProcessInvalidError as error:
        cause = cause_of(error.__cause__ or error)
        raise Fatal(
            Message(
                "could not {act} | the engine refuses it | {error} | correct the file and deploy again",
                act=doing,
                error=cause,
            )
        ) from error
    except UnknownGrpcStatusCodeError as error:
        if error.grpc_error.code() is grpc.StatusCode.UNAUTHENTICATED:
            raise _unauthorized(doing, error) from error
        raise Fatal(
            Message(
                "could not {act} | the engine refused the call | {error} | check ZEEBE_ADDRESS, CAMUNDA_CLIENT_ID and "
                "what the client may do",
                act=doing,
                error=describe(error),
            )
        ) from error
    except PyZeebeError as error:
        raise Fatal(Message("could not {act} | {error} | check the call", act=doing, error=describe(error))) from error


def _unreachable(doing: str | Text, error: BaseException, described: str) -> Message:
    cause = cause_of(error)
    if "CERTIFICATE_VERIFY_FAILED" in cause or "Hostname Verification" in cause:
        sentence = Message(
            "could not {act}: the engine cannot be reached ({error}): its certificate is not trusted, see "
            "ZEEBE_CA_CERTIFICATE_PATH and the name in ZEEBE_ADDRESS"
        )
    elif "Socket closed" in cause:
        # In TLS 1.3 this is all that a client sees if its certificate is missing or not trusted.
        sentence = Message(
            "could not {act}: the engine cannot be reached ({error}): if it stays so, see whether the gateway asks for "
            "TLS, or for our certificate (CAMUNDA_MTLS_CERT_PATH)"
        )
    else:
        sentence = Message("could not {act}: the engine cannot be reached ({error})")
    return sentence.with_values(act=doing, error=described)


def _unauthorized(doing: str | Text, error: BaseException) -> Unauthorized:
    return Unauthorized(
        Message(
            "could not {act} | the engine does not let this client in | {error} | {advice}; for a footage-desk engine "
            "FOOTAGE_DESK_ENGINE__TOKEN_FILE",
            act=doing,
            error=cause_of(error),
            advice=CHECK_CLIENT,
        )
    )


def cause_of(error: BaseException) -> str:
    """Return the status code and the server's message, without pyzeebe's wrapping."""
    inner = getattr(error, "grpc_error", error)
    if isinstance(inner, grpc.aio.AioRpcError):
        return f"{inner.code().name}: {inner.details() or 'no details'}"
    return type(error).__name__ + (f": {error}" if str(error) else "")


def _without_values(error: BaseException) -> str:
    """Return ``cause_of`` a call with variables: only the status if the server has read them."""
    inner = getattr(error, "grpc_error", error)
    if not isinstance(inner, grpc.aio.AioRpcError):
        return type(error).__name__
    return cause_of(error) if inner.code() in UNREAD else inner.code().name
