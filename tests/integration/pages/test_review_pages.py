"""The page of a review: what reviewers read, what they sign, what they are refused, and what stays when they are."""

import html
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from portal_client import Portal
from review_desk import FORM, PASSWORD, ReviewDesk
from review_pages import HOSTILE, Lens, decision, text_of

from services.database.tables.applications import Application, Item
from services.database.tables.cameras import Camera, Recorder
from services.database.tables.reviews import Decision, Review
from services.domain.applications import security_check
from services.runtime.spans import Span


@pytest.fixture
def lens() -> Lens:
    return Lens()


@pytest.fixture
async def portal(desk: ReviewDesk, lens: Lens) -> AsyncIterator[Portal]:
    async with Portal(desk, recorders=lambda _kind, _configuration: lens) as opened:
        yield opened


@pytest.mark.requirement("R3", "R22", "R25")
async def test_a_review_shows_the_form_its_hash_and_what_was_decided_before(desk: ReviewDesk, portal: Portal) -> None:
    application_id = desk.submitted()
    desk.decide(desk.opened(application_id, "preliminary"), "head", reason="事由充分")
    review_id = desk.opened(application_id, "security")
    reviewer = await portal.signed_in("reviewer")

    page = await reviewer.get(f"/reviews/{review_id}")
    english = await reviewer.get(f"/reviews/{review_id}", cookies={"footage_desk_language": "en"})

    shown = text_of(page)
    for wanted in (FORM.reason, FORM.purpose, "安全保卫部办公室", "事由充分", "部门初审", desk.form_sha256(review_id)):
        assert wanted in shown
    assert "Does it meet the rules and have a legal basis?" in text_of(english)
    # Enter in a field presses the form's first button: that one is off
    first = re.search(r"<form[^>]*decide[^>]*>.*?<button([^>]*)>", page.text, re.DOTALL)
    assert first is not None
    assert "disabled" in first.group(1)


@pytest.mark.requirement("R52", refuses=True)
@pytest.mark.parametrize("language", ["zh", "en"])
async def test_what_people_write_is_shown_as_they_wrote_it_and_never_run(
    desk: ReviewDesk, portal: Portal, language: str
) -> None:
    free = ("reason", "purpose", "place_of_use", "incident_reference", "urgent_because")
    application_id = desk.submitted(**dict.fromkeys(free, HOSTILE))
    review_id = desk.opened(application_id, "preliminary")
    browser = await portal.signed_in("head")
    browser.cookies.set("footage_desk_language", language)
    desk.run(lambda uow: setattr(uow.session.get_one(Camera, "camera"), "name_zh", HOSTILE))
    desk.run(lambda uow: setattr(uow.session.get_one(Camera, "camera"), "name_en", HOSTILE))
    refused = {**decision(desk, review_id, "rejected"), "password": "wrong", "reason": HOSTILE}

    pages = [
        await browser.get(f"/reviews/{review_id}"),
        await browser.post(f"/reviews/{review_id}/decide", data=refused),
        await browser.get(f"/reviews/{review_id}/coverage"),
        await browser.get(f"/inbox?search={HOSTILE}"),
    ]
    desk.decide(review_id, "head", reason=HOSTILE)
    reviewer = await portal.signed_in("reviewer")
    pages.append(await reviewer.get(f"/reviews/{desk.opened(application_id, 'security')}"))

    for page in pages:
        assert "<script>alert" not in page.text
        assert "<img src=x" not in page.text
        assert "&lt;script&gt;alert(1)" in page.text or "inbox" in str(page.url)
        assert "script-src 'self'" in page.headers["Content-Security-Policy"] or (
            "default-src 'self'" in page.headers["Content-Security-Policy"]
        )


@pytest.mark.parametrize(("days", "sentence"), [("七", "标出的一项须为整数"), ("9999", "标出的一项不能大于")])
async def test_a_field_that_cannot_be_read_is_marked_and_not_called_by_its_name(
    desk: ReviewDesk, portal: Portal, days: str, sentence: str
) -> None:
    application_id = desk.submitted()
    desk.decide(desk.opened(application_id, "preliminary"), "head")
    review_id = desk.opened(application_id, "security")
    reviewer = await portal.signed_in("reviewer")

    refused = await reviewer.post(
        f"/reviews/{review_id}/decide", data=decision(desk, review_id, "approved", usePeriodDays=days)
    )

    assert refused.status_code == 422
    assert sentence in text_of(refused).replace(" ", "")
    assert "usePeriodDays" not in text_of(refused)
    assert re.search(r'name="usePeriodDays"[^>]*aria-invalid="true"', refused.text)


@pytest.mark.requirement("R24", refuses=True)
async def test_what_was_typed_stays_when_a_decision_is_refused(desk: ReviewDesk, portal: Portal) -> None:
    application_id = desk.submitted()
    desk.decide(desk.opened(application_id, "preliminary"), "head")
    review_id = desk.opened(application_id, "security")
    reviewer = await portal.signed_in("reviewer")
    typed = decision(
        desk, review_id, "approved", reason="很长的理由", importantInformation="true", usePeriodDays="7",
        wayOfUse="download", password="wrong",
        **{"answers-necessary": "false", "scope-0-shown": "1", "scope-0-granted": "true",
           "scope-0-start": "2031-03-04T18:10:00", "scope-0-end": "2031-03-04T18:40:00"},
    )  # fmt: skip

    refused = await reviewer.post(f"/reviews/{review_id}/decide", data=typed)

    assert refused.status_code == 422
    assert "回答“否”时不能通过" in text_of(refused)
    assert "很长的理由" in refused.text
    assert re.search(r'name="answers-necessary" value="false" checked', refused.text)
    assert re.search(r'name="importantInformation"[^>]*checked', refused.text)
    for kept in ("2031-03-04T18:10:00", "2031-03-04T18:40:00", 'value="7"'):
        assert kept in refused.text
    assert re.search(r'name="wayOfUse" value="download" checked', refused.text)
    assert PASSWORD not in refused.text

    wrong = await reviewer.post(f"/reviews/{review_id}/decide", data={**typed, "answers-necessary": "true"})
    assert (wrong.status_code, desk.all(Decision, stage="security")) == (403, [])
    assert "密码不正确" in text_of(wrong)
    assert 'aria-invalid="true"' in wrong.text
    assert f'name="back" value="/reviews/{review_id}"' in wrong.text  # the switch of the language leads to a page


@pytest.mark.requirement("R25", refuses=True)
async def test_a_form_that_changed_after_it_was_shown_is_shown_anew(desk: ReviewDesk, portal: Portal) -> None:
    application_id = desk.submitted()
    review_id = desk.opened(application_id, "preliminary")
    head = await portal.signed_in("head")
    typed = {**decision(desk, review_id, "returned"), "formSha256": "a" * 64, "reason": "请补充地点"}

    refused = await head.post(f"/reviews/{review_id}/decide", data=typed)

    assert refused.status_code == 409
    assert "申请表已更新，请重新阅读后再签字。" in text_of(refused)
    assert f'name="formSha256" value="{desk.form_sha256(review_id)}"' in refused.text
    assert "请补充地点" in refused.text


async def test_a_second_decision_is_refused_with_a_sentence(desk: ReviewDesk, portal: Portal) -> None:
    review_id = desk.opened(desk.submitted(), "preliminary")
    head = await portal.signed_in("head")
    typed = decision(desk, review_id, "approved")

    first = await head.post(f"/reviews/{review_id}/decide", data=typed)
    second = await head.post(f"/reviews/{review_id}/decide", data={**typed, "outcome": "rejected", "reason": "x"})

    assert (first.status_code, second.status_code) == (303, 409)
    assert "此项审核已经结束" in text_of(second)
    assert desk.the(Decision).outcome == "approved"


async def test_after_a_decision_the_next_review_comes_with_a_sentence_on_the_last(
    desk: ReviewDesk, portal: Portal
) -> None:
    first, following = (desk.opened(desk.submitted(), "preliminary") for _ in range(2))
    head = await portal.signed_in("head")

    on = await head.post(f"/reviews/{first}/decide", data=decision(desk, first, "approved"))
    assert (on.status_code, on.headers["location"]) == (303, f"/reviews/{following}")
    assert "已办理，结论：同意" in text_of(await head.get(on.headers["location"]))
    done = await head.post(
        f"/reviews/{following}/decide", data=decision(desk, following, "returned", reason="请补充地点")
    )
    assert done.headers["location"] == "/inbox"
    assert "没有其他待办" in text_of(await head.get("/inbox"))


@pytest.mark.requirement("R4", "R49", "R50")
async def test_security_narrows_one_item_and_leaves_another_out(desk: ReviewDesk, portal: Portal) -> None:
    asked = FORM.items[0]
    application_id = desk.submitted(items=(asked, replace(asked, start=asked.start + timedelta(minutes=5))))
    desk.decide(desk.opened(application_id, "preliminary"), "head")
    review_id = desk.opened(application_id, "security")
    reviewer = await portal.signed_in("reviewer")
    fields = {
        "scope-0-shown": "1", "scope-0-granted": "true",  # in Asia/Shanghai, as the item was typed
        "scope-0-start": "2031-03-04T18:10", "scope-0-end": "2031-03-04T18:40:00",
        "scope-1-shown": "1", "scope-1-start": "2031-03-04T18:05:00", "scope-1-end": "2031-03-04T19:00:00",
    }  # fmt: skip

    typed = decision(desk, review_id, "approved", usePeriodDays="7", wayOfUse="download", **fields)
    done = await reviewer.post(f"/reviews/{review_id}/decide", data=typed)

    assert done.status_code == 303, text_of(done)
    first, second = sorted(desk.all(Item), key=lambda item: item.position)
    assert (first.granted_start, first.granted_end) == (
        asked.start + timedelta(minutes=10),
        asked.start + timedelta(minutes=40),
    )
    assert (first.dropped_in_round, second.dropped_in_round) == (None, 0)
    application = desk.the(Application)
    assert (application.granted_use_days, application.granted_way_of_use) == (7, "download")
    assert len(desk.the(Decision, stage="security").signature["statement"]["granted"]) == 1


@pytest.mark.requirement("R4", "R24")
async def test_who_signs_after_security_reads_what_was_asked_beside_what_is_granted(
    desk: ReviewDesk, portal: Portal
) -> None:
    asked = FORM.items[0]
    items = (asked, replace(asked, start=asked.start + timedelta(minutes=5)))
    application_id = desk.submitted(items=items)
    desk.decide(desk.opened(application_id, "preliminary"), "head")
    review_id = desk.opened(application_id, "security")
    reviewer, signer = await portal.signed_in("reviewer"), await portal.signed_in("security-head")

    page = (await reviewer.get(f"/reviews/{review_id}")).text
    # nothing narrows by itself: what was asked for is chosen, and less is a choice
    assert re.findall(r'name="wayOfUse" value="(\w+)"( checked)?', page) == [("download", " checked"), ("view", "")]
    assert "申请内容与批准内容" not in text_of(await reviewer.get(f"/reviews/{review_id}"))
    fields = {
        "scope-0-shown": "1", "scope-0-granted": "true",
        "scope-0-start": "2031-03-04T18:10:00", "scope-0-end": "2031-03-04T18:40:00", "scope-1-shown": "1",
        "usePeriodDays": "7", "wayOfUse": "view",
    }  # fmt: skip
    await reviewer.post(f"/reviews/{review_id}/decide", data=decision(desk, review_id, "approved", **fields))
    later = text_of(await signer.get(f"/reviews/{desk.opened(application_id, 'security-signature')}"))

    for sentence in (
        "申请的是下载，只批准查看。", "使用期限批准 7 天，申请的是 20 天。", "第 2 项未批准。",
        "第 1 项申请 1 小时，批准 30 分钟。",
    ):  # fmt: skip
        assert sentence in later
    assert "按申请内容批准" not in later


@pytest.mark.requirement("R4")
async def test_what_is_granted_as_it_was_asked_for_is_said_so(desk: ReviewDesk, portal: Portal) -> None:
    application_id = desk.submitted()
    desk.decide(desk.opened(application_id, "preliminary"), "head")
    review_id = desk.opened(application_id, "security")
    reviewer, signer = await portal.signed_in("reviewer"), await portal.signed_in("security-head")
    item = {"scope-0-shown": "1", "scope-0-granted": "true"}
    typed = decision(desk, review_id, "approved", wayOfUse="download", usePeriodDays="20", **item)
    assert (await reviewer.post(f"/reviews/{review_id}/decide", data=typed)).status_code == 303

    later = text_of(await signer.get(f"/reviews/{desk.opened(application_id, 'security-signature')}"))

    assert "安全审核按申请内容批准。" in later
    assert "少于申请" not in later


@pytest.mark.requirement("R4", refuses=True)
@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"scope-0-start": "2031-03-04T17:00:00", "scope-0-end": "2031-03-04T18:40:00"}, "scope"),
        ({"scope-0-start": "soon", "scope-0-end": "2031-03-04T18:40:00"}, "scope-0-start"),
        ({"usePeriodDays": "31"}, "usePeriodDays"),
    ],
)
async def test_nothing_wider_than_was_asked_for_is_granted(
    desk: ReviewDesk, portal: Portal, fields: dict[str, str], field: str
) -> None:
    application_id = desk.submitted()
    desk.decide(desk.opened(application_id, "preliminary"), "head")
    review_id = desk.opened(application_id, "security")
    reviewer = await portal.signed_in("reviewer")

    granted = {"scope-0-shown": "1", "scope-0-granted": "true"}
    typed = decision(desk, review_id, "approved", **granted, **fields)
    refused = await reviewer.post(f"/reviews/{review_id}/decide", data=typed)
    nothing = await reviewer.post(
        f"/reviews/{review_id}/decide", data=decision(desk, review_id, "approved", **{"scope-0-shown": "1"})
    )

    assert refused.status_code == 422
    assert 'role="alert"' in refused.text
    if field != "scope":
        assert re.search(rf'name="{field}"[^>]*aria-invalid="true"', refused.text)
    assert "至少要批准一项" in text_of(nothing)
    assert desk.all(Decision, stage="security") == []


@pytest.mark.requirement("R52", refuses=True)
async def test_without_its_token_nothing_is_decided(desk: ReviewDesk, portal: Portal) -> None:
    review_id = desk.opened(desk.submitted(), "preliminary")
    head = await portal.signed_in("head")
    token = head.headers.pop("X-CSRF-Token")

    for act in ("claim", "unclaim", "decide", "confirm"):
        for given in ({}, {"csrf_token": "a" * 64}):
            answer = await head.post(
                f"/reviews/{review_id}/{act}", data={**decision(desk, review_id, "approved"), **given}
            )
            assert answer.status_code == 403, act
    assert desk.all(Decision) == []
    with_token = {**decision(desk, review_id, "approved"), "csrf_token": token}
    assert (await head.post(f"/reviews/{review_id}/decide", data=with_token)).status_code == 303


@pytest.mark.requirement("R22", refuses=True)
async def test_the_page_sends_a_form_back_without_answers_and_its_drafter_reads_the_reason(
    desk: ReviewDesk, portal: Portal
) -> None:
    application_id = desk.submitted()
    review_id = desk.opened(application_id, "preliminary")
    head, drafter = await portal.signed_in("head"), await portal.signed_in("drafter")
    page = (await head.get(f"/reviews/{review_id}")).text
    typed = {name: text for name, text in decision(desk, review_id, "returned").items() if "answers" not in name}

    # the browser leaves open answers alone for this one button
    buttons = dict(re.findall(r'<button name="outcome" value="(\w+)"([^>]*)>', page))
    assert {code for code, attributes in buttons.items() if "formnovalidate" in attributes} == {"returned"}
    approved = await head.post(f"/reviews/{review_id}/decide", data={**typed, "outcome": "approved"})
    unreasoned = await head.post(f"/reviews/{review_id}/decide", data=typed)
    sent = await head.post(f"/reviews/{review_id}/decide", data={**typed, "reason": "时间段太长"})

    assert (approved.status_code, unreasoned.status_code, sent.status_code) == (422, 422, 303)
    assert "请写明理由" in text_of(unreasoned)
    correction = text_of(await drafter.get(f"/applications/{application_id}/edit"))
    assert "时间段太长" in correction
    assert "回答为否" not in correction


async def test_a_review_is_claimed_and_put_back(desk: ReviewDesk, portal: Portal) -> None:
    application_id = desk.submitted()
    desk.decide(desk.opened(application_id, "preliminary"), "head")
    review_id = desk.opened(application_id, "security")
    reviewer, other = await portal.signed_in("reviewer"), await portal.signed_in("reviewer2")

    assert (await reviewer.post(f"/reviews/{review_id}/claim")).status_code == 303
    assert desk.the(Review, id=review_id).claimed_by == "reviewer"
    assert "reviewer 已领取此项审核" in text_of(await other.get(f"/reviews/{review_id}"))
    taken = await other.post(f"/reviews/{review_id}/claim")
    assert (taken.status_code, "他人已领取" in text_of(taken)) == (409, True)
    assert (await reviewer.post(f"/reviews/{review_id}/unclaim")).status_code == 303
    assert desk.the(Review, id=review_id).claimed_by is None


async def test_a_stranger_finds_no_review(desk: ReviewDesk, portal: Portal) -> None:
    review_id = desk.opened(desk.submitted(), "preliminary")
    stranger = await portal.signed_in("manager")

    for path in ("", "/coverage", "/items/x/preview"):
        assert (await stranger.get(f"/reviews/{review_id}{path}")).status_code == 404
    for act in ("claim", "unclaim", "decide", "confirm"):
        answer = await stranger.post(f"/reviews/{review_id}/{act}", data=decision(desk, review_id, "approved"))
        assert answer.status_code == 404


@pytest.mark.requirement("R24")
async def test_the_applicant_reads_what_the_checks_say_to_the_applicant(desk: ReviewDesk, portal: Portal) -> None:
    asked = FORM.items[0]
    long = replace(asked, start=asked.end - timedelta(hours=9))
    application_id = desk.submitted(legal_basis="consent", items=(long,), subject_ids=("inspector",))
    desk.run(security_check.review, application_id)
    review_id = desk.opened(application_id, "preliminary")
    desk.decide(review_id, "head")
    security_id = desk.opened(application_id, "security")
    internal = ("请核实书面同意", "请明确是否批准下载", "请考虑缩小范围", "安全保卫部门人员")
    meant = ("请备好书面同意", "是否批准下载由安全审核决定", "第 1 项时间段较长：请只申请用途所需的时段")
    drafter, reviewer = await portal.signed_in("drafter"), await portal.signed_in("reviewer")

    own = text_of(await drafter.get(f"/cases/{application_id}"))
    codes = {one["code"] for one in (await drafter.get(f"/api/cases/{application_id}")).json()["findings"]}
    theirs = [text_of(await reviewer.get(page)) for page in (f"/cases/{application_id}", f"/reviews/{security_id}")]

    assert [sentence in own for sentence in meant] == [True] * 3
    assert [sentence in own for sentence in internal] == [False] * 4
    assert not codes & security_check.REVIEWERS_ONLY
    for page in theirs:
        assert [sentence in page for sentence in internal] == [True] * 4
        assert "请备好书面同意" not in page


@pytest.mark.requirement("R34")
async def test_the_second_person_of_a_release_is_named_among_the_earlier_decisions(
    desk: ReviewDesk, portal: Portal
) -> None:
    application_id = desk.submitted()
    desk.approved(application_id)
    desk.classed(application_id, second_person=True)
    review_id = desk.opened(application_id, "storage-release")
    desk.decide(review_id, "operator")
    desk.confirm(review_id, "operator2")
    later = desk.opened(application_id, "partial-footage")
    reviewer = await portal.signed_in("reviewer")

    page = text_of(await reviewer.get(f"/reviews/{later}"))
    earlier = (await reviewer.get(f"/api/reviews/{later}")).json()["earlier"]

    assert "operator2 确认" in page
    assert {decision["stage"]: [one["by"] for one in decision["confirmedBy"]] for decision in earlier} == {
        "preliminary": [], "security": [], "security-signature": [], "storage-release": ["operator2"],
    }  # fmt: skip


async def test_a_recorder_that_is_down_is_told_and_stops_nothing(desk: ReviewDesk, portal: Portal, lens: Lens) -> None:
    review_id = desk.opened(desk.submitted(), "preliminary")
    head = await portal.signed_in("head")

    half = await head.get(f"/reviews/{review_id}/coverage", headers={"HX-Request": "true"})
    told = (await head.get(f"/api/reviews/{review_id}/coverage")).json()
    lens.down = True
    down = await head.get(f"/reviews/{review_id}/coverage")

    assert "现有 50.0 %" in text_of(half)
    assert (told[0]["share"], told[0]["clockOffsetMs"]) == (0.5, 1500)
    assert "录像机时钟快 1.5 秒" in text_of(half)
    assert (down.status_code, "录像机目前无法连接" in text_of(down)) == (200, True)


@pytest.mark.requirement("R20")
async def test_a_reviewer_reads_the_nearest_footage_where_nothing_is_recorded(
    desk: ReviewDesk, portal: Portal, lens: Lens
) -> None:
    review_id = desk.opened(desk.submitted(), "preliminary")
    start, end = FORM.items[0].start, FORM.items[0].end
    hour = timedelta(hours=1)
    lens.holds = [Span(start - 3 * hour, start - 2 * hour), Span(end + 5 * hour, end + 6 * hour)]
    head = await portal.signed_in("head")

    page = text_of(await head.get(f"/reviews/{review_id}/coverage"))
    [item] = (await head.get(f"/api/reviews/{review_id}/coverage")).json()

    assert "没有录像" in page
    assert "最近的录像： 之前 2031-03-04 15:00:00 – 16:00:00 UTC+8 · 之后 2031-03-05 00:00:00 – 01:00:00 UTC+8" in page
    assert [datetime.fromisoformat(item[name]["start"]) for name in ("nearestBefore", "nearestAfter")] == [
        held.start for held in lens.holds
    ]
    lens.unread = ["cam1_20310304190000.dav"]
    page = text_of(await head.get(f"/reviews/{review_id}/coverage"))
    assert "没有可读取的录像" in page
    assert "该时段有文件，但无法读取：cam1_20310304190000.dav。" in page
    lens.holds, lens.unread = None, []
    assert "最近的录像" not in text_of(await head.get(f"/reviews/{review_id}/coverage"))


@pytest.mark.requirement("R34")
async def test_a_reviewer_sees_where_the_clock_leads_the_search_and_when_it_does_not(
    desk: ReviewDesk, portal: Portal
) -> None:
    review_id = desk.opened(desk.submitted(), "preliminary")
    head = await portal.signed_in("head")

    async def look(offset_ms: int | None) -> tuple[str, dict[str, Any]]:
        desk.run(lambda uow: setattr(uow.session.get_one(Recorder, "recorder"), "clock_offset_ms", offset_ms))
        page = text_of(await head.get(f"/reviews/{review_id}/coverage", headers={"HX-Request": "true"}))
        return page, (await head.get(f"/api/reviews/{review_id}/coverage")).json()[0]

    page, told = await look(90_000)
    assert "检索时段（兼顾录像机时间与标准时间）" in page
    start, end = (datetime.fromisoformat(told[name]) for name in ("searchedStart", "searchedEnd"))
    assert start <= datetime.fromisoformat(told["start"])
    assert end >= datetime.fromisoformat(told["end"]) + timedelta(seconds=90)
    assert "现有与缺失按整个检索时段计算" in page
    assert datetime.fromisoformat(told["gaps"][-1]["end"]) == end, "what the search lacks is told before it is decided"

    page, told = await look(-3_600_000)
    assert "录像机时钟偏差过大" in page
    assert "检索时段" not in page
    assert (told["clockTooFar"], told["searchedStart"], told["searchedEnd"]) == (True, told["start"], told["end"])

    page, told = await look(None)
    assert ("检索时段" in page, told["clockTooFar"]) == (False, False)


@pytest.mark.requirement("R34", refuses=True)
async def test_an_operator_looks_at_the_camera_at_chosen_moments_of_the_span(desk: ReviewDesk, portal: Portal) -> None:
    application_id = desk.submitted()
    desk.approved(application_id)
    desk.filed(application_id)
    review_id = desk.opened(application_id, "storage-release")
    item_id = desk.all(Item)[0].id
    operator = await portal.signed_in("operator")
    preview = f"/reviews/{review_id}/items/{item_id}/preview"

    page = await operator.get(f"/reviews/{review_id}")
    last = await operator.get(f"{preview}?moment=last", headers={"HX-Request": "true"})
    chosen = await operator.get(f"{preview}?at=2031-03-04T18:30:00")
    outside = await operator.get(f"{preview}?at=2031-03-04T20:30:00")

    assert "picture?at=2031-03-04T10%3A00%3A00%2B00%3A00" in page.text
    assert "picture?at=2031-03-04T10%3A59%3A59%2B00%3A00" in last.text
    assert "picture?at=2031-03-04T10%3A30%3A00%2B00%3A00" in chosen.text
    assert outside.status_code == 422
    address = re.search(r'src="(/api/[^"]+)"', chosen.text)
    assert address is not None
    picture = await operator.get(html.unescape(address.group(1)))
    assert picture.headers["content-type"] == "image/jpeg"


@pytest.mark.requirement("R34", refuses=True)
async def test_a_second_person_confirms_a_release_or_disagrees(desk: ReviewDesk, portal: Portal) -> None:
    application_id = desk.submitted()
    desk.approved(application_id)
    desk.filed(application_id)
    desk.classed(application_id, second_person=True)
    review_id = desk.opened(application_id, "storage-release")
    operator, second = await portal.signed_in("operator"), await portal.signed_in("operator2")

    released = await operator.post(f"/reviews/{review_id}/decide", data=decision(desk, review_id, "approved"))
    assert "等待第二人复核" in text_of(await operator.get(released.headers["location"]))
    page = await second.get(f"/reviews/{review_id}")
    assert "operator 的结论" in text_of(page)
    assert "待复核" in text_of(await second.get("/inbox"))
    assert "您是本案的存储操作员" in text_of(await operator.get(f"/reviews/{review_id}"))

    signed = {"formSha256": desk.form_sha256(review_id), "password": PASSWORD}
    silent = await second.post(f"/reviews/{review_id}/confirm", data={**signed, "agrees": "false"})
    assert (silent.status_code, "请写明不同意的理由" in text_of(silent)) == (422, True)
    agreed = await second.post(f"/reviews/{review_id}/confirm", data={**signed, "agrees": "true"})
    assert agreed.status_code == 303
    assert desk.the(Decision, stage="storage-release").decided_by == "operator"
