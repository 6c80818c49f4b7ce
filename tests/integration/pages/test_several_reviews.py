"""Several reviews claimed or put back at once, and one that its head gives to somebody else, on the pages."""

import re
from collections.abc import AsyncIterator

import pytest
from portal_client import Portal
from review_desk import ReviewDesk
from review_pages import text_of

from services.database.tables.applications import Application
from services.database.tables.audit import AuditEvent
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
