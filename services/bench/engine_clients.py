"""Clients of an engine, in a process of their own: ``python -m services.bench.engine_clients``, their task as JSON.

They know nothing but the gateway protocol, so the same work can be given to any broker. What they measured is printed
as JSON.
"""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

import grpc
from pyzeebe.proto import gateway_pb2 as pb
from pyzeebe.proto import gateway_pb2_grpc as rpc

_WARM_UP = 20
_LATENCIES = 100
_WAIT_MS = 10_000
_JOB_MS = 600_000
PROCESS = """<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
    xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" id="definitions" targetNamespace="http://example.org/bench">
  <bpmn:process id="{name}" isExecutable="true">
    <bpmn:startEvent id="start"><bpmn:outgoing>to_work</bpmn:outgoing></bpmn:startEvent>
    <bpmn:serviceTask id="work">
      <bpmn:extensionElements><zeebe:taskDefinition type="{name}" /></bpmn:extensionElements>
      <bpmn:incoming>to_work</bpmn:incoming><bpmn:outgoing>to_end</bpmn:outgoing>
    </bpmn:serviceTask>
    <bpmn:endEvent id="end"><bpmn:incoming>to_end</bpmn:incoming></bpmn:endEvent>
    <bpmn:sequenceFlow id="to_work" sourceRef="start" targetRef="work" />
    <bpmn:sequenceFlow id="to_end" sourceRef="work" targetRef="end" />
  </bpmn:process>
</bpmn:definitions>
"""
VARIABLES = '{"applicationId":"A-2026-000001","cameras":["gate 3","gate 4"],"minutes":30,"approved":true}'


@dataclass(frozen=True)
class Task:
    """``clients`` at a time take ``instances`` through the process, ``runs`` times, for each of their numbers."""

    address: str
    clients: Sequence[int]
    instances: int
    runs: int


async def _measure(task: Task) -> dict[str, object]:
    name = f"bench-{uuid4().hex}"
    async with grpc.aio.insecure_channel(task.address) as channel:
        stub = rpc.GatewayStub(channel)
        resource = pb.Resource(name=f"{name}.bpmn", content=PROCESS.format(name=name).encode())
        await stub.DeployResource(pb.DeployResourceRequest(resources=[resource]))
        await _take(stub, name, 1, _WARM_UP)
        seconds = {
            number: [await _take(stub, name, number, task.instances) for _ in range(task.runs)]
            for number in task.clients
        }
        waits = [await _hand_out(stub, name) for _ in range(min(_LATENCIES, task.instances))]
    done = _WARM_UP + task.instances * task.runs * len(task.clients) + len(waits)
    return {"seconds": seconds, "hand_outs": waits, "instances": done}


async def _take(stub: rpc.GatewayStub, name: str, clients: int, instances: int) -> float:
    """Seconds in which ``clients`` at a time take so many instances from their creation to their end."""
    left = iter(range(instances))

    async def client() -> None:
        for _ in left:
            await _create(stub, name)
            await _complete(stub, await _next_job(stub, name))

    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    return time.perf_counter() - started


async def _hand_out(stub: rpc.GatewayStub, name: str) -> float:
    """Seconds from the answer that an instance is created until a worker that waits has its job."""
    waiting = asyncio.create_task(_next_job(stub, name))
    await stub.Topology(pb.TopologyRequest())  # behind the poll on the same connection
    await _create(stub, name)
    created = time.perf_counter()
    job = await waiting
    seconds = max(0.0, time.perf_counter() - created)
    await _complete(stub, job)
    return seconds


async def _create(stub: rpc.GatewayStub, name: str) -> None:
    await stub.CreateProcessInstance(
        pb.CreateProcessInstanceRequest(bpmnProcessId=name, version=-1, variables=VARIABLES)
    )


async def _next_job(stub: rpc.GatewayStub, name: str) -> int:
    request = pb.ActivateJobsRequest(
        type=name, worker="bench", timeout=_JOB_MS, maxJobsToActivate=1, requestTimeout=_WAIT_MS
    )
    while True:
        async for answer in stub.ActivateJobs(request):
            for job in answer.jobs:
                return int(job.key)


async def _complete(stub: rpc.GatewayStub, job: int) -> None:
    await stub.CompleteJob(pb.CompleteJobRequest(jobKey=job, variables='{"outcome":"done"}'))


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(_measure(Task(**json.load(sys.stdin))))))
