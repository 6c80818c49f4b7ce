"""The round of the recorders: each is asked in its turn, by one portal, and what it says shows in the metrics."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from background import going
from review_desk import NOON, ReviewDesk
from sqlalchemy.orm import Session

from services.database.tables.applications import Item
from services.database.tables.audit import AuditEvent
from services.database.tables.cameras import Camera, Recorder
from services.database.tables.devices import DeviceHealth
from services.database.tables.protections import Protection
from services.database.unit_of_work import EVERY_COMMIT, UnitOfWork
from services.domain.cameras import protections
from services.domain.cameras.recorder_monitor import CAPACITY, RecorderMonitor, record_silence
from services.domain.cameras.recorders import Finding
from services.domain.cases import metrics as case_metrics
from services.recorders.protocol import RecorderDown, RecorderFacts, WrongChannel
from services.runtime import metrics
from services.runtime.errors import Fatal
from services.runtime.spans import Span
from services.runtime.storage_health import Disk
from services.runtime.translations import Message

pytestmark = pytest.mark.both_databases

EVERY = timedelta(minutes=5)
SOON = 10  # seconds: before the round would look by itself
WELL = RecorderFacts("M", "N", "I", True, {}, 1500, "ntp", 10, "UTC")
TESTED = Finding("no-channel", Message("no channel"))


@dataclass
class Recorders:
    """Opens recorders that answer with what ``says`` holds by their configured name; one that ``hangs`` waits."""

    says: dict[str, RecorderFacts | Exception] = field(default_factory=dict)
    hangs: dict[str, asyncio.Event] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    released: list[tuple[str, Span]] = field(default_factory=list)
    disks: list[Disk] | Exception = field(default_factory=list)
    keeps: Exception | None = None
    keeps_one: dict[str, Exception] = field(default_factory=dict)  # by channel
    at_once: int = 0
    most_at_once: int = 0

    def __call__(self, _kind: str, configuration: Mapping[str, str], /) -> Any:
        return Asked(self, configuration.get("identity", "R"))


@dataclass
class Asked:
    recorders: Recorders
    name: str

    async def probe(self) -> RecorderFacts:
        all_of_them = self.recorders
        all_of_them.asked.append(self.name)
        all_of_them.at_once += 1
        all_of_them.most_at_once = max(all_of_them.most_at_once, all_of_them.at_once)
        try:
            if self.name in all_of_them.hangs:
                await all_of_them.hangs[self.name].wait()
            answer = all_of_them.says.get(self.name, WELL)
            if isinstance(answer, Exception):
                raise answer
            return answer
        finally:
            all_of_them.at_once -= 1

    async def coverage(self, *_: object) -> list[object]:
        return []

    async def list_disks(self) -> list[Disk]:
        if isinstance(self.recorders.disks, Exception):
            raise self.recorders.disks
        return self.recorders.disks

    async def release(self, channel: str, span: Span) -> None:
        keeps = self.recorders.keeps_one.get(channel, self.recorders.keeps)
        if keeps is not None:
            raise keeps
        self.recorders.released.append((channel, span))


def enter(desk: ReviewDesk, *names: str) -> None:
    def act(uow: UnitOfWork) -> None:
        for name in names:
            told = {"identity": name}
            uow.session.add(Recorder(id=name, name=name, site="S", kind="net", configuration=told, zone="UTC"))

    desk.run(act)


def said(name: str, recorder: str = "R") -> float | None:
    return metrics.DATABASE_REGISTRY.get_sample_value(f"footage_desk_recorder_{name}", {"recorder": recorder})


async def go_round(round_: RecorderMonitor) -> int:
    """Everybody whose turn it is, answers waited for; how many were asked."""
    asked = 0
    while begun := await round_.probe_due():
        asked += len(begun)
        await asyncio.gather(*begun)
    return asked


async def booked(desk: ReviewDesk, holds: Callable[[Recorder], bool]) -> None:
    """Wait for the commit after which this is in the recorder's row."""
    commits: asyncio.Queue[None] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    desk.database.on(EVERY_COMMIT, lambda: loop.call_soon_threadsafe(commits.put_nowait, None))
    async with asyncio.timeout(SOON):
        while not holds(await asyncio.to_thread(row_of, desk)):
            await commits.get()


def row_of(desk: ReviewDesk) -> Recorder:
    """Read past the register, which would tell of a commit again."""
    with Session(desk.database.engine) as session:
        return session.get_one(Recorder, "recorder")


@pytest.mark.requirement("R34", verb="recorded")
async def test_the_metrics_go_on_without_anybody_who_looks(desk: ReviewDesk) -> None:
    recorders = Recorders()
    round_ = RecorderMonitor(desk.database, recorders, EVERY)

    seen = []
    for facts in (WELL, replace(WELL, reachable=False), replace(WELL, clock_offset_ms=-7000)):
        recorders.says["R"] = facts
        await go_round(round_)
        desk.run(case_metrics.update_gauges)
        seen.append((said("up"), said("last_seen_timestamp_seconds"), said("clock_offset_seconds")))
        desk.clock.turn(EVERY)

    first, last = NOON.timestamp(), (NOON + 2 * EVERY).timestamp()
    assert seen == [(1, first, 1.5), (0, first, 1.5), (1, last, -7)]
    assert desk.the(Recorder).last_error is None


async def test_each_is_asked_once_in_its_time_however_many_portals_there_are(any_database_url: str) -> None:
    desk = ReviewDesk(any_database_url)
    enter(desk, "A", "B", "C")
    recorders = Recorders()
    portals = [RecorderMonitor(desk.database, recorders, EVERY) for _ in range(2)]

    await asyncio.gather(*map(go_round, portals))
    first = sorted(recorders.asked)
    desk.clock.turn(EVERY - timedelta(seconds=1))
    too_early = sum(await asyncio.gather(*map(go_round, portals)))
    desk.clock.turn(timedelta(seconds=1))
    await asyncio.gather(*map(go_round, portals))

    desk.close()
    assert first == ["A", "B", "C", "R"]
    assert too_early == 0
    assert sorted(recorders.asked) == sorted(2 * first)


async def test_a_recorder_that_was_asked_while_the_clock_was_ahead_is_asked_again(desk: ReviewDesk) -> None:
    round_ = RecorderMonitor(desk.database, Recorders(), EVERY)
    assert await go_round(round_) == 1

    desk.clock.turn(-timedelta(days=1))

    assert await go_round(round_) == 1
    assert await go_round(round_) == 0
    assert desk.the(Recorder).polled_at == desk.clock.now()


async def test_what_a_person_asked_is_not_asked_again_at_once_and_what_the_test_found_of_cameras_stays(
    desk: ReviewDesk,
) -> None:
    desk.run(record_silence, "recorder", TESTED)
    recorders = Recorders()
    round_ = RecorderMonitor(desk.database, recorders, EVERY)

    at_once = await go_round(round_)
    desk.clock.turn(EVERY)
    later = await go_round(round_)

    assert (at_once, later) == (0, 1)
    assert (desk.the(Recorder).last_error or {})["code"] == TESTED.code


@pytest.mark.parametrize("trouble", [ValueError("it speaks nonsense"), OSError("it broke")], ids=str)
async def test_one_that_cannot_be_asked_is_silent_and_stops_nobody_elses_turn(
    desk: ReviewDesk, trouble: Exception
) -> None:
    enter(desk, "A")
    recorders = Recorders(says={"R": trouble})

    assert await go_round(RecorderMonitor(desk.database, recorders, EVERY)) == 2
    desk.run(case_metrics.update_gauges)

    assert (said("up"), said("up", "A")) == (0, 1)


async def test_a_recorder_that_hangs_is_silent_in_time_and_answers_when_it_gives_in(desk: ReviewDesk) -> None:
    recorders = Recorders(hangs={"R": asyncio.Event()})
    round_ = RecorderMonitor(desk.database, recorders, EVERY, timeout_seconds=0.01)

    [hanging] = await round_.probe_due()
    await booked(desk, lambda row: row.last_error is not None)
    desk.clock.turn(EVERY)
    again = await round_.probe_due()
    desk.run(case_metrics.update_gauges)
    silent = said("up")
    recorders.hangs["R"].set()
    await hanging
    desk.run(case_metrics.update_gauges)

    assert (silent, again) == (0, [])
    assert recorders.asked == ["R"], "one that still hangs is not asked a second time"
    assert said("up") == 1


async def test_no_more_are_asked_at_once_than_there_are_places(desk: ReviewDesk) -> None:
    names = [f"N{number}" for number in range(3 * CAPACITY)]
    enter(desk, *names)
    recorders = Recorders(hangs={name: asyncio.Event() for name in names})
    round_ = RecorderMonitor(desk.database, recorders, EVERY)

    begun, no_more = await round_.probe_due(), await round_.probe_due()
    for event in recorders.hangs.values():
        event.set()
    await asyncio.gather(*begun)
    await go_round(round_)

    assert (len(begun), no_more) == (CAPACITY, [])
    assert recorders.most_at_once <= CAPACITY
    assert sorted(recorders.asked) == sorted([*names, "R"])


def ended(desk: ReviewDesk) -> Span:
    """A case that has ended while its footage was locked where the camera is now."""
    application_id = desk.submitted()
    item = desk.all(Item, application_id=application_id)[0]
    span = Span(item.asked_start, item.asked_end)
    begun = desk.run(protections.start, application_id, item.id, item.camera_id, span)
    desk.run(protections.record_answer, begun, "protected")
    desk.run(protections.end, application_id)
    return span


async def test_a_recorder_is_told_what_no_case_protects_any_more_until_it_has_heard(desk: ReviewDesk) -> None:
    application_id = desk.submitted()
    item = desk.all(Item, application_id=application_id)[0]
    span = Span(item.asked_start, item.asked_end)
    desk.run(protections.start, application_id, item.id, item.camera_id, span)
    recorders = Recorders()
    round_ = RecorderMonitor(desk.database, recorders, EVERY)
    await go_round(round_)
    assert recorders.released == [], "the case still needs it"

    desk.run(protections.end, application_id)
    for recorders.keeps in (RecorderDown("busy"), Fatal("no right to it"), TimeoutError(), ValueError("odd")):
        desk.clock.turn(EVERY)
        await go_round(round_)
        row = desk.the(Recorder, id="recorder")
        assert (row.last_seen_at, row.last_error) == (desk.clock.now(), None), "its answer counts all the same"
        assert desk.the(Protection).released_at is None

    recorders.keeps = None
    for _ in range(2):
        desk.clock.turn(EVERY)
        await go_round(round_)
    assert recorders.released == [("gate", span)]
    assert desk.the(Protection).released_at is not None


async def test_a_release_that_fails_keeps_no_other_from_being_told(desk: ReviewDesk) -> None:
    recorders = Recorders(keeps_one={"gate": RecorderDown("busy")})
    ended(desk)
    desk.run(lambda uow: setattr(uow.session.get_one(Camera, "camera"), "channel", "yard"))
    ended(desk)

    await go_round(RecorderMonitor(desk.database, recorders, EVERY))

    assert [channel for channel, _ in recorders.released] == ["yard"]
    assert {row.channel: row.released_at is None for row in desk.all(Protection)} == {"gate": True, "yard": False}


async def test_the_answer_is_in_the_books_before_anything_is_released(desk: ReviewDesk) -> None:
    ended(desk)
    seen = []

    @dataclass
    class Looks(Asked):
        async def release(self, channel: str, span: Span) -> None:
            seen.append(row_of(desk).last_seen_at)

    def opened(_kind: str, _configuration: Mapping[str, str], /) -> Any:
        return Looks(Recorders(), "R")

    await go_round(RecorderMonitor(desk.database, opened, EVERY))

    assert seen == [desk.clock.now()]


async def test_the_recorder_that_locked_it_is_told_though_it_was_retired_and_its_camera_moved(
    any_database_url: str,
) -> None:
    desk = ReviewDesk(any_database_url)
    enter(desk, "other")
    recorders = Recorders()
    round_ = RecorderMonitor(desk.database, recorders, EVERY)
    span = ended(desk)

    def move_and_retire(uow: UnitOfWork) -> None:
        camera = uow.session.get_one(Camera, "camera")
        camera.recorder_id, camera.channel = "other", "7"
        uow.session.get_one(Recorder, "recorder").active = False

    desk.run(move_and_retire)
    await go_round(round_)
    desk.clock.turn(EVERY)
    await go_round(round_)

    assert recorders.released == [("gate", span)]
    assert recorders.asked.count("R") == 1, "it has heard, and is not asked any more"
    desk.close()


async def test_a_channel_that_is_gone_has_nothing_to_let_go(desk: ReviewDesk) -> None:
    application_id = desk.submitted()
    item = desk.all(Item, application_id=application_id)[0]
    desk.run(protections.start, application_id, item.id, item.camera_id, Span(item.asked_start, item.asked_end))
    desk.run(protections.end, application_id)

    await go_round(RecorderMonitor(desk.database, Recorders(keeps=WrongChannel("none")), EVERY))

    assert desk.the(Protection).released_at is not None


async def test_a_turned_clock_is_noticed_at_once(desk: ReviewDesk) -> None:
    round_ = RecorderMonitor(desk.database, Recorders(), EVERY)

    async with going(round_.run()):
        await booked(desk, lambda row: row.last_seen_at == NOON)
        await asyncio.gather(*round_._tasks)  # who is still being asked is not asked again
        desk.clock.turn(EVERY)
        round_.wake()
        await booked(desk, lambda row: row.last_seen_at == NOON + EVERY)


async def test_a_recorder_out_of_use_is_not_asked_and_leaves_no_series(desk: ReviewDesk) -> None:
    recorders = Recorders()
    round_ = RecorderMonitor(desk.database, recorders, EVERY)
    await go_round(round_)
    desk.run(case_metrics.update_gauges)
    before = said("up")

    def retire(uow: UnitOfWork) -> None:
        uow.session.get_one(Recorder, "recorder").active = False

    desk.run(retire)
    desk.clock.turn(EVERY)
    await go_round(round_)
    desk.run(case_metrics.update_gauges)

    assert (before, said("up"), said("last_seen_timestamp_seconds")) == (1, None, None)
    assert recorders.asked == ["R"]


async def test_turns_leave_no_event_in_the_audit_trail(desk: ReviewDesk) -> None:
    before = len(desk.all(AuditEvent))
    await go_round(RecorderMonitor(desk.database, Recorders(), EVERY))

    assert len(desk.all(AuditEvent)) == before


@pytest.mark.requirement("R10")
async def test_what_a_recorder_tells_of_its_disks_is_kept_with_its_moment(desk: ReviewDesk) -> None:
    recorders = Recorders(says={"R": WELL})
    round_ = RecorderMonitor(desk.database, recorders, EVERY)

    async def read(disks: list[Disk] | Exception) -> DeviceHealth:
        recorders.disks = disks
        desk.clock.turn(EVERY)
        await go_round(round_)
        return next(row for row in desk.all(DeviceHealth) if row.source == "R")

    enter(desk, "R")
    untold = await read(RecorderDown("x", "forbidden"))
    assert (untold.state, untold.told_at, untold.failure is not None) == ("not-told", None, True)
    assert (await read([])).state == "not-told"
    well = Disk("hdd1", "ok", False, 100, 1)
    good = await read([well, replace(well, name="hdd2")])
    assert (good.state, good.figures) == ("good", {"disks": 2, "disksFailed": 0, "totalBytes": 200, "freeBytes": 2})
    bad = await read([well, Disk("hdd2", "error", True)])
    assert (bad.state, bad.told_at, bad.since) == ("bad", desk.clock.now(), desk.clock.now())
    since = bad.since
    kept = await read(RecorderDown("x", "busy"))
    assert (kept.state, kept.told_at, kept.asked_at) == ("bad", since, desk.clock.now())
    assert kept.failure is not None, "what was told stays, and that it is told no more is seen"
    changes = [
        json.loads(event.entry)["detail"]
        for event in desk.all(AuditEvent, action="device-health-changed", subject_id="R")
    ]
    assert [(one["old"], one["new"]) for one in changes] == [("good", "bad")]
