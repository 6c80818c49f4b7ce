"""Jobs that wait for silent recorders make few connections, and leave other recorders' jobs their places."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from custody_desk import Desk

from services.app import server
from services.database.tables.cameras import Camera, Recorder
from services.database.unit_of_work import Actor, UnitOfWork
from services.domain.cameras import measurements
from services.domain.cameras.measurements import CameraChannel
from services.recorders.protocol import RecorderDown, RecorderFacts
from services.workers import sources

ACTOR = Actor("worker", "retrieve-footage")


class Asked:
    """A recorder that counts how often it is asked, and gives the answer that is set."""

    def __init__(self, code: str | None = "unreachable") -> None:
        self.code = code
        self.probes = 0
        self.release: asyncio.Event | None = None
        self.asked = asyncio.Event()

    async def probe(self) -> RecorderFacts:
        self.probes += 1
        if self.release is not None:
            self.asked.set()
            await self.release.wait()
        return RecorderFacts("maker", "one", "id", self.code is None, {}, None, "unknown", None, "UTC")

    async def coverage(self, _channel: str, _span: object) -> list[object]:
        raise RecorderDown("no connection", str(self.code))


@pytest.fixture
def source(desk: Desk) -> CameraChannel:
    camera = desk.do(lambda uow: measurements.source_of_camera(uow, uow.session.get_one(Camera, "camera-gate")))
    assert isinstance(camera, CameraChannel)
    return camera


def probing(desk: Desk, asked: Any, source: CameraChannel) -> Any:
    return sources.probe(desk.database, ACTOR, asked, source)


async def test_a_hundred_jobs_that_wait_for_one_recorder_ask_it_once_in_half_a_minute(
    desk: Desk, source: CameraChannel
) -> None:
    asked = Asked()
    for _ in range(3):
        for _ in range(100):
            with pytest.raises(RecorderDown) as down:
                await probing(desk, asked, source)
            assert down.value.away == "recorder"
        desk.clock.turn(measurements.ASKED_APART)

    assert asked.probes == 3
    asked.code = None
    await probing(desk, asked, source)
    await probing(desk, asked, source)
    assert asked.probes == 5  # one that answers is asked by every job


async def test_a_process_asks_one_silent_recorder_at_a_time(desk: Desk, source: CameraChannel) -> None:
    def add(uow: UnitOfWork) -> None:
        first = uow.session.get_one(Recorder, source.recorder_id)
        second = Recorder(id="second", name="second", site="Plant", kind=first.kind, configuration={}, zone="UTC")
        uow.session.add(second)

    desk.do(add)
    other = replace(source, recorder_id="second")
    hangs, waits = Asked(), Asked()
    for one, place in ((hangs, source), (waits, other)):
        with pytest.raises(RecorderDown):
            await probing(desk, one, place)
    desk.clock.turn(timedelta(minutes=5))
    hangs.release = asyncio.Event()

    asking = asyncio.create_task(probing(desk, hangs, source))
    await hangs.asked.wait()
    with pytest.raises(RecorderDown, match="a moment ago"):
        await probing(desk, waits, other)
    assert waits.probes == 1

    hangs.release.set()
    with pytest.raises(RecorderDown):
        await asking
    with pytest.raises(RecorderDown):
        await probing(desk, waits, other)
    assert waits.probes == 2


async def test_a_recorder_that_refuses_the_password_is_not_waited_for(desk: Desk, source: CameraChannel) -> None:
    asked = Asked("login")
    for number in (1, 2):
        with pytest.raises(RecorderDown) as down:
            await probing(desk, asked, source)
        assert (down.value.away, down.value.code, asked.probes) == (None, "login", number)


async def test_a_recorder_that_hangs_again_is_given_a_short_time(
    desk: Desk, source: CameraChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Asked()
    with pytest.raises(RecorderDown):
        await probing(desk, asked, source)
    desk.clock.turn(measurements.ASKED_APART)
    asked.release = asyncio.Event()
    monkeypatch.setattr(sources, "SILENT_SECONDS", 0.0)

    with pytest.raises(RecorderDown, match="no answer within 0 s") as down:
        await probing(desk, asked, source)
    assert down.value.away == "recorder"


async def test_what_waits_for_a_recorder_names_it_and_is_told_that_it_is_back(
    desk: Desk, source: CameraChannel
) -> None:
    asked, back = Asked(), list[int]()
    desk.database.on(measurements.BACK, lambda: back.append(1))
    for _ in range(2):  # asked, and not asked
        with pytest.raises(RecorderDown) as down:
            await probing(desk, asked, source)
        assert down.value.awaits == source.recorder_id
    assert desk.do(measurements.list_answering, {source.recorder_id, "a place for work at recorder x"}) == []
    asked.code = None
    desk.clock.turn(measurements.ASKED_APART)

    await probing(desk, asked, source)
    await probing(desk, asked, source)

    assert back == [1], "once, when it has answered for the first time"
    assert desk.do(measurements.list_answering, {source.recorder_id, "another"}) == [source.recorder_id]


async def test_jobs_of_a_process_are_woken_whoever_has_seen_their_recorder_answer(
    desk: Desk, source: CameraChannel
) -> None:
    woken, seen = list[str](), asyncio.Event()

    class Parked:
        awaited = frozenset({source.recorder_id, "another"})

        def wake(self, awaits: str) -> None:
            woken.append(awaits)
            seen.set()

    desk.change(Recorder, source.recorder_id, last_error={"code": "recorder-down", "zh": "", "en": ""})
    task = server.follow_recorders(desk.database, Parked())  # type: ignore[arg-type]  # what the task needs of it
    running = asyncio.create_task(task.run())
    await desk.database.run(ACTOR, lambda _: None)
    assert woken == []

    answers = RecorderFacts("maker", "one", "id", True, {}, None, "unknown", None, "UTC")
    desk.do(measurements.record_measured, source.recorder_id, answers)  # the monitor, say
    async with asyncio.timeout(30):
        await seen.wait()
    running.cancel()
    await asyncio.wait({running})
    assert woken == [source.recorder_id]
