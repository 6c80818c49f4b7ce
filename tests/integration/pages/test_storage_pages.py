"""The storage office's page: releases, footage on its way as the workers tell it, recorders measured, quarantine."""

from collections.abc import AsyncIterator
from datetime import timedelta
from unittest.mock import patch
from zoneinfo import ZoneInfo

import pytest
from portal_client import Portal
from review_desk import ReviewDesk
from review_pages import Lens, text_of

from services.database.tables.applications import Item
from services.database.tables.audit import AuditEvent
from services.database.tables.cameras import Camera, Recorder
from services.database.tables.people import Person
from services.database.tables.preservations import FailedPreservation
from services.database.unit_of_work import UnitOfWork
from services.domain.cameras import measurements
from services.domain.retrieval import attempts, preservations, progress
from services.runtime.spans import Span


@pytest.fixture
def lens() -> Lens:
    return Lens()


@pytest.fixture
async def portal(desk: ReviewDesk, lens: Lens) -> AsyncIterator[Portal]:
    async with Portal(desk, recorders=lambda _kind, _configuration: lens) as opened:
        yield opened


@pytest.fixture
def item_id(desk: ReviewDesk) -> str:
    application_id = desk.submitted()
    desk.approved(application_id)
    desk.filed(application_id)
    desk.opened(application_id, "storage-release")
    return desk.all(Item, application_id=application_id)[0].id


def begun(desk: ReviewDesk, item_id: str) -> None:
    application_id = desk.the(Item, id=item_id).application_id
    desk.run(progress.start, application_id, item_id, "master", "probing")


@pytest.mark.requirement("R31", "R32", verb="recorded")
async def test_footage_on_its_way_is_seen_as_it_happens(desk: ReviewDesk, portal: Portal, item_id: str) -> None:
    operator = await portal.signed_in("operator")
    assert "目前没有正在调取或封存的录像" in text_of(await operator.get("/storage"))

    begun(desk, item_id)
    desk.run(progress.update, item_id, "master", phase="sealing", size=3 << 20, share=0.4)
    page = await operator.get("/storage/work", headers={"HX-Request": "true"})

    assert 'value="0.4000"' in page.text
    assert "截取并封存 · 40 % · 3 MiB" in text_of(page)
    [line] = (await operator.get("/api/storage")).json()["work"]
    assert (line["phase"], line["share"], line["attempts"], line["silent"]) == ("sealing", 0.4, 1, False)

    desk.run(progress.finish, item_id, "master")
    assert "截取并封存" not in text_of(await operator.get("/storage/work", headers={"HX-Request": "true"}))


async def test_trouble_is_told_in_a_sentence_until_there_is_progress(
    desk: ReviewDesk, portal: Portal, item_id: str
) -> None:
    operator = await portal.signed_in("operator")
    begun(desk, item_id)
    desk.run(progress.record_error, item_id, "master", "RecorderDown")
    begun(desk, item_id)

    page = text_of(await operator.get("/storage"))
    told = (await operator.get("/api/storage")).json()
    assert "录像机无法连接：请检查电源和网络" in page
    assert "第 2 次尝试" in page
    assert told["figures"] == {"retrieved": 0, "waiting": 0, "failed": 1}

    desk.run(progress.update, item_id, "master", phase="sealing", size=1, share=0.1)
    desk.clock.turn(timedelta(minutes=2))
    later = text_of(await operator.get("/storage"))
    assert "录像机无法连接" not in later
    assert "没有进展。有相应的处理进程运行时，即重新开始" in later


@pytest.mark.requirement("R31", verb="recorded")
async def test_what_follows_a_preservation_that_failed_is_said_as_it_is(
    desk: ReviewDesk, portal: Portal, item_id: str
) -> None:
    operator = await portal.signed_in("operator")
    application_id = desk.the(Item, id=item_id).application_id

    async def seen(sentence: str) -> tuple[bool, bool, bool]:
        [line] = (await operator.get("/api/storage")).json()["work"]
        assert sentence in text_of(await operator.get("/storage"))
        return line["retried"], line["nextTryAt"] is not None, line["overwritten"]

    desk.run(progress.start, application_id, item_id, "quarantine", "probing")
    desk.run(progress.record_error, item_id, "quarantine", "RecorderDown")
    desk.run(preservations.record_failure, application_id, item_id, "RecorderDown", 1, away=True)
    assert await seen("该录像尚未保全，将于") == (True, True, False)

    desk.clock.turn(timedelta(minutes=1))
    assert await seen("该录像尚未保全，正在重试") == (True, False, False)

    with patch.object(preservations, "overwrite_moment", lambda camera, at: at):
        desk.run(preservations.record_failure, application_id, item_id, "NothingRecorded", 1)
    assert await seen("录像机已将其覆盖，不再重试") == (False, False, True)

    desk.run(lambda uow: uow.session.delete(uow.session.get_one(FailedPreservation, item_id)))
    assert await seen("待存储部门放行后直接调取") == (False, False, False)


async def test_a_release_is_shown_to_the_office_and_the_supervisors_alone(
    desk: ReviewDesk, portal: Portal, item_id: str
) -> None:
    for reader in ("operator", "supervisor"):
        assert "SQ-" in (await (await portal.signed_in(reader)).get("/storage")).text
    for other in ("drafter", "head", "reviewer", "admin", "manager"):
        browser = await portal.signed_in(other)
        for path in ("/storage", "/storage/work"):
            assert (await browser.get(path)).status_code == 403, other
        assert (await browser.post("/storage/recorders/recorder/measure")).status_code == 403


async def test_the_inbox_leads_to_the_office_those_alone_whom_it_lets_in(desk: ReviewDesk, portal: Portal) -> None:
    desk.post("manager", "return-inspector", "storage")
    desk.run(lambda uow: setattr(uow.session.get_one(Person, "manager"), "department_id", "storage"))

    assert 'href="/storage"' in (await (await portal.signed_in("operator")).get("/inbox")).text
    assert 'href="/storage"' not in (await (await portal.signed_in("manager")).get("/inbox")).text


@pytest.mark.requirement("R34")
async def test_an_operator_measures_a_recorder_now(desk: ReviewDesk, portal: Portal, lens: Lens) -> None:
    operator = await portal.signed_in("operator")

    done = await operator.post("/storage/recorders/recorder/measure")
    page = text_of(await operator.get("/storage"))
    assert done.headers["location"] == "/storage"
    assert "已测量，时钟慢 2.5 秒" in page
    assert "录像机时钟慢 2.5 秒" in page
    assert [event.subject_id for event in desk.all(AuditEvent, action="recorder-measured")] == ["recorder"]

    lens.down = True
    refused = await operator.post("/storage/recorders/recorder/measure")
    assert (refused.status_code, "没有应答：请检查电源和网络" in text_of(refused)) == (409, True)
    assert desk.the(Recorder).last_error is not None
    assert (await operator.post("/storage/recorders/none/measure")).status_code == 404


async def test_the_supervisor_measures_nothing(portal: Portal) -> None:
    supervisor = await portal.signed_in("supervisor")

    assert "立即测量" not in (await supervisor.get("/storage")).text
    assert (await supervisor.post("/storage/recorders/recorder/measure")).status_code == 403


@pytest.mark.requirement("R31")
async def test_the_quarantine_is_shown_page_by_page_and_as_a_table(
    desk: ReviewDesk, portal: Portal, item_id: str
) -> None:
    desk.run(_preserved, item_id, 23)
    operator = await portal.signed_in("operator")

    pages = [(await operator.get(f"/storage/preserved?page={number}")).text for number in (1, 2)]
    table = await operator.get("/storage/preserved.csv")

    assert [page.count("SQ-2031-000001") for page in pages] == [20, 3]
    assert (await operator.get("/storage")).text.count("SQ-2031-000001") == 6  # a release waits, and the newest five
    assert table.text.count("SQ-2031-000001") == 23
    assert len((await operator.get("/api/storage?limit=5&offset=20")).json()["preserved"]) == 3
    assert (await (await portal.signed_in("head")).get("/storage/preserved.csv")).status_code == 403


def _preserved(uow: UnitOfWork, item_id: str, count: int) -> None:
    item = uow.session.get_one(Item, item_id)
    for number in range(count):
        attempt = attempts.start(uow, "quarantine", application_id=item.application_id, item_id=item_id, job_key=number)
        uow.session.flush()
        asked = Span(item.asked_start, item.asked_end)
        preservations.create(uow, attempt.id, "v1", asked, {"outcome": "complete"})
        uow.session.flush()


@pytest.mark.requirement("R34", refuses=True)
async def test_an_operator_compares_the_clock_in_a_picture(desk: ReviewDesk, portal: Portal) -> None:
    operator, supervisor = await portal.signed_in("operator"), await portal.signed_in("supervisor")
    assert "核对画面上的时钟" in text_of(await operator.get("/storage"))
    assert "核对画面上的时钟" not in text_of(await supervisor.get("/storage/recorders"))
    zone = desk.the(Recorder, id="recorder").zone
    now = desk.clock.now().astimezone(ZoneInfo(zone)).replace(tzinfo=None)

    shown, true = ((now + timedelta(seconds=more)).isoformat(timespec="seconds") for more in (75, 0))
    typed = {"shown": shown, "true": true, "within": "3", "listed": "true"}
    done = await operator.post("/storage/recorders/recorder/clock", data=typed)
    assert done.headers["location"] == "/storage/recorders"
    page = text_of(await operator.get("/storage/recorders"))
    assert "时钟快 75.0 秒" in page
    assert "（与画面上的时钟核对 ± 3.0 s)".replace("（", "(") in page

    earlier = (now - timedelta(hours=3)).isoformat(timespec="seconds")
    await operator.post("/storage/recorders/recorder/clock", data={"shown": earlier, "true": earlier, "within": "1"})
    row = desk.the(Recorder, id="recorder")
    assert (row.clock_offset_ms, row.clock_method, row.clock_uncertainty_ms) == (0, "picture", 1000)

    both = {"shown": earlier, "true": earlier}
    for wrong in ({**both, "shown": "noon"}, {**both, "within": "0"}, {**both, "within": "x"}, {"shown": earlier}, {}):
        refused = await operator.post("/storage/recorders/recorder/clock", data=wrong)
        assert (refused.status_code, "请核对两个时间和误差" in text_of(refused)) == (422, True), wrong
    assert (await operator.post("/storage/recorders/none/clock", data=typed)).status_code == 404


@pytest.mark.requirement("R34")
@pytest.mark.parametrize(
    ("method", "offered"),
    [*((told, True) for told in (None, "unknown", "configured", "picture")), ("api-time", False), ("http-date", False)],
)
async def test_the_clock_in_a_picture_is_compared_where_the_recorder_tells_no_time(
    desk: ReviewDesk, portal: Portal, method: str | None, offered: bool
) -> None:
    desk.run(lambda uow: [setattr(row, "clock_method", method) for row in uow.session.query(Recorder)])
    operator = await portal.signed_in("operator")

    for page in [(await operator.get(path)).text for path in ("/storage", "/storage/recorders")]:
        assert ("/storage/recorders/recorder/clock" in page, "录像机自行报告时间" in page) == (offered, not offered)


async def test_the_clock_in_a_picture_is_compared_by_the_api_too(desk: ReviewDesk, portal: Portal) -> None:
    operator = await portal.signed_in("operator")
    now = desk.clock.now()

    told = {"shown": (now - timedelta(seconds=8)).isoformat(), "true": now.isoformat(), "uncertaintyMs": 1500}
    answer = (await operator.post("/api/storage/recorders/recorder/clock", json=told)).json()

    assert (answer["clockOffsetMs"], answer["clockMethod"], answer["clockUncertaintyMs"]) == (-8000, "picture", 1500)
    [recorder] = (await operator.get("/api/storage")).json()["recorders"]
    assert recorder["clockMeasuredAt"] is not None
    del told["true"]
    assert (await operator.post("/api/storage/recorders/recorder/clock", json=told)).status_code == 422


@pytest.mark.requirement("R34", verb="recorded")
async def test_a_camera_that_reaches_less_far_back_says_so(desk: ReviewDesk, portal: Portal) -> None:
    operator = await portal.signed_in("operator")

    def measured(days: int) -> None:
        def act(uow: UnitOfWork) -> None:
            measurements.record_oldest(uow, [(uow.session.get_one(Camera, "camera"), uow.now - timedelta(days=days))])

        desk.run(act)

    measured(20)
    desk.clock.turn(timedelta(days=8))
    measured(15)

    operator = await portal.signed_in("operator")
    assert "比一周前少" in text_of(await operator.get("/storage"))
    [recorder] = (await operator.get("/api/storage")).json()["recorders"]
    assert [camera["retentionChangeSeconds"] for camera in recorder["cameras"] if camera["cameraId"] == "camera"] == [
        -5 * 86_400
    ]
