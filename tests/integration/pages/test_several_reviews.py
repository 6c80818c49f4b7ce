"""Several reviews claimed or put back at once, and one that its head gives to somebody else, on the pages."""

import re
from collections.abc import AsyncIterator

import pytest
from portal_client import Portal
from review_desk import ReviewDesk
from review_pages import text_of

from services.database.tables.applications import Application
from services.database.tables.audit import AuditEvent
from services.database.tables.notices import Notice
from services.database.tables.reviews import Review
from services.domain.reviews import tasks


@pytest.fixture
async def portal(desk: ReviewDesk) -> AsyncIterator[Portal]:
    async with Portal(desk) as opened:
        yield opened


def waiting(desk: ReviewDesk, count: int) -> dict[str, str]:
    """Open reviews of Security, by the numbers of their cases."""
    numbers = {}
    for _ in range(count):
        application_id = desk.submitted()
        review_id = desk.opened(application_id, "security")
        numbers[desk.the(Application, id=application_id).number or ""] = review_id
    return numbers


def claims(desk: ReviewDesk) -> list[str | None]:
    return [row.claimed_by for row in sorted(desk.all(Review), key=lambda row: row.job_key)]


@pytest.mark.requirement("R23")
async def test_the_ticked_ones_are_claimed_and_put_back(desk: ReviewDesk, portal: Portal) -> None:
    reviews = waiting(desk, 3)
    ids = list(reviews.values())
    reviewer = await portal.signed_in("reviewer")
    page = (await reviewer.get("/inbox?sort=number")).text
    assert re.findall(r'<input type="checkbox" name="reviewIds" value="([^"]+)"', page) == ids

    done = await reviewer.post("/inbox/claim?sort=number", data={"reviewIds": ids[:2]})
    assert (done.status_code, done.headers["location"]) == (303, "/inbox?sort=number")
    assert f"已领取：{'、'.join(list(reviews)[:2])}。" in text_of(await reviewer.get("/inbox"))
    assert claims(desk) == ["reviewer", "reviewer", None]
    back = await reviewer.post("/inbox/unclaim", data={"reviewIds": ids[:1]})
    assert back.status_code == 303

    assert claims(desk) == [None, "reviewer", None]
    assert len(desk.all(AuditEvent, action="review-claimed")) == 2


@pytest.mark.requirement("R23", refuses=True)
async def test_each_that_is_refused_is_named_with_its_reason_and_the_others_are_done(
    desk: ReviewDesk, portal: Portal
) -> None:
    reviews = waiting(desk, 4)
    first, taken, decided, last = reviews
    desk.run(tasks.claim, reviews[taken], by="reviewer2")
    desk.decide(reviews[decided], "reviewer2")
    hidden = desk.opened(desk.submitted(subject_ids=("reviewer",)), "security")
    reviewer = await portal.signed_in("reviewer")
    ids = [*reviews.values(), hidden, "none", reviews[last]]

    page = await reviewer.post("/inbox/claim", data={"reviewIds": ids})
    shown = text_of(page)

    assert page.status_code == 200
    assert f"已办理： {first}、{last}" in shown
    assert f"{taken} 他人已领取此项审核" in shown
    assert f"{decided} 此项审核已经结束" in shown
    number = desk.the(Review, id=hidden).application_id
    assert (desk.the(Application, id=number).number or "") not in shown  # nobody learns of a case by its review
    assert desk.the(Review, id=reviews[first]).claimed_by == desk.the(Review, id=reviews[last]).claimed_by == "reviewer"
    assert desk.the(Review, id=hidden).claimed_by is None
    answer = (await reviewer.post("/api/reviews/unclaim", json={"reviewIds": ids})).json()
    told = {one["reviewId"]: (one["number"], (one["refusal"] or {}).get("code")) for one in answer}
    assert told == {
        reviews[first]: (first, None),
        reviews[taken]: (taken, "not-claimed"),
        reviews[decided]: (decided, "review-closed"),
        reviews[last]: (last, None),
        hidden: (None, "not-found"),
        "none": (None, "not-found"),
    }


async def test_nothing_ticked_and_too_much_is_refused(desk: ReviewDesk, portal: Portal) -> None:
    [review_id] = waiting(desk, 1).values()
    reviewer = await portal.signed_in("reviewer")

    nothing = await reviewer.post("/inbox/claim", data={})
    api = [
        await reviewer.post("/api/reviews/claim", json={"reviewIds": ids})
        for ids in ([], ["x"] * 101, [""], ["x" * 65], "x")
    ]

    assert (nothing.status_code, "请先勾选" in text_of(nothing)) == (422, True)
    assert [answer.status_code for answer in api] == [422] * 5
    assert desk.the(Review, id=review_id).claimed_by is None


async def test_none_that_could_be_done_is_a_conflict(desk: ReviewDesk, portal: Portal) -> None:
    [review_id] = waiting(desk, 1).values()
    desk.run(tasks.claim, review_id, by="reviewer2")
    reviewer = await portal.signed_in("reviewer")

    assert (await reviewer.post("/inbox/claim", data={"reviewIds": review_id})).status_code == 409


@pytest.mark.requirement("R24", refuses=True)
async def test_a_head_finds_a_claimed_review_by_its_case_and_gives_it_away(desk: ReviewDesk, portal: Portal) -> None:
    [review_id] = waiting(desk, 1).values()
    desk.run(tasks.claim, review_id, by="reviewer")
    case = f"/cases/{desk.the(Review).application_id}"
    head, reviewer = await portal.signed_in("security-head"), await portal.signed_in("reviewer")
    link = f'href="/reviews/{review_id}#reassign"'
    assert link in (await head.get(case)).text
    assert link not in (await reviewer.get(case)).text
    page = (await head.get(f"/reviews/{review_id}")).text
    assert re.findall(r'<option value="([^"]+)"', page.partition('id="reassign"')[2].partition("</form>")[0]) == [
        "reviewer2"
    ]
    assert 'id="reassign"' not in (await reviewer.get(f"/reviews/{review_id}")).text

    wrong = await head.post(f"/reviews/{review_id}/reassign", data={"personId": "drafter"})
    given = await head.post(f"/reviews/{review_id}/reassign", data={"personId": "reviewer2"})

    assert (wrong.status_code, "此人目前不能办理" in text_of(wrong)) == (422, True)
    assert given.status_code == 303
    assert desk.the(Review).claimed_by == "reviewer2"
    again = await head.post(f"/api/reviews/{review_id}/reassign", json={"personId": "reviewer"})
    assert (again.status_code, again.json()["claimedBy"]) == (200, "reviewer")
    assert "安全审核：审核已改派他人" in text_of(await head.get(case))


@pytest.mark.requirement("R24")
async def test_a_head_gives_the_ticked_ones_to_one_person(desk: ReviewDesk, portal: Portal) -> None:
    reviews = waiting(desk, 3)
    first, second, _ = reviews
    for number in (first, second):
        desk.run(tasks.claim, reviews[number], by="reviewer")
    hidden = desk.opened(desk.submitted(subject_ids=("security-head",)), "security")
    desk.run(tasks.claim, hidden, by="reviewer")
    head, reviewer = await portal.signed_in("security-head"), await portal.signed_in("reviewer")

    assert 'href="/inbox/claimed"' in (await head.get("/inbox")).text
    assert 'href="/inbox/claimed"' not in (await reviewer.get("/inbox")).text
    page = (await head.get("/inbox/claimed?sort=number")).text
    assert re.findall(r'name="reviewIds" value="([^"]+)"', page) == [reviews[first], reviews[second]]
    assert re.findall(r'<option value="([^"]+)"', page.partition('name="personId"')[2]) == ["reviewer2"]
    listed = (await head.get("/api/reviews/claimed")).json()
    assert {one["review"]["id"]: [other["id"] for other in one["reassignTo"]] for one in listed} == {
        reviews[first]: ["reviewer2"],
        reviews[second]: ["reviewer2"],
    }
    assert (await reviewer.get("/api/reviews/claimed")).json() == []

    given = {"reviewIds": [reviews[first], reviews[second]], "personId": "reviewer2"}
    done = await head.post("/inbox/reassign?sort=number", data=given)

    assert (done.status_code, done.headers["location"]) == (303, "/inbox/claimed?sort=number")
    assert f"已改派：{first}、{second}，并已通知对方。" in text_of(await head.get("/inbox/claimed"))
    assert [desk.the(Review, id=reviews[number]).claimed_by for number in reviews] == ["reviewer2", "reviewer2", None]
    assert [row.person_id for row in desk.all(Notice, code="review-assigned")] == ["reviewer2", "reviewer2"]
    assert len(desk.all(AuditEvent, action="review-reassigned")) == 2


@pytest.mark.requirement("R24", refuses=True)
async def test_each_that_is_not_given_is_named_with_its_reason_and_the_others_are_given(
    desk: ReviewDesk, portal: Portal
) -> None:
    reviews = waiting(desk, 3)
    taken, unclaimed, decided = reviews
    for number in (taken, decided):
        desk.run(tasks.claim, reviews[number], by="reviewer")
    desk.decide(reviews[decided], "reviewer")
    hidden = desk.opened(desk.submitted(subject_ids=("security-head",)), "security")
    desk.run(tasks.claim, hidden, by="reviewer")
    head, reviewer2 = await portal.signed_in("security-head"), await portal.signed_in("reviewer2")
    ids = [*reviews.values(), hidden, "none"]

    assert (await head.post("/inbox/reassign", data={"personId": "reviewer2"})).status_code == 422
    barred = await reviewer2.post("/inbox/reassign", data={"reviewIds": ids[:1], "personId": "reviewer2"})
    assert (barred.status_code, "只有承办部门的负责人或副职可以改派审核" in text_of(barred)) == (409, True)
    wrong = await head.post("/inbox/reassign", data={"reviewIds": ids[:1], "personId": "drafter"})
    assert (wrong.status_code, "此人目前不能办理" in text_of(wrong)) == (409, True)
    assert desk.the(Review, id=reviews[taken]).claimed_by == "reviewer"

    answer = await head.post("/inbox/reassign", data={"reviewIds": ids, "personId": "reviewer2"})

    shown = text_of(answer)
    assert answer.status_code == 200
    assert f"已办理： {taken} 未能办理" in shown
    assert f"{unclaimed} 此项审核无人领取" in shown
    assert f"{decided} 此项审核已经结束" in shown
    case = desk.the(Review, id=hidden).application_id
    assert (desk.the(Application, id=case).number or "") not in shown
    assert desk.the(Review, id=reviews[taken]).claimed_by == "reviewer2"
    assert desk.the(Review, id=hidden).claimed_by == "reviewer"
    told = (await head.post("/api/reviews/reassign", json={"reviewIds": ids, "personId": "reviewer"})).json()
    codes = {one["reviewId"]: (one["refusal"] or {}).get("code") for one in told}
    assert codes == {
        reviews[taken]: None,
        reviews[unclaimed]: "not-claimed",
        reviews[decided]: "review-closed",
        hidden: "not-found",
        "none": "not-found",
    }
