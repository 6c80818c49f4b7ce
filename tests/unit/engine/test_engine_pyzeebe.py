"""Unmodified pyzeebe, client and worker, against the engine."""

import asyncio
from uuid import uuid4

import pytest
from bpmn_makers import diagram, end, job, start
from engine_desk import Running, running_engine
from pyzeebe import ZeebeClient, ZeebeWorker, create_insecure_channel
from pyzeebe.errors import (
    BusinessError,
    DecisionNotFoundError,
    InvalidJSONError,
    MessageAlreadyExistsError,
    ProcessDefinitionNotFoundError,
    ProcessInstanceNotFoundError,
)

_STARTS = (
    start()
    + '<bpmn:startEvent id="m"><bpmn:messageEventDefinition messageRef="M" /></bpmn:startEvent>'
    + job("work", more='<zeebe:ioMapping><zeebe:output source="=output" target="output" /></zeebe:ioMapping>')
    + '<bpmn:boundaryEvent id="b" attachedToRef="work"><bpmn:errorEventDefinition errorRef="E" /></bpmn:boundaryEvent>'
    + end()
    + end("failed")
)
_PROCESS = diagram(
    _STARTS,
    "s>work m>work work>e b>failed",
    process_id="greeting",
    before='<bpmn:message id="M" name="greet" /><bpmn:error id="E" errorCode="RUDE" />',
)


@pytest.fixture
async def engine():
    async with running_engine() as running:
        yield running


async def _deployed(engine: Running, tmp_path) -> ZeebeClient:
    (tmp_path / "greeting.bpmn").write_bytes(_PROCESS)
    client = ZeebeClient(create_insecure_channel(grpc_address=engine.address))
    await client.deploy_resource(str(tmp_path / "greeting.bpmn"))
    return client


async def test_a_worker_and_a_client_run_a_process_to_its_result(engine: Running, tmp_path) -> None:
    client = await _deployed(engine, tmp_path)
    worker = ZeebeWorker(create_insecure_channel(grpc_address=engine.address), request_timeout=1000)
    messages: asyncio.Queue[str] = asyncio.Queue()

    @worker.task(task_type="work")
    async def work(name: str) -> dict[str, str]:
        if name == "boor":
            raise BusinessError("RUDE")
        await messages.put(name)
        return {"output": f"Hello {name}", "noise": "x"}

    working = asyncio.create_task(worker.work())
    answer = await client.run_process_with_result("greeting", {"name": "Ann"}, timeout=10_000)
    rude = await client.run_process_with_result("greeting", {"name": "boor"}, timeout=10_000)
    await client.publish_message("greet", correlation_key="", variables={"name": "Bob"})

    assert answer.variables == {"name": "Ann", "output": "Hello Ann"}
    assert rude.variables == {"name": "boor"}
    assert [await messages.get(), await messages.get()] == ["Ann", "Bob"]
    await worker.stop()
    await working


async def test_pyzeebe_knows_the_errors(engine: Running, tmp_path) -> None:
    client = await _deployed(engine, tmp_path)
    created = await client.run_process("greeting", {"name": "Ann"})
    await client.cancel_process_instance(created.process_instance_key)

    with pytest.raises(ProcessInstanceNotFoundError):
        await client.cancel_process_instance(created.process_instance_key)
    with pytest.raises(ProcessDefinitionNotFoundError):
        await client.run_process(str(uuid4()))
    with pytest.raises(DecisionNotFoundError):
        await client.evaluate_decision(1, str(uuid4()))
    with pytest.raises(InvalidJSONError):
        await client.run_process("greeting", [1])  # type: ignore[arg-type]  # wrong on purpose
    await client.publish_message("m", "k", time_to_live_in_milliseconds=60_000, message_id="1")
    with pytest.raises(MessageAlreadyExistsError):
        await client.publish_message("m", "k", time_to_live_in_milliseconds=60_000, message_id="1")


async def test_topology_and_health(engine: Running, tmp_path) -> None:
    client = await _deployed(engine, tmp_path)

    topology = await client.topology()
    health = await client.healthcheck()

    assert (topology.cluster_size, topology.partitions_count) == (1, 1)
    assert topology.brokers[0].partitions[0].role.name == "LEADER"
    assert health.status == health.ServingStatus.SERVING
