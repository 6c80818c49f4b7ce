"""Unmodified pyzeebe, client and worker, against the engine."""

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest
from bpmn_makers import diagram, end, job, start
from engine_harness import Running, running_engine
from pyzeebe import Job, JobController, ZeebeClient, ZeebeWorker, create_insecure_channel
from pyzeebe.errors import (
    ActivateJobsRequestInvalidError,
    BusinessError,
    DecisionNotFoundError,
    InvalidJSONError,
    JobAlreadyDeactivatedError,
    JobNotFoundError,
    MessageAlreadyExistsError,
    ProcessDefinitionHasNoStartEventError,
    ProcessDefinitionNotFoundError,
    ProcessInstanceNotFoundError,
    ProcessInvalidError,
    ProcessTimeoutError,
    StreamActivateJobsRequestInvalidError,
    UnknownGrpcStatusCodeError,
    ZeebeBackPressureError,
)
from pyzeebe.grpc_internals.types import DeployResourceResponse
from pyzeebe.grpc_internals.zeebe_adapter import ZeebeAdapter

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
_BY_MESSAGE = diagram(
    '<bpmn:startEvent id="s"><bpmn:messageEventDefinition messageRef="M" /></bpmn:startEvent>' + end(),
    "s>e",
    process_id="by-message",
    before='<bpmn:message id="M" name="begin" />',
)
_BY_SIGNAL = diagram(
    '<bpmn:startEvent id="s"><bpmn:signalEventDefinition signalRef="S" /></bpmn:startEvent>' + job("answer") + end(),
    "s>answer answer>e",
    process_id="by-signal",
    before='<bpmn:signal id="S" name="ring" />',
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


_DECISION = """<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" id="sizes" name="Sizes" namespace="n">
  <decision id="size" name="Size">
    <decisionTable id="t">
      <input id="i"><inputExpression id="ie" typeRef="string"><text>name</text></inputExpression></input>
      <output id="o" name="size" typeRef="string" />
      <rule id="r1"><inputEntry id="i1"><text>"ant"</text></inputEntry>
        <outputEntry id="o1"><text>"small"</text></outputEntry></rule>
      <rule id="r2"><inputEntry id="i2"><text>"all"</text></inputEntry>
        <outputEntry id="o2"><text>{"from": 1}</text></outputEntry></rule>
      <rule id="r3"><inputEntry id="i3"><text>"five"</text></inputEntry>
        <outputEntry id="o3"><text>5</text></outputEntry></rule>
      <rule id="r4"><inputEntry id="i4"><text>"five", "ant"</text></inputEntry>
        <outputEntry id="o4"><text>"small"</text></outputEntry></rule>
    </decisionTable>
  </decision>
</definitions>"""


async def _decisions(engine: Running, tmp_path: Path) -> tuple[ZeebeClient, int]:
    (tmp_path / "sizes.dmn").write_text(_DECISION.replace("<decisionTable", '<decisionTable hitPolicy="FIRST"'))
    client = ZeebeClient(create_insecure_channel(grpc_address=engine.address))
    (tmp_path / "other.dmn").write_text(_DECISION.replace('id="size', 'id="other'))
    deployed = await client.deploy_resource(str(tmp_path / "sizes.dmn"), str(tmp_path / "other.dmn"))
    size, other = deployed.deployments[:2]  # before the files that they are in
    assert isinstance(size, DeployResourceResponse.DecisionMetadata)
    assert isinstance(other, DeployResourceResponse.DecisionMetadata)
    return client, size.decision_key


@pytest.mark.parametrize(("name", "output"), [("ant", "small"), ("all", {"from": 1}), ("five", 5)])
async def test_a_decision_is_evaluated_by_its_id_and_by_its_key(
    engine: Running, tmp_path: Path, name: str, output: object
) -> None:
    client, key = await _decisions(engine, tmp_path)

    by_id = await client.evaluate_decision(None, "size", {"name": name})
    by_key = await client.evaluate_decision(key, None, {"name": name})

    assert (by_id.decision_output, by_key.decision_output) == (output, output)
    (evaluated,) = by_id.evaluated_decisions
    assert evaluated.decision_output == output
    assert evaluated.matched_rules[0].evaluated_outputs[0].output_value == output
    assert [i.input_value for i in evaluated.evaluated_inputs] == [name]
    assert (by_id.decision_key, by_id.decision_version, by_id.failed_decision_id) == (key, 1, "")


async def test_a_decision_that_fails_is_an_answer_and_no_error(engine: Running, tmp_path: Path) -> None:
    (tmp_path / "sizes.dmn").write_text(_DECISION)  # a hit policy that takes one rule, and two that match
    client = ZeebeClient(create_insecure_channel(grpc_address=engine.address))
    await client.deploy_resource(str(tmp_path / "sizes.dmn"))

    failed = await client.evaluate_decision(None, "size", {"name": "ant"})

    assert (failed.failed_decision_id, failed.decision_output) == ("size", None)
    assert "UNIQUE" in failed.failure_message


async def test_pyzeebe_knows_what_is_wrong_with_a_process(engine: Running, tmp_path: Path) -> None:
    client = await _deployed(engine, tmp_path)
    (tmp_path / "wrong.bpmn").write_bytes(diagram(start() + job("t"), "s>nowhere"))
    (tmp_path / "event.bpmn").write_bytes(_BY_MESSAGE)
    await client.deploy_resource(str(tmp_path / "event.bpmn"))

    with pytest.raises(ProcessInvalidError):
        await client.deploy_resource(str(tmp_path / "wrong.bpmn"))
    with pytest.raises(ProcessDefinitionHasNoStartEventError):
        await client.run_process("by-message")
    with pytest.raises(ProcessTimeoutError):
        await client.run_process_with_result("greeting", {"name": "Ann"}, timeout=1)
    with pytest.raises(UnknownGrpcStatusCodeError):
        await client.publish_message("m", "k", tenant_id="other")
    with pytest.raises(ZeebeBackPressureError):
        await client.publish_message("m", "k", {"x": "x" * 4_194_304})


async def test_pyzeebe_knows_what_is_wrong_with_a_job(engine: Running, tmp_path: Path) -> None:
    client = await _deployed(engine, tmp_path)
    await client.run_process("greeting", {"name": "Ann"})
    adapter = ZeebeAdapter(create_insecure_channel(grpc_address=engine.address), -1)
    jobs = [job async for job in adapter.activate_jobs("work", "w", 60_000, 1, ["name"], 1_000)]

    assert [(dict(job.variables), job.tenant_id) for job in jobs] == [({"name": "Ann"}, "<default>")]
    await adapter.update_job_timeout(jobs[0].key, 120_000)
    await adapter.fail_job(jobs[0].key, 0, "broken", 0, {})
    for call in (
        adapter.complete_job(jobs[0].key, {}),
        adapter.fail_job(jobs[0].key, 1, "", 0, {}),
        adapter.throw_error(jobs[0].key, "", {}, "E"),
        adapter.update_job_timeout(jobs[0].key, 1),
    ):
        with pytest.raises(JobAlreadyDeactivatedError):
            await call
    with pytest.raises(JobNotFoundError):
        await adapter.complete_job(5, {})
    with pytest.raises(ActivateJobsRequestInvalidError):
        _ = [job async for job in adapter.activate_jobs("work", "w", 0, 1, [], 1_000)]
    with pytest.raises(StreamActivateJobsRequestInvalidError):
        _ = [job async for job in adapter.stream_activate_jobs("", "w", 1, [], 1_000)]


async def test_a_worker_that_streams_gets_the_jobs_and_tells_their_failure(engine: Running, tmp_path: Path) -> None:
    client = await _deployed(engine, tmp_path)
    worker = ZeebeWorker(
        create_insecure_channel(grpc_address=engine.address), stream_enabled=True, stream_request_timeout=60
    )
    failures: asyncio.Queue[str] = asyncio.Queue()

    async def tell(error: Exception, job: Job, controller: JobController) -> None:
        await controller.set_failure_status(f"no greeting: {error}")
        await failures.put(str(error))

    @worker.task(task_type="work", exception_handler=tell)
    async def work(name: str) -> dict[str, str]:
        if name == "mute":
            raise ValueError("cannot speak")
        return {"output": f"Hello {name}"}

    working = asyncio.create_task(worker.work())
    answer = await client.run_process_with_result("greeting", {"name": "Ann"}, timeout=10_000)
    await client.run_process("greeting", {"name": "mute"})

    assert answer.variables["output"] == "Hello Ann"
    assert await failures.get() == "cannot speak"
    await worker.stop()
    await working


async def test_a_signal_starts_what_waits_for_it(engine: Running, tmp_path: Path) -> None:
    (tmp_path / "signal.bpmn").write_bytes(_BY_SIGNAL)
    client = ZeebeClient(create_insecure_channel(grpc_address=engine.address))
    await client.deploy_resource(str(tmp_path / "signal.bpmn"))

    sent = await client.broadcast_signal("ring", {"who": "Ann"})

    (job,) = await engine.fetch("answer")
    assert (sent.tenant_id, job.variables) == ("<default>", '{"who": "Ann"}')


async def test_topology_and_health(engine: Running, tmp_path) -> None:
    client = await _deployed(engine, tmp_path)

    topology = await client.topology()
    health = await client.healthcheck()

    assert (topology.cluster_size, topology.partitions_count) == (1, 1)
    assert topology.brokers[0].partitions[0].role.name == "LEADER"
    assert health.status == health.ServingStatus.SERVING
