"""A question to the applicant and its answer, on the pages and through the API."""

import re
from collections.abc import AsyncIterator

import pytest
from portal_client import Portal
from review_desk import ReviewDesk
from review_pages import HOSTILE, text_of

from services.database.tables.reviews import ApplicantQuestion


@pytest.fixture
async def portal(desk: ReviewDesk) -> AsyncIterator[Portal]:
    async with Portal(desk) as opened:
        yield opened


def at_security(desk: ReviewDesk) -> tuple[str, str]:
    application_id = desk.submitted()
    desk.decide(desk.opened(application_id, "preliminary"), "head")
    return application_id, desk.opened(application_id, "security")


@pytest.mark.requirement("R22", "R24")
async def test_it_is_asked_answered_and_read_at_later_stages(desk: ReviewDesk, portal: Portal) -> None:
    application_id, review_id = at_security(desk)
    reviewer, drafter = await portal.signed_in("reviewer"), await portal.signed_in("drafter")
    assert "向申请人提问" in text_of(await reviewer.get(f"/reviews/{review_id}"))

    sent = await reviewer.post(f"/reviews/{review_id}/questions", data={"text": "哪一个门？"})
    assert (sent.status_code, sent.headers["location"]) == (303, f"/reviews/{review_id}#questions")
    case = await drafter.get(f"/cases/{application_id}")
    question_id = desk.the(ApplicantQuestion).id
    assert f'href="#question-{question_id}">答复提问：安全审核' in case.text
    assert f'id="question-{question_id}"' in case.text
    acts = (await drafter.get(f"/api/cases/{application_id}")).json()["nextActs"]
    assert [(act["kind"], act["subjectId"]) for act in acts] == [("answer", question_id)]
    done = await drafter.post(f"/cases/{application_id}/questions/{question_id}", data={"text": "三号门"})
    assert done.headers["location"] == f"/cases/{application_id}#questions"

    desk.decide(review_id, "reviewer")
    signer = await portal.signed_in("security-head")
    later = desk.opened(application_id, "security-signature")
    for page in (f"/reviews/{later}", f"/cases/{application_id}"):
        shown = text_of(await signer.get(page))
        assert "哪一个门？" in shown
        assert "三号门" in shown
    time_line = (await signer.get(f"/cases/{application_id}")).text.partition('id="time-line"')[2]
    for event in ("安全审核：已向申请人提问", "安全审核：申请人已答复", "哪一个门？", "三号门"):
        assert event in time_line
    [told] = (await signer.get(f"/api/reviews/{later}")).json()["applicantQuestions"]
    assert (told["askedBy"], told["answeredBy"], told["answer"]) == ("reviewer", "drafter", "三号门")


@pytest.mark.requirement("R55")
async def test_an_applicant_learns_of_no_other_reviewer(desk: ReviewDesk, portal: Portal) -> None:
    application_id, review_id = at_security(desk)
    reviewer, drafter = await portal.signed_in("reviewer"), await portal.signed_in("drafter")
    asked = await reviewer.post(f"/api/reviews/{review_id}/questions", json={"text": "哪一个门？"})
    [question] = asked.json()["applicantQuestions"]

    told = await drafter.post(f"/api/cases/{application_id}/questions/{question['id']}/answer", json={"text": "三号门"})

    assert told.status_code == 200
    [line] = told.json()["applicantQuestions"]
    assert set(line) == {
        "id", "reviewId", "stage", "round", "askedBy", "askedAt", "text", "answeredBy", "answeredAt", "answer",
        "mayAnswer",
    }  # fmt: skip
    page = (await drafter.get(f"/cases/{application_id}")).text
    assert "reviewer2" not in page
    assert "security-deputy" not in page


@pytest.mark.requirement("R52", refuses=True)
@pytest.mark.parametrize("text", ["x" * 2001, "a\x07b", "a\u202eb", "  "])
async def test_what_no_text_is_is_refused_and_kept_on_the_page(desk: ReviewDesk, portal: Portal, text: str) -> None:
    application_id, review_id = at_security(desk)
    reviewer, drafter = await portal.signed_in("reviewer"), await portal.signed_in("drafter")
    question_id = (await reviewer.post(f"/api/reviews/{review_id}/questions", json={"text": "哪一个门？"})).json()[
        "applicantQuestions"
    ][0]["id"]
    case = f"/cases/{application_id}/questions/{question_id}"

    answers = [
        await reviewer.post(f"/reviews/{review_id}/questions", data={"text": text}),
        await drafter.post(case, data={"text": text}),
        await reviewer.post(f"/api/reviews/{review_id}/questions", json={"text": text}),
        await drafter.post(f"/api{case}/answer", json={"text": text}),
    ]

    assert [answer.status_code for answer in answers] == [422] * 4
    for page in answers[:2]:
        assert re.search(r'class="callout refused"[^>]*>[^<]+<', page.text)
        assert text.strip() in page.text
    assert [row.answer for row in desk.all(ApplicantQuestion)] == [None]


@pytest.mark.requirement("R52", refuses=True)
async def test_what_is_asked_and_answered_is_never_run(desk: ReviewDesk, portal: Portal) -> None:
    application_id, review_id = at_security(desk)
    reviewer, drafter = await portal.signed_in("reviewer"), await portal.signed_in("drafter")
    await reviewer.post(f"/reviews/{review_id}/questions", data={"text": HOSTILE})
    question_id = desk.the(ApplicantQuestion).id
    await drafter.post(f"/cases/{application_id}/questions/{question_id}", data={"text": HOSTILE})
    assert desk.the(ApplicantQuestion).answer == HOSTILE

    for page in (await reviewer.get(f"/reviews/{review_id}"), await drafter.get(f"/cases/{application_id}")):
        assert "<script>alert" not in page.text
        assert "<img src=x" not in page.text
        assert page.text.count("&lt;script&gt;alert(1)") >= 2


async def test_a_second_answer_is_refused_with_a_sentence(desk: ReviewDesk, portal: Portal) -> None:
    application_id, review_id = at_security(desk)
    reviewer, drafter = await portal.signed_in("reviewer"), await portal.signed_in("drafter")
    await reviewer.post(f"/reviews/{review_id}/questions", data={"text": "哪一个门？"})
    page = f"/cases/{application_id}/questions/{desk.the(ApplicantQuestion).id}"
    await drafter.post(page, data={"text": "三号门"})

    again = await drafter.post(page, data={"text": "四号门"})

    assert (again.status_code, desk.the(ApplicantQuestion).answer) == (409, "三号门")
    assert "此问题已经答复" in text_of(again)
