"""Move a process instance to another version, with the engine's own command (Camunda 8.5 and later)."""

from collections.abc import Mapping

import grpc
from pyzeebe.proto import gateway_pb2 as pb
from pyzeebe.proto import gateway_pb2_grpc as rpc

from services.runtime.engine_client import CALL_SECONDS, UNREAD
from services.runtime.errors import Fatal, Retryable

_GONE_FROM_SOURCE = "non-existing source element id"


class Rejected(Exception):
    """The engine does not move this instance; the message is its sentence.

    ``is_done``: it names elements that only the version has which the instance was to leave, so it was moved before.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.is_done = _GONE_FROM_SOURCE in sentence


async def migrate(channel: grpc.aio.Channel, instance_key: int, definition_key: int, ids: Mapping[str, str]) -> None:
    """Move an instance to the version with this key; ``ids`` are its element ids with those that they become.

    Raises Rejected; Fatal where the broker has no such command, Retryable where it does not answer.
    """
    instructions = [
        pb.MigrateProcessInstanceRequest.MappingInstruction(sourceElementId=source, targetElementId=target)
        for source, target in ids.items()
    ]
    plan = pb.MigrateProcessInstanceRequest.MigrationPlan(
        targetProcessDefinitionKey=definition_key, mappingInstructions=instructions
    )
    request = pb.MigrateProcessInstanceRequest(processInstanceKey=instance_key, migrationPlan=plan)
    try:
        await rpc.GatewayStub(channel).MigrateProcessInstance(request, timeout=CALL_SECONDS)
    except grpc.aio.AioRpcError as error:
        cause = f"{error.code().name}: {error.details() or 'no details'}"
        if error.code() is grpc.StatusCode.UNIMPLEMENTED:
            raise Fatal(
                f"could not move the process instance | {instance_key} | this broker has no command for it | Camunda "
                "has it from 8.5 on, and for the elements of these models from 8.8 on; until then running cases end on "
                "their version"
            ) from error
        if error.code() in UNREAD:
            raise Retryable(
                f"could not move the process instance | {instance_key} | {cause} | see that the engine runs, and run "
                "this again: it goes on where it stopped"
            ) from error
        raise Rejected(cause) from error
