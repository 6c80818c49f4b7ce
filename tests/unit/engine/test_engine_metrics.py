"""The engine's figures under Zeebe's names, its management port, and incidents resolved from the command line."""

import io
import logging
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from bpmn_makers import ONE_JOB
from engine_harness import ManualClock, Running, running_engine
from prometheus_client.parser import text_string_to_metric_families
from pyzeebe.proto import gateway_pb2 as pb
from pyzeebe.proto import gateway_pb2_grpc as rpc

from services.engine.server import EngineServer
from services.runtime import incidents
from services.runtime.errors import Fatal


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Running]:
    """One with a management port and a job to fetch."""
    clock = ManualClock()
    server = EngineServer(tmp_path, clock, f"unix:{tmp_path}/gateway.socket", management="127.0.0.1:0")
    address = await server.start()
    async with grpc.aio.insecure_channel(address) as channel:
        running = Running(server, clock, address, rpc.GatewayStub(channel))
        await running.deploy(ONE_JOB)
        await running.stub.CreateProcessInstance(pb.CreateProcessInstanceRequest(bpmnProcessId="one-job", version=-1))
        try:
            yield running
        finally:
            await server.stop()


def said(running: Running, name: str, **labels: str) -> float | None:
    families = text_string_to_metric_families(running.server.metrics.exposition().decode())
    found = [s.value for f in families for s in f.samples if s.name == name and labels.items() <= s.labels.items()]
    return sum(found) if found else None


async def ask(running: Running, path: str) -> httpx.Response:
    assert running.server.token_file is not None
    token = running.server.token_file.read_text().strip()
    async with httpx.AsyncClient(headers={"authorization": f"Bearer {token}"}) as client:
        return await client.get(f"http://{running.server.management_address}{path}")


async def failed(running: Running) -> pb.ActivatedJob:
    [job] = await running.fetch("work")
    await running.stub.FailJob(pb.FailJobRequest(jobKey=job.key, retries=0, errorMessage="a | b | c | d"))
    return job


async def test_a_jobs_life_is_counted_under_zeebes_names(engine: Running) -> None:
    assert said(engine, "zeebe_job_events_total", action="timed out", type="work") == 0

    await engine.fetch("work")
    engine.turn(minutes=2)
    [job] = await engine.fetch("work", wait_ms=5000)
    await engine.stub.CompleteJob(pb.CompleteJobRequest(jobKey=job.key))

    counts = {
        action: said(engine, "zeebe_job_events_total", action=action, type="work", partition="1")
        for action in ("created", "activated", "timed out", "completed", "failed")
    }
    assert counts == {"created": 1, "activated": 2, "timed out": 1, "completed": 1, "failed": 0}
    assert said(engine, "zeebe_element_instance_events_total", action="completed", type="PROCESS") == 1


async def test_an_incident_is_pending_until_it_is_resolved_from_the_command_line(
    engine: Running, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "services.engine"):
        job = await failed(engine)
    pending = said(engine, "zeebe_pending_incidents_total")
    [shown] = (await ask(engine, "/incidents")).json()

    async with grpc.aio.insecure_channel(engine.address) as channel:
        await incidents.resolve(channel, shown["key"], shown["jobKey"], retries=2)

    assert pending == 1
    assert (shown["jobKey"], shown["errorMessage"], shown["errorType"]) == (job.key, "a | b | c | d", "JOB_NO_RETRIES")
    assert f"incident {shown['key']}, job {job.key}, at work: a | b | c | d" in caplog.text
    assert said(engine, "zeebe_pending_incidents_total") == 0
    assert said(engine, "zeebe_incident_events_total", action="resolved") == 1
    assert [again.retries for again in await engine.fetch("work")] == [2]


async def test_a_job_without_retries_is_said_when_its_incident_is_resolved_alone(engine: Running) -> None:
    await failed(engine)
    [shown] = (await ask(engine, "/incidents")).json()

    async with grpc.aio.insecure_channel(engine.address) as channel:
        with pytest.raises(Fatal, match=r"no retries left.* \| check both keys .* --job"):
            await incidents.resolve(channel, shown["key"], None, retries=3)


async def test_incidents_of_before_the_start_are_pending(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as before:
        await before.deploy(ONE_JOB)
        await before.stub.CreateProcessInstance(pb.CreateProcessInstanceRequest(bpmnProcessId="one-job", version=-1))
        await failed(before)
    async with running_engine(tmp_path) as after:
        assert said(after, "zeebe_pending_incidents_total") == 1


async def test_the_disk_of_its_files_is_measured(engine: Running) -> None:
    assert (said(engine, "footage_desk_engine_data_bytes") or 0) > 0
    assert (
        0
        < (said(engine, "footage_desk_engine_disk_free_bytes") or 0)
        <= (said(engine, "footage_desk_engine_disk_bytes") or 0)
    )


async def test_a_batch_that_could_not_be_written_is_counted(engine: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(engine.server.writer, "_process_batch", full)
    with pytest.raises(grpc.aio.AioRpcError):
        await engine.fetch("work")

    assert said(engine, "footage_desk_engine_write_failures_total") == 1


async def test_a_command_whose_records_find_no_room_is_answered(
    engine: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(io.StringIO):
        def write(self, _: str) -> int:
            raise OSError(28, "No space left on device")

    await engine.fetch("work")
    poll = await engine.long_poll("work")
    monkeypatch.setattr(engine.server.writer, "_record_file", Full())

    await engine.stub.CreateProcessInstance(pb.CreateProcessInstanceRequest(bpmnProcessId="one-job", version=-1))

    assert [job.elementId for job in await poll] == ["work"]
    assert (said(engine, "footage_desk_engine_write_failures_total") or 0) >= 1


async def test_a_command_that_the_file_did_not_take_is_counted(
    engine: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(engine.server.writer._store.records, "flush", full)
    with pytest.raises(grpc.aio.AioRpcError, match="disk is full"):
        await engine.stub.CreateProcessInstance(pb.CreateProcessInstanceRequest(bpmnProcessId="one-job", version=-1))

    assert said(engine, "footage_desk_engine_write_failures_total") == 1


async def test_the_management_port_says_what_the_engine_is(engine: Running) -> None:
    metrics, ready = await ask(engine, "/metrics"), await ask(engine, "/readyz")

    assert metrics.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "zeebe_job_events_total{" in (await ask(engine, "/actuator/prometheus")).text
    assert (ready.status_code, ready.json()) == (200, {"ready": True})
    assert (await ask(engine, "/livez")).json() == {"alive": True}
    # the clock is the machine's, and nobody turns it
    assert (await ask(engine, "/actuator/clock")).status_code == 404
