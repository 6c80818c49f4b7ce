"""Applying on the page: drafts that are not lost, times that are asked about, one submission, nobody else's draft."""

import asyncio
import html
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from apply_browser import HURRIED, filled, saved, value_of
from portal_client import Portal
from review_desk import NOON, ReviewDesk

from services.database.tables.applications import Application, Item
from services.database.tables.cameras import Camera, Recorder
from services.database.tables.drafts import Draft
from services.database.unit_of_work import UnitOfWork
from services.domain.retrieval import attempts, preservations, recorder_coverage, uploads
from services.domain.retrieval.uploads import Facts, Measured
from services.recorders.protocol import RecorderDown
from services.runtime.spans import Span

HOUR = timedelta(hours=1)


class Folder:
    """A recorder that has the first half of whatever is asked for, or what it ``holds``; is away, or hangs."""

    mode = "there"
    holds: Sequence[Span] | None = None
    unread: Sequence[str] = ()

    def __init__(self) -> None:
        self.asked: list[Span] = []

    async def list_unread(self, _channel: str, span: Span) -> list[str]:
        return list(self.unread)

    async def coverage(self, _channel: str, span: Span) -> list[Span]:
        self.asked.append(span)
        if self.holds is not None:
            return [held for held in self.holds if held.intersect(span)]
        if self.mode == "away":
            raise RecorderDown("down")
        if self.mode == "hangs":
            await asyncio.Event().wait()
        return [Span(span.start, span.start + span.duration / 2)]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(f"sqlite:///{tmp_path / 'database.sqlite3'}")
    desk.run(_berlin)
    yield desk
    desk.close()


def _berlin(uow: UnitOfWork) -> None:
    uow.session.add(Recorder(id="away", name="B", site="Werk", kind="folder", configuration={}, zone="Europe/Berlin"))
    uow.session.flush()
    names = {"name_zh": "柏林大门", "name_en": "Berlin gate", "place_zh": "门口", "place_en": "entrance"}
    uow.session.add(Camera(id="berlin", recorder_id="away", channel="1", retention_days=3650, **names))


@pytest.fixture
def recorder() -> Folder:
    return Folder()


@pytest.fixture
async def portal(desk: ReviewDesk, recorder: Folder) -> AsyncIterator[Portal]:
    async with Portal(desk, recorders=lambda _kind, _configuration: recorder) as opened:
        yield opened


@pytest.mark.requirement("R16", "R18")
async def test_an_empty_form_proposes_what_the_directory_knows_and_keeps_nothing(
    desk: ReviewDesk, portal: Portal
) -> None:
    browser = await portal.signed_in("drafter")

    page = await browser.get("/apply")

    assert page.status_code == 200
    assert "works · drafter" in page.text
    assert value_of(page.text, "custodianId") == "drafter"  # the drafter has an agreement, and may keep the copies
    assert desk.all(Application) == []


async def test_what_is_typed_saves_itself_and_is_there_after_signing_in_again(desk: ReviewDesk, portal: Portal) -> None:
    browser = await portal.signed_in("drafter")
    half = filled(items__0__end="", purpose="", items__1__start="2031-03-04T09:00:00", items__1__cameraId="")

    answer = await browser.post("/apply/save", data=half, headers=HURRIED)
    await saved(browser, half)
    await browser.post("/api/logout")

    assert answer.headers["HX-Replace-Url"] == f"/applications/{half['applicationId']}/edit"
    assert len(desk.all(Application)) == 1
    page = (await (await portal.signed_in("drafter")).get(f"/applications/{half['applicationId']}/edit")).text
    assert half["reason"] in page
    assert value_of(page, "items-0-start") == "2031-03-04T10:00:00"
    assert value_of(page, "items-1-start") == "2031-03-04T09:00:00"


async def test_a_session_that_has_ended_leads_to_the_sign_in_and_saves_nothing(
    desk: ReviewDesk, portal: Portal
) -> None:
    browser = await portal.signed_in("drafter")
    await browser.post("/api/logout")
    browser.headers.pop("X-CSRF-Token")

    hurried = await browser.post("/apply/save", data=filled(), headers=HURRIED)
    plain = await browser.get("/apply")

    assert hurried.headers["HX-Redirect"].startswith("/login")
    assert (plain.status_code, plain.headers["location"]) == (303, "/login?next=/apply")
    assert desk.all(Application) == []


async def test_a_later_save_in_another_tab_is_not_overwritten_silently(desk: ReviewDesk, portal: Portal) -> None:
    browser = await portal.signed_in("drafter")
    application_id = await saved(browser, filled())
    await saved(browser, filled(application_id, 1, reason="另一页改写的事由内容"))

    late = filled(application_id, 1, reason="本页改写的事由内容")
    refused = await browser.post("/apply/save", data=late, headers=HURRIED)
    page = await browser.post("/apply", data={**late, "act": "save"})
    kept = desk.the(Draft).typed["reason"]
    overwritten = await browser.post("/apply", data={**late, "act": "overwrite"})

    assert refused.status_code == page.status_code == 409
    assert "已在别处修改" in refused.text
    assert "本页改写的事由内容" in page.text  # nothing typed is lost
    assert kept == "另一页改写的事由内容"
    assert overwritten.status_code == 303
    assert desk.the(Draft).typed["reason"] == "本页改写的事由内容"


@pytest.mark.requirement("R16", "R20")
async def test_a_complete_form_is_read_through_and_handed_in_once(desk: ReviewDesk, portal: Portal) -> None:
    browser = await portal.signed_in("drafter")
    form = filled()

    led = await browser.post("/apply", data={**form, "act": "review"})
    page = await browser.get(led.headers["location"])
    version = value_of(page.text, "version")
    answers = [
        await browser.post(f"/applications/{form['applicationId']}/submit", data={"version": version}) for _ in range(2)
    ]

    assert form["reason"] in page.text
    assert [answer.headers["location"] for answer in answers] == [f"/cases/{form['applicationId']}"] * 2
    assert desk.the(Application).number == "SQ-2031-000001"
    assert desk.the(Item).asked_start == NOON - timedelta(hours=2)


async def test_a_form_that_was_changed_after_it_was_read_is_not_handed_in(desk: ReviewDesk, portal: Portal) -> None:
    browser = await portal.signed_in("drafter")
    application_id = await saved(browser, filled())
    await saved(browser, filled(application_id, 1, reason="后来改写的申请事由"))

    answer = await browser.post(f"/applications/{application_id}/submit", data={"version": "1"})

    assert answer.status_code == 409
    assert desk.the(Application).submitted_at is None


@pytest.mark.requirement("R22", refuses=True)
@pytest.mark.parametrize(
    ("changes", "sentence", "link"),
    [
        ({"reason": "看看"}, "事由不够具体", "#f-reason"),
        ({"custodianId": ""}, "请指定录像保管人", "#f-custodianId"),
        ({"items__0__cameraId": ""}, "请选择摄像头", "#items-0"),
        ({"items__0__end": "2031-03-04T09:00:00"}, "结束时间必须晚于开始时间", "#f-items-0-end"),
        ({"requestedUseDays": "many"}, "请填写使用天数", "#f-requestedUseDays"),
        ({"items__0__start": "gestern"}, "看不懂这个时间", "#f-items-0-start"),
    ],
)
async def test_what_is_missing_is_said_with_a_link_to_it_and_is_not_handed_in(
    desk: ReviewDesk, portal: Portal, changes: dict[str, Any], sentence: str, link: str
) -> None:
    browser = await portal.signed_in("drafter")
    form = filled(**changes)

    answer = await browser.post("/apply/save", data=form, headers=HURRIED)
    submitted = await browser.post(f"/applications/{form['applicationId']}/submit", data={"version": "1"})

    assert sentence in answer.text
    assert f'href="{link}"' in answer.text
    assert submitted.status_code == 422
    assert desk.the(Application).submitted_at is None


@pytest.mark.requirement("R20", refuses=True)
@pytest.mark.parametrize(
    ("start", "which", "sentence"),
    [
        ("2030-03-31T02:30:00", "", "不存在"),
        ("2030-10-27T02:30:00", "", "出现过两次"),
        ("2030-10-27T02:30:00", "first", None),
        ("2030-10-27T02:30:00", "second", None),
    ],
)
async def test_times_that_the_clock_showed_twice_or_never_are_asked_about(
    desk: ReviewDesk, portal: Portal, start: str, which: str, sentence: str | None
) -> None:
    browser = await portal.signed_in("drafter")
    end = start.replace("T02", "T04")
    form = filled(items__0__cameraId="berlin", items__0__start=start, items__0__startWhich=which, items__0__end=end)

    answer = await browser.post("/apply/save", data=form, headers=HURRIED)

    if sentence:
        assert sentence in answer.text
        assert desk.all(Item) == []
    else:
        hours = 3 if which == "first" else 2
        item = desk.the(Item)
        assert item.asked_end - item.asked_start == timedelta(hours=hours)


@pytest.mark.requirement("R57", refuses=True)
async def test_nobody_elses_draft_is_there_for_anybody(desk: ReviewDesk, portal: Portal) -> None:
    application_id = await saved(await portal.signed_in("drafter"), filled())

    for other in ("keeper", "head", "reviewer", "supervisor", "admin"):
        browser = await portal.signed_in(other)
        page = f"/applications/{application_id}"
        answers = [
            await browser.get(f"{page}/edit"),
            await browser.get(f"{page}/summary"),
            await browser.get(f"{page}/withdraw"),
            await browser.get(f"/apply?from={application_id}"),
            await browser.get(f"/api/applications/{application_id}/form"),
            await browser.post(f"{page}/submit", data={"version": "1"}),
            await browser.post(f"{page}/delete"),
            await browser.post(f"{page}/withdraw", data={"reason": "x"}),
            await browser.post("/apply", data=filled(application_id, 1)),
            await browser.post("/apply/save", data=filled(application_id, 1), headers=HURRIED),
            await browser.post(f"/api/applications/{application_id}/copy", json={}),
            await browser.delete(f"/api/applications/{application_id}"),
        ]
        assert [answer.status_code for answer in answers] == [404] * len(answers), other
        assert application_id not in (await browser.get("/applications")).text
    assert desk.the(Draft).version == 1


@pytest.mark.parametrize("token", ["", "0" * 64])
async def test_no_act_is_done_without_its_token(desk: ReviewDesk, portal: Portal, token: str) -> None:
    browser = await portal.signed_in("drafter")
    application_id = await saved(browser, filled())
    browser.headers["X-CSRF-Token"] = token

    for path in ("/apply", "/apply/save", *(f"/applications/{application_id}/{act}" for act in ("submit", "delete"))):
        assert (await browser.post(path, data=filled(application_id, 1))).status_code == 403
    assert desk.the(Draft).version == 1


@pytest.mark.requirement("R52", refuses=True)
async def test_no_text_becomes_markup(desk: ReviewDesk, portal: Portal) -> None:
    browser = await portal.signed_in("drafter")
    attack = "\"'><script>alert(1)</script>{{7*7}}"
    texts = dict.fromkeys(("reason", "purpose", "placeOfUse", "incidentReference", "urgentBecause"), attack)
    form = filled(**texts, cameraSearch=attack, items__0__start=attack, act="pick-0")

    shown = [await browser.post("/apply", data=form, headers=HURRIED)]
    page = f"/applications/{form['applicationId']}"
    for path in (f"{page}/edit", f"{page}/summary", "/applications", f"/applications?search={attack}"):
        shown.append(await browser.get(path))
    shown.append(await browser.get("/apply/cameras", params={"cameraSearch": attack}))
    shown.append(await browser.get("/apply/people", params={"recipientIdsSearch": attack}))
    shown.append(await browser.get("/apply/coverage", params={"items-0-start": attack, "items-0-cameraId": "camera"}))

    for answer in shown:
        assert answer.status_code == 200
        assert "<script>alert" not in answer.text
        assert "{{7*7}}" in answer.text or "alert" not in answer.text


async def test_a_refused_form_keeps_every_value(portal: Portal) -> None:
    browser = await portal.signed_in("drafter")
    form = filled(reason="坏\x07字符的事由", incidentReference="AB-1", urgentBecause="马上被覆盖", act="save")

    answer = await browser.post("/apply", data=form)

    assert answer.status_code == 422
    for text in ("AB-1", "马上被覆盖", form["purpose"], form["placeOfUse"], "2031-03-04T10:00:00"):
        assert text in answer.text


async def test_the_buttons_of_the_items_work_without_javascript(portal: Portal) -> None:
    browser = await portal.signed_in("drafter")
    form = filled()
    edit = f"/applications/{form['applicationId']}/edit"

    added = await browser.post("/apply", data={**form, "act": "add"})
    second = {"items-1-cameraId": "", "items-1-start": form["items-0-start"], "items-1-end": form["items-0-end"]}
    chosen = await browser.post("/apply", data={**form, **second, "version": "1", "act": "camera-1-berlin"})
    page = (await browser.get(edit)).text
    removed = await browser.post(
        "/apply", data={**form, **second, "items-1-cameraId": "berlin", "version": "2", "act": "remove-0"}
    )

    assert added.headers["location"] == f"{edit}?pick=1#items-1"
    assert chosen.status_code == removed.status_code == 303
    assert value_of(page, "items-1-cameraId") == "berlin"
    assert value_of((await browser.get(edit)).text, "items-0-cameraId") == "berlin"


async def test_twenty_items_are_taken_and_one_more_is_refused_with_all_that_was_typed(
    desk: ReviewDesk, portal: Portal
) -> None:
    browser = await portal.signed_in("drafter")
    items = {}
    for index in range(21):
        items |= {
            f"items-{index}-cameraId": "camera",
            f"items-{index}-start": f"2031-03-04T0{index // 10}:{index % 10 * 5:02}:00",
            f"items-{index}-end": f"2031-03-04T0{index // 10}:{index % 10 * 5 + 5:02}:00".replace(":50:", ":50:"),
        }
    twenty = {name: value for name, value in items.items() if not name.startswith("items-20-")}
    form = {**filled(), **twenty}

    await saved(browser, form)
    refused = await browser.post("/apply", data={**form, **items, "version": "1", "act": "save"})

    assert len(desk.all(Item)) == 20
    assert refused.status_code == 422
    assert "最多 20 项" in refused.text
    assert value_of(refused.text, "items-20-start") == "2031-03-04T02:00:00"


@pytest.mark.requirement("R20")
async def test_the_bar_says_what_the_recorder_has_and_until_when(portal: Portal) -> None:
    browser = await portal.signed_in("drafter")
    form = {name: value for name, value in filled().items() if name.startswith("items-")}

    answer = await browser.get("/apply/coverage", params=form)

    assert "50.0%" in answer.text
    assert 'class="gap"' in answer.text
    assert 'data-until="2031-04-03T10:00:00+00:00"' in answer.text
    assert "20 分钟" in answer.text


@pytest.mark.requirement("R20")
async def test_where_nothing_is_recorded_the_nearest_footage_is_said(portal: Portal, recorder: Folder) -> None:
    browser = await portal.signed_in("drafter")
    form = {name: value for name, value in filled().items() if name.startswith("items-")}
    asked = Span(datetime(2031, 3, 4, 10, tzinfo=UTC), datetime(2031, 3, 4, 10, 20, tzinfo=UTC))
    address = f"/api/coverage?cameraId=camera&start={asked.start:%FT%TZ}&end={asked.end:%FT%TZ}"

    def at(hours: float, minutes: float = 10) -> Span:
        start = asked.start + timedelta(hours=hours)
        return Span(start, start + timedelta(minutes=minutes))

    far = [at(-49), at(-25), at(26)]
    # two files that follow one another are one recording; of what is farther than a day nothing is said
    recorder.holds = [*far, at(-3), at(-1), Span(at(-1).end + timedelta(seconds=1), at(-1).end + timedelta(minutes=5))]
    before = Span(at(-1).start, at(-1).end + timedelta(minutes=5))
    page, answer = (await browser.get("/apply/coverage", params=form)).text, (await browser.get(address)).json()
    assert len(recorder.asked) == 4  # each of the two asks once more, and no further
    assert set(recorder.asked) == {asked, asked.widen(timedelta(days=1))}
    assert "录像机上没有此时间段的录像" in page
    assert f'最近的录像： 之前 <time datetime="{before.start.isoformat()}">' in page
    assert f'<time datetime="{before.end.isoformat()}">' in page
    assert "之后" not in page
    assert (answer["nearestAfter"], answer["share"]) == (None, 0)
    assert datetime.fromisoformat(answer["nearestBefore"]["start"]) == before.start

    recorder.holds = [*far, at(5)]
    page, answer = (await browser.get("/apply/coverage", params=form)).text, (await browser.get(address)).json()
    assert f'最近的录像： 之后 <time datetime="{at(5).start.isoformat()}">' in page
    assert (answer["nearestBefore"], answer["nearestAfter"]["end"][:16]) == (None, f"{at(5).end:%FT%H:%M}")

    recorder.unread = ["cam1_20310304100000.dav"]
    page, answer = (await browser.get("/apply/coverage", params=form)).text, (await browser.get(address)).json()
    assert answer["unread"] == ["cam1_20310304100000.dav"]
    assert "该时段有文件，但无法读取：cam1_20310304100000.dav。" in page
    assert "录像机上没有此时间段的录像" not in page

    recorder.holds, recorder.unread = far, []
    assert "前后一天内也没有录像" in (await browser.get("/apply/coverage", params=form)).text

    recorder.asked.clear()
    recorder.holds = [at(0, 1)]
    assert "最近的录像" not in (await browser.get("/apply/coverage", params=form)).text
    assert recorder.asked == [asked]


@pytest.mark.parametrize("mode", ["away", "hangs"])
async def test_a_recorder_that_does_not_answer_is_said_and_holds_nothing_up(
    portal: Portal, recorder: Folder, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setattr(recorder_coverage, "TIMEOUT", 0.01)
    recorder.mode = mode
    browser = await portal.signed_in("drafter")
    form = filled()

    shown = [await browser.get("/apply/coverage", params=form) for _ in range(4)]
    await saved(browser, form)
    handed_in = await browser.post(f"/applications/{form['applicationId']}/submit", data={"version": "1"})
    through_api = await browser.get("/api/coverage?cameraId=camera&start=2031-03-04T10:00:00Z&end=2031-03-04T10:20:00Z")

    assert all("录像机暂时没有响应" in answer.text for answer in shown)
    assert handed_in.status_code == 303
    assert through_api.status_code == 503


@pytest.mark.requirement("R22")
async def test_a_correction_shows_who_criticised_what_and_counts_only_when_it_is_handed_in(
    desk: ReviewDesk, portal: Portal
) -> None:
    application_id = desk.submitted(way_of_use="view")
    review = desk.opened(application_id, "preliminary")
    answers = {"reason-reasonable": False, "content-complete": True, "necessary": True, "narrowest": True}
    desk.decide(review, "head", "returned", answers=answers, reason="事由请写得更具体")
    browser = await portal.signed_in("drafter")
    edit = f"/applications/{application_id}/edit"

    page = (await browser.get(edit)).text
    await saved(browser, filled(application_id, 0, reason="更正后的具体事由：三号门夜间失窃"))
    before = desk.the(Application).reason
    typed_again = (await browser.get(edit)).text
    done = await browser.post(f"/applications/{application_id}/submit", data={"version": "1"})

    assert "事由请写得更具体" in page
    assert "申请事由是否合理" in page
    assert before != "更正后的具体事由：三号门夜间失窃"
    assert "更正后的具体事由：三号门夜间失窃" in typed_again
    assert done.status_code == 303
    application = desk.the(Application)
    assert (application.reason, application.round) == ("更正后的具体事由：三号门夜间失窃", 1)
    assert (await browser.get(edit)).status_code == 409


async def test_an_earlier_application_is_copied_and_an_appeal_names_it(desk: ReviewDesk, portal: Portal) -> None:
    earlier = desk.submitted()
    browser = await portal.signed_in("drafter")

    copied = await browser.get(f"/apply?from={earlier}")
    appeal = await browser.get(f"/apply?from={earlier}&appeal=true")
    await saved(browser, filled(previousId=earlier))

    assert "三号门货物丢失，需要确认经过" in copied.text
    assert value_of(copied.text, "items-0-start") == "2031-03-04T10:00:00"
    assert 'name="previousId"' not in copied.text
    assert "SQ-2031-000001" in appeal.text
    assert [row.previous_id for row in desk.all(Application) if row.submitted_at is None] == [earlier]
    assert (await (await portal.signed_in("keeper")).get(f"/apply?from={earlier}")).status_code == 404
    assert (await (await portal.signed_in("head")).get(f"/apply?from={earlier}")).status_code == 200


async def test_a_draft_is_deleted_and_a_submitted_application_is_not(desk: ReviewDesk, portal: Portal) -> None:
    browser = await portal.signed_in("drafter")
    application_id = await saved(browser, filled())
    submitted = desk.submitted()

    gone = await browser.post(f"/applications/{application_id}/delete")
    stays = await browser.post(f"/applications/{submitted}/delete")

    assert gone.headers["location"] == "/applications"
    assert stays.status_code == 409
    assert [row.id for row in desk.all(Application)] == [submitted]


async def test_a_withdrawal_needs_a_reason(desk: ReviewDesk, portal: Portal) -> None:
    application_id = desk.submitted()
    browser = await portal.signed_in("drafter")
    path = f"/applications/{application_id}/withdraw"

    empty = await browser.post(path, data={"reason": " "})
    done = await browser.post(path, data={"reason": "已不需要"})

    assert (empty.status_code, done.status_code) == (422, 303)
    assert desk.the(Application).withdrawn_at == NOON


async def test_the_list_invites_shows_what_is_next_and_exports_what_no_spreadsheet_runs(
    desk: ReviewDesk, portal: Portal
) -> None:
    browser = await portal.signed_in("drafter")
    empty = (await browser.get("/applications")).text
    await saved(browser, filled(reason="=HYPERLINK(1) 这里是事由内容"))
    desk.submitted(reason="第二份申请的事由内容")

    page = (await browser.get("/applications")).text
    narrowed = (await browser.get("/applications?search=第二份&state=open")).text
    nothing = (await browser.get("/applications?search=没有")).text
    csv = await browser.get("/applications.csv")

    assert 'href="/apply"' in empty
    assert "两分钟" in empty
    assert "继续填写并提交" in page
    assert "SQ-2031-000001" in narrowed
    assert "HYPERLINK" not in narrowed
    assert "没有符合条件的申请" in nothing
    assert csv.headers["content-type"].startswith("text/csv")
    assert "'=HYPERLINK" in csv.text


async def test_the_list_has_pages(desk: ReviewDesk, portal: Portal) -> None:
    browser = await portal.signed_in("drafter")
    for number in range(21):
        desk.submitted(reason=f"第 {number} 份申请的事由内容")

    first = (await browser.get("/applications")).text
    second = (await browser.get(following(first))).text

    assert (first.count("SQ-2031-"), second.count("SQ-2031-")) == (20, 1)
    assert 'rel="prev"' in second
    assert 'rel="next"' not in second


async def test_the_last_page_that_is_full_has_no_next_one(desk: ReviewDesk, portal: Portal) -> None:
    browser = await portal.signed_in("drafter")
    for _ in range(20):
        desk.submitted()

    assert 'class="pager"' not in (await browser.get("/applications")).text


def following(page: str) -> str:
    """The address of the next page."""
    found = re.search(r'rel="next" href="([^"]+)"', page)
    assert found is not None
    return html.unescape(found[1])


@pytest.mark.requirement("R17")
async def test_joint_departments_are_asked_when_it_is_handed_in(desk: ReviewDesk, portal: Portal) -> None:
    browser = await portal.signed_in("drafter")
    form = filled(jointDepartmentIds=["office"])
    await saved(browser, form)

    answer = await browser.post(f"/applications/{form['applicationId']}/submit", data={"version": "1"})
    page = (await browser.get("/applications")).text
    form_again = (await browser.get(f"/applications/{form['applicationId']}/edit")).text

    assert answer.headers["location"] == "/applications"
    assert "如修改申请，须重新征求" in form_again
    assert desk.the(Application).submitted_at is None
    assert "正在征求联合部门同意" in page


@pytest.mark.requirement("R17")
async def test_a_corrected_joint_application_says_that_the_departments_are_asked(
    desk: ReviewDesk, portal: Portal
) -> None:
    application_id = desk.submitted()
    desk.decide(desk.opened(application_id, "preliminary"), "head", "returned", reason="请列明联合部门")
    browser = await portal.signed_in("drafter")
    page = f"/cases/{application_id}"
    assert "补正申请" in (await browser.get(page)).text
    form = filled(applicationId=application_id, version="0", jointDepartmentIds=["office"])
    await saved(browser, form)

    answer = await browser.post(f"/applications/{application_id}/submit", data={"version": "1"})
    told = (await browser.get(answer.headers["location"])).text

    assert desk.the(Application).correction_until is not None
    assert "联合部门" in told
    for shown in (told, (await browser.get(page)).text):
        assert "由部门负责人初审" not in shown
        assert "补正申请" not in shown
        assert ">补正<" not in shown
    assert "正在征求联合部门同意" in (await browser.get(page)).text
    assert (await browser.get(f"/api/cases/{application_id}")).json()["nextActs"] == []
    assert (await browser.get(f"/applications/{application_id}/edit")).text.count("如修改申请，须重新征求") == 2


@pytest.mark.requirement("R20")
async def test_preserved_footage_has_no_countdown_for_its_applicant_alone(desk: ReviewDesk, portal: Portal) -> None:
    application_id = desk.submitted()
    asked = Span(NOON - timedelta(hours=3), NOON)
    item = desk.the(Item)

    def keep(uow: UnitOfWork) -> None:
        attempt = attempts.start(uow, "quarantine", application_id=application_id, item_id=item.id, job_key=1)
        uow.session.flush()
        preservations.create(uow, attempt.id, "v1", asked, {"outcome": "complete", "versionId": "v1"})

    desk.run(keep)
    form = {name: value for name, value in filled().items() if name.startswith("items-")}

    shown = [
        (
            await (await portal.signed_in(who)).get("/apply/coverage", params={**form, "application": application_id})
        ).text
        for who in ("drafter", "keeper")
    ]

    assert "已预先保全" in shown[0]
    assert "data-until" not in shown[0]
    assert "已预先保全" not in shown[1]


@pytest.mark.requirement("R8", "R9", refuses=True)
async def test_a_file_that_was_brought_is_added_whole_and_is_nobody_elses(desk: ReviewDesk, portal: Portal) -> None:
    def bring(uow: UnitOfWork) -> str:
        facts = Facts("meeting", "安全例会", "", "会议室", "王芳", "", "Asia/Shanghai", NOON - HOUR, "会议纪要")
        upload = uploads.announce(uow, facts, None)
        asked = [(NOON - HOUR).isoformat(), (NOON - HOUR / 2).isoformat()]
        sealed = {"coverage": {"asked": asked, "covered": [asked], "gaps": []}, "outcome": "complete"}
        measured = Measured("a" * 64, 9, HOUR / 2, ("h264",), None, sealed)
        uow.session.flush()
        assert uploads.finish(uow, upload.id, measured, lambda sealed, _start: sealed)
        return upload.id

    upload_id = desk.run(bring, by="drafter")
    browser, other = await portal.signed_in("drafter"), await portal.signed_in("keeper")
    form = filled(items__0__cameraId="", items__0__start="", items__0__end="", act=f"file--{upload_id}")

    offered = (await browser.get("/apply")).text
    added = await browser.post("/apply", data=form)
    page = (await browser.get(added.headers["location"])).text
    done = await browser.post(f"/applications/{form['applicationId']}/submit", data={"version": "1"})
    others = await other.post("/apply", data=filled(items__0__cameraId=upload_id, act="save"), headers=HURRIED)

    assert "安全例会" in offered
    assert value_of(page, "items-0-start") == "2031-03-04T19:00:00"
    assert value_of(page, "items-0-end") == "2031-03-04T19:30:00"
    assert done.status_code == 303
    assert desk.the(Item, camera_id=upload_id).asked_end == NOON - HOUR / 2
    assert "请选择摄像头" in others.text
    assert "安全例会" not in others.text


@pytest.mark.parametrize(
    "changes",
    [
        {"custodianId": "nobody"},
        {"placeOfUse": "地" * 4001},
        {"wayOfUse": "publish"},
        {"subjectIds": ["nobody"]},
        {"recipientIds": ["nobody"]},
        {"sensitivities": ["nothing"]},
        {"jointDepartmentIds": ["works"]},
    ],
)
async def test_what_no_list_offers_is_refused_with_a_sentence_and_keeps_the_rest(
    desk: ReviewDesk, portal: Portal, changes: dict[str, Any]
) -> None:
    browser = await portal.signed_in("drafter")
    form = filled(**changes)

    by_itself = await browser.post("/apply/save", data=form, headers=HURRIED)
    by_button = await browser.post("/apply", data={**form, "act": "save"})

    assert by_itself.status_code == by_button.status_code == 422
    assert form["reason"] in by_button.text
    assert "callout refused" in by_itself.text
    assert desk.all(Application) == []
