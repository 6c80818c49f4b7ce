"""What was acknowledged is on disk: after a kill, after a restart, and for one process only."""

import asyncio
import json
import sqlite3
import sys
from contextlib import suppress
from pathlib import Path

import grpc
import pytest
from bpmn_makers import ONE_JOB, diagram, end, job, message, message_catch, start, timer
from engine_harness import EngineHarness, ManualClock, running_engine
from pyzeebe.proto import gateway_pb2 as pb
from pyzeebe.proto import gateway_pb2_grpc as rpc

from services.engine.errors import DataDirectoryInUse, Rejection
from services.engine.processing import messages
from services.engine.server import EngineServer
from services.engine.state.store import Store

_SERVE = """
import asyncio, pathlib, sys
from services.engine.clock import SystemClock
from services.engine.server import EngineServer

async def serve():
    server = EngineServer(pathlib.Path(sys.argv[1]), SystemClock(), f"unix:{sys.argv[1]}/gateway.socket")
    print(await server.start(), flush=True)
    await asyncio.Event().wait()

asyncio.run(serve())
"""
_CREATE = pb.CreateProcessInstanceRequest(bpmnProcessId="one-job", version=-1)
_WAITS = "s>m m>after after>e"


async def _create_until_it_dies(stub: rpc.GatewayStub, acknowledged: list[int], enough: asyncio.Event) -> None:
    """Several at once, so that some are always under way."""
    while True:
        try:
            answer = await stub.CreateProcessInstance(_CREATE)
        except grpc.aio.AioRpcError:
            return
        acknowledged.append(answer.processInstanceKey)
        if len(acknowledged) >= 60:
            enough.set()


async def test_a_kill_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", _SERVE, str(tmp_path)]
    process = await asyncio.create_subprocess_exec(*arguments, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        address = (await process.stdout.readline()).decode().strip()
        acknowledged: list[int] = []
        enough = asyncio.Event()
        async with grpc.aio.insecure_channel(address) as channel:
            stub = rpc.GatewayStub(channel)
            await stub.DeployResource(pb.DeployResourceRequest(resources=[{"name": "p.bpmn", "content": ONE_JOB}]))
            clients = [asyncio.create_task(_create_until_it_dies(stub, acknowledged, enough)) for _ in range(8)]
            await enough.wait()
            process.kill()
            await asyncio.gather(*clients)
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
        await process.wait()

    harness = EngineHarness(tmp_path)
    fetched = harness.fetch("work", most=10_000)

    assert set(acknowledged) <= {activated.job.process_instance_key for activated in fetched}
    harness.store.close()


async def test_commands_that_wait_are_committed_together(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        await engine.deploy(ONE_JOB)
        writer = engine.server.writer
        commits = 0
        commit = writer._store.commit

        def counted() -> object:
            nonlocal commits
            commits += 1
            return commit()

        writer._store.commit = counted  # type: ignore[method-assign,assignment]  # counts
        await asyncio.gather(*(engine.stub.CreateProcessInstance(_CREATE) for _ in range(100)))

    assert commits < 50


def test_a_second_process_is_refused_with_a_sentence(tmp_path: Path) -> None:
    first = Store(tmp_path)
    first.begin()
    first.commit()

    with pytest.raises(DataDirectoryInUse, match="open in another process; stop that one"):
        Store(tmp_path)

    first.close()
    Store(tmp_path).close()


@pytest.mark.parametrize("failing", ["records.flush", "_write_counters"])
@pytest.mark.parametrize("heals_after", [1, 2])
def test_a_failed_commit_leaves_nothing_in_memory(
    failing: str, heals_after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness = EngineHarness(tmp_path)
    harness.deploy(
        diagram(start() + message_catch("m", "M") + job("after") + end(), _WAITS, before=message("M", "m", "=k"))
    )
    instance = harness.create("p", k="1")
    part, name = (harness.store.records, "flush") if "." in failing else (harness.store, failing)
    write, tries = getattr(part, name), iter(range(heals_after))

    def full_at_first() -> None:
        if next(tries, None) is not None:
            raise sqlite3.OperationalError("database or disk is full")
        write()

    monkeypatch.setattr(part, name, full_at_first)
    with suppress(Rejection):
        harness.do(lambda execution: messages.publish(execution, "m", "1", ttl=0, message_id="", variables={}))
    if heals_after > 1:  # the command was refused as well when it was tried alone
        harness.do(lambda execution: messages.publish(execution, "m", "1", ttl=0, message_id="", variables={}))

    [after] = harness.fetch("after")
    harness.complete(after.job.key)
    assert harness.history(instance)[-1] == ("p", "COMPLETED")
    harness.store.close()


def test_jobs_timers_and_messages_go_on_after_a_restart(tmp_path: Path) -> None:
    waits = start() + timer("t", "timeDuration", "PT1H") + message_catch("m", "M") + end()
    clock = ManualClock()
    harness = EngineHarness(tmp_path, clock)
    harness.deploy(ONE_JOB, diagram(waits, "s>t t>m m>e", process_id="waits", before=message("M", "m", "=k")))
    working = harness.create("one-job", x=[1, {"a": None}])
    fetched = harness.fetch("work", timeout=60_000)
    waiting = harness.create("waits", k="1")
    harness.do(
        lambda execution: messages.publish(execution, "m", "1", ttl=86_400_000, message_id="", variables={"v": 1})
    )
    harness.store.close()

    harness = EngineHarness(tmp_path, clock)
    assert harness.fetch("work") == []
    harness.turn(hours=2)

    assert harness.history(waiting)[-1] == ("waits", "COMPLETED")
    (again,) = harness.fetch("work")
    assert (again.job.key, again.variables) == (fetched[0].job.key, {"x": [1, {"a": None}]})
    harness.complete(again.job.key)
    assert harness.history(working)[-1] == ("one-job", "COMPLETED")
    assert harness.create("one-job").key > working.key
    harness.store.close()


async def test_records_are_appended_to_a_file(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    server = EngineServer(None, ManualClock(), f"unix:{tmp_path}/gateway.socket", records=path)
    address = await server.start()
    async with grpc.aio.insecure_channel(address) as channel:
        stub = rpc.GatewayStub(channel)
        await stub.DeployResource(pb.DeployResourceRequest(resources=[{"name": "p.bpmn", "content": ONE_JOB}]))
        created = await stub.CreateProcessInstance(_CREATE)
    await server.stop()

    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    mine = [r for r in records if r["value"].get("processInstanceKey") == created.processInstanceKey]
    assert [r["position"] for r in records] == sorted({r["position"] for r in records})
    assert ("JOB", "CREATED") in [(r["valueType"], r["intent"]) for r in mine]
    assert {r["recordType"] for r in records} == {"EVENT"}
