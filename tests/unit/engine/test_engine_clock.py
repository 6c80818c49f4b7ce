"""The engine goes by the clock it is given: turned from outside, or over the management port."""

from pathlib import Path

import httpx
from bpmn_makers import diagram, end, job, start, timer
from engine_harness import ManualClock, running_engine
from pyzeebe.proto import gateway_pb2 as pb

from services.engine.clock import ControlledClock, to_millis
from services.engine.server import EngineServer

_AFTER_A_WEEK = diagram(start() + timer("t", "timeDuration", "P7D") + job("work") + end(), "s>t t>work work>e")
_CREATE = pb.CreateProcessInstanceRequest(bpmnProcessId="p", version=-1)


async def test_a_turn_of_the_clock_fires_what_is_due_at_once() -> None:
    async with running_engine() as engine:
        await engine.deploy(_AFTER_A_WEEK)
        await engine.stub.CreateProcessInstance(_CREATE)
        engine.turn(days=6, hours=23)
        assert await engine.fetch("work") == []
        polling = await engine.long_poll("work")

        engine.turn(hours=1)

        assert len(await polling) == 1


async def test_the_management_port_turns_a_controlled_clock() -> None:
    server = EngineServer(None, ManualClock(), "127.0.0.1:0", management="127.0.0.1:0", controlled_clock=True)
    await server.start()
    async with httpx.AsyncClient(base_url=f"http://{server.management_address}/actuator") as client:
        before = (await client.get("/clock")).json()["epochMilli"]
        added = (await client.post("/clock/add", json={"offsetMilli": 3_600_000})).json()["epochMilli"]
        pinned = (await client.post("/clock/pin", json={"epochMilli": 1_000})).json()["epochMilli"]
        reset = (await client.delete("/clock")).json()["epochMilli"]
        wrong = await client.post("/clock/add", json={"days": 1})
        unknown = await client.get("/health")
    await server.stop()

    assert (added, pinned, reset) == (before + 3_600_000, 1_000, before)
    assert (wrong.status_code, unknown.status_code) == (400, 404)


async def test_without_a_controlled_clock_nobody_turns_it(tmp_path: Path) -> None:
    server = EngineServer(tmp_path, ManualClock(), "127.0.0.1:0", management="127.0.0.1:0")
    await server.start()
    try:
        async with httpx.AsyncClient(base_url=f"http://{server.management_address}") as client:
            client.headers["authorization"] = f"Bearer {(tmp_path / 'gateway.token').read_text().strip()}"
            answers = [await client.get("/actuator/clock"), await client.post("/actuator/clock/add", json={})]
    finally:
        await server.stop()

    assert [answer.status_code for answer in answers] == [404, 404]


def test_a_pinned_clock_does_not_move_until_it_is_changed() -> None:
    base = ManualClock()
    clock = ControlledClock(base)
    clock.pin(base.now())
    base.turn(hours=1)

    assert to_millis(clock.now()) == to_millis(base.now()) - 3_600_000
