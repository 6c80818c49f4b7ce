"""How far a worker has come is in the books while it works, gone when it is done, and told as trouble when it fails."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from custody_desk import Case, Desk

from services.database.tables.progress import Progress
from services.database.unit_of_work import EVERY_COMMIT, Actor
from services.domain.retrieval import progress
from services.domain.retrieval.attempts import NoLongerWanted
from services.recorders.protocol import RecorderDown
from services.runtime.errors import Outcome
from services.workers import back_up_footage, encrypt_copy, progress_reporter, retrieve_footage

ACTOR = Actor("worker", "test")


async def retrieve(desk: Desk, case: Case, job_key: int = 77) -> Any:
    return await desk.work(retrieve_footage, application_id=case.id, item_id=case.item(), job_key=job_key)


def watch(desk: Desk, case: Case, **more: Any) -> Any:
    named = {"application_id": case.id, "item_id": case.item(), "phase": "probing", "every": 0.0, **more}
    return progress_reporter.report_progress(desk.database, ACTOR, "master", **named)


async def told(desk: Desk, wanted: Any) -> Progress:
    """The first row that ``wanted`` accepts; looked at after each commit."""
    news = asyncio.Event()
    loop = asyncio.get_running_loop()
    desk.database.on(EVERY_COMMIT, lambda: loop.call_soon_threadsafe(news.set))
    while True:
        rows = [row for row in desk.rows(Progress) if wanted(row)]
        if rows:
            return rows[0]
        news.clear()
        async with asyncio.timeout(10):
            await news.wait()


@pytest.mark.requirement("R31", verb="recorded")
async def test_readings_are_in_the_books_while_the_work_goes_on(desk: Desk) -> None:
    case = desk.case("gate").approve()

    async with watch(desk, case) as reading:
        assert [row.phase for row in desk.rows(Progress)] == ["probing"]
        reading.enter("fetching")
        reading.sealing(1000, 0.25)
        row = await told(desk, lambda row: row.size == 1000)
        assert (row.phase, row.share, row.attempts) == ("sealing", 0.25, 1)
    assert desk.rows(Progress) == []


async def test_work_that_waits_tells_that_it_is_alive(desk: Desk) -> None:
    case = desk.case("gate").approve()

    async with watch(desk, case):
        desk.clock.turn(timedelta(hours=30))
        row = await told(desk, lambda row: row.heartbeat_at == desk.clock.now())
        assert (row.phase, row.size, row.attempts) == ("probing", 0, 1)
        assert desk.do(progress.is_silent, row) is False


async def test_a_failed_try_leaves_its_trouble_and_the_next_one_takes_it_away(desk: Desk) -> None:
    case = desk.case("gate").approve()

    with pytest.raises(RecorderDown):
        async with watch(desk, case):
            raise RecorderDown("down")
    [row] = desk.rows(Progress)
    assert (row.last_error, row.attempts) == ("RecorderDown", 1)

    await retrieve(desk, case)
    assert desk.rows(Progress) == []


@pytest.mark.parametrize("error", [NoLongerWanted("the case has ended"), Outcome("FOOTAGE_MISSING", "nothing")])
async def test_work_that_is_not_wanted_or_has_its_outcome_leaves_nothing(desk: Desk, error: Exception) -> None:
    case = desk.case("gate").approve()

    with pytest.raises(type(error)):
        async with watch(desk, case):
            raise error
    assert desk.rows(Progress) == []


async def test_whoever_is_cancelled_leaves_its_last_reading(desk: Desk) -> None:
    case = desk.case("gate").approve()
    inside = asyncio.Event()

    async def work() -> None:
        async with watch(desk, case):
            inside.set()
            await asyncio.Event().wait()

    working = asyncio.create_task(work())
    await inside.wait()
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working

    assert [row.last_error for row in desk.rows(Progress)] == [None]


async def test_each_worker_tells_its_phases(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    case = desk.case("gate").approve()
    phases: list[str] = []
    monkeypatch.setattr(progress_reporter, "EVERY", 0.0)
    enter, reading = progress_reporter.ProgressReporter.enter, progress_reporter.ProgressReporter.__call__

    def entered(self: progress_reporter.ProgressReporter, phase: str) -> None:
        phases.append(phase)
        enter(self, phase)

    def read(self: progress_reporter.ProgressReporter, size: int, share: float) -> None:
        if phases[-1] != self.phase:
            phases.append(self.phase)
        reading(self, size, share)

    monkeypatch.setattr(progress_reporter.ProgressReporter, "enter", entered)
    monkeypatch.setattr(progress_reporter.ProgressReporter, "__call__", read)
    await retrieve(desk, case)
    assert phases == ["fetching", "sealing", "storing"]
    await desk.work(back_up_footage, application_id=case.id, item_id=case.item(), job_key=78)
    await desk.work(encrypt_copy, application_id=case.id, item_id=case.item(), job_key=79)
    assert phases[3:] == ["replicating", "verifying", "issuing", "storing"]
    assert desk.rows(Progress) == []
