"""An engine behind Zeebe's gateway for the whole desk: its clock, how to hear that it is done, what workers do."""

import asyncio
import functools
import json
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pyzeebe.proto import gateway_pb2 as pb
from pyzeebe.proto import gateway_pb2_grpc as rpc
from record_file import RecordFile

from services.engine.state.records import Record
from services.runtime.jobs.worker import Worker

BOUND_SECONDS = 30.0
BARRIERS = 5
_LOOK_SECONDS = 0.05
# A busy broker refuses a call unread (back-pressure) and wants it again; so does the product's client repeat its calls.
_AGAIN = {
    "maxAttempts": 5,
    "initialBackoff": "0.2s",
    "maxBackoff": "5s",
    "backoffMultiplier": 3,
    "retryableStatusCodes": ["RESOURCE_EXHAUSTED"],
}
REPEATS = (
    (
        "grpc.service_config",
        json.dumps({"methodConfig": [{"name": [{"service": "gateway_protocol.Gateway"}], "retryPolicy": _AGAIN}]}),
    ),
)
"""The options of a channel that repeats what a busy broker refused."""
BARRIER_ID = "test-barrier"
BARRIER = f"""<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" targetNamespace="http://footage-desk.example">
  <process id="{BARRIER_ID}" isExecutable="true">
    <startEvent id="start"><outgoing>flow</outgoing></startEvent>
    <endEvent id="end"><incoming>flow</incoming></endEvent>
    <sequenceFlow id="flow" sourceRef="start" targetRef="end" />
  </process>
</definitions>""".encode()


@dataclass(frozen=True)
class Broker:
    """An engine elsewhere: its gateway, the base address of its clock, the file of its records where there is one."""

    address: str
    clock: str
    records: Path | None = None

    def turn(self, by: timedelta) -> datetime:
        """Turn its clock; the moment that it shows then."""
        body = json.dumps({"offsetMilli": by // timedelta(milliseconds=1)}).encode()
        request = urllib.request.Request(  # noqa: S310 - the address is the test's own
            f"{self.clock}/add", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=BOUND_SECONDS) as answer:  # noqa: S310
            return datetime.fromtimestamp(json.load(answer)["epochMilli"] / 1000, UTC)


async def deploy_barrier(gateway: rpc.GatewayStub) -> None:
    """Deploy the process that ends at once."""
    resource = pb.Resource(name=f"{BARRIER_ID}.bpmn", content=BARRIER)
    await gateway.DeployResource(pb.DeployResourceRequest(resources=[resource]))


async def pass_barrier(gateway: rpc.GatewayStub) -> int:
    """Run it: the broker has taken what it was told before this returns. The key of its instance."""
    answer = await gateway.CreateProcessInstanceWithResult(
        pb.CreateProcessInstanceWithResultRequest(
            request=pb.CreateProcessInstanceRequest(bpmnProcessId=BARRIER_ID, version=-1),
            requestTimeout=int(BOUND_SECONDS * 1000),
        )
    )
    return int(answer.processInstanceKey)


async def follow(records: Path, take: Callable[[list[Record]], None]) -> None:
    """Hand on what the records tell of instances that begin from now on: those of earlier cases do not count here."""
    file, begun = RecordFile(records), set[int]()
    try:
        while True:
            take([record for record in file.read() if _is_of(begun, record)])
            await asyncio.sleep(_LOOK_SECONDS)
    finally:
        file.close()


def _is_of(begun: set[int], record: Record) -> bool:
    value = record.value
    key = value.get("processInstanceKey", -1)
    if record.intent == "ELEMENT_ACTIVATING" and value["bpmnElementType"] == "PROCESS":
        parent = value["parentProcessInstanceKey"]
        if parent <= 0 or parent in begun:
            begun.add(key)
    return key in begun


@dataclass
class Works:
    """Counts what the workers do; a handler's end is a change."""

    changed: Callable[[], None]
    running: int = 0
    done: int = 0

    def counted(self, worker: Worker) -> Worker:
        @functools.wraps(worker.handle)
        async def handle(command: Any, **given: Any) -> Any:
            self.running += 1
            try:
                return await worker.handle(command, **given)
            finally:
                self.running -= 1
                self.done += 1
                self.changed()

        return replace(worker, handle=handle)
