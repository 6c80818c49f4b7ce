"""Approval: every decision that may come, who decides, and what an end without a hand-over leaves: nothing."""

from datetime import timedelta

import pytest
from case_people import People

from services.database.tables.masters import Master
from services.database.tables.reviews import Confirmation, Decision, Finding, Review
from services.demo.organisation import demo_id
from services.domain.reviews.scopes import Classification

pytestmark = [pytest.mark.slow, pytest.mark.zeebe]


@pytest.mark.requirement("R26", "R27")
async def test_management_approves_what_is_important(desk: People) -> None:
    case = await desk.apply("cam1", high_impact=True)

    await desk.reach(case, "management")
    assert set(desk.candidates(await desk.review(case, "management"))) == {"gaofeng", "songtao", "lianghong"}
    await desk.decide(case, "management", opinion="同意，限本部门使用")
    await desk.accept(case)

    application = desk.application(case)
    assert (application.importance, application.decided_by) == ("important", "management")
    [decision] = desk.rows(Decision, stage="management")
    assert decision.opinion == "同意，限本部门使用"
    await desk.returned(case)


@pytest.mark.requirement("R26", "R27")
async def test_management_rejects(desk: People) -> None:
    case = await desk.apply("cam1", sensitive_event=True)

    await desk.reach(case, "management")
    await desk.decide(case, "management", "rejected")

    await desk.closed(case, "rejected")
    assert desk.rows(Master) == []


@pytest.mark.requirement("R26")
async def test_the_signer_raises_the_class_and_management_is_asked(desk: People) -> None:
    case = await desk.apply("cam1")

    await desk.reach(case, "security-signature")
    await desk.decide(case, "security-signature", classification=Classification(high_impact=True))
    await desk.decide(case, "management", "rejected")

    await desk.closed(case, "rejected")


@pytest.mark.requirement("R26")
async def test_t8_where_management_is_concerned_another_manager_decides(desk: People) -> None:
    case = await desk.apply("cam2", subject_ids=(demo_id("gaofeng"),))

    review = await desk.reach(case, "management")
    assert "gaofeng" not in desk.candidates(review)
    await desk.decide(case, "management", "rejected")

    assert desk.application(case).decided_by == "management-other"
    await desk.closed(case, "rejected")


@pytest.mark.requirement("R25", "R26")
async def test_where_security_is_concerned_another_department_signs_and_management_decides(desk: People) -> None:
    case = await desk.apply("cam1", subject_ids=(demo_id("machao"),))

    review = await desk.reach(case, "security-signature")
    assert desk.candidates(review) == ["chenjing"]
    await desk.reach(case, "management")
    await desk.decide(case, "management", "rejected")

    await desk.closed(case, "rejected")


@pytest.mark.requirement("R34", refuses=True)
@pytest.mark.requirement("R33")
async def test_a_second_person_confirms_the_release_of_what_is_important(desk: People) -> None:
    case = await desk.apply("cam2")

    await desk.reach(case, "storage-release")
    proposed = await desk.decide(case, "storage-release")
    assert not proposed.published
    assert not (await desk.confirm(case, agrees=False)).published
    await desk.decide(case, "storage-release", by="hutao")
    assert (await desk.confirm(case)).published

    await desk.accept(case)
    [confirmation] = desk.rows(Confirmation)
    [decision] = desk.rows(Decision, stage="storage-release")
    assert confirmation.person_id != decision.decided_by
    await desk.returned(case)


@pytest.mark.requirement("R14", "R15")
async def test_what_is_important_is_backed_up_and_verified_before_the_hand_over(desk: People) -> None:
    case = await desk.apply("cam1", "gate", important_information=True)

    await desk.accept(case)

    offered = desk.hand_over(case).offered_at
    masters = desk.rows(Master)
    assert len(masters) == 2
    assert all(master.replica_verified_at <= offered for master in masters)
    order = [event.action for event in desk.rows(type(desk.events("copy-issued")[0]))]
    assert max(i for i, a in enumerate(order) if a == "master-backed-up") < order.index("custody-offered")
    await desk.returned(case)


@pytest.mark.requirement("R22")
async def test_the_department_rejects(desk: People) -> None:
    case = await desk.apply("cam1")

    await desk.decide(case, "preliminary", "rejected", answers=no_to("necessary"))

    await desk.closed(case, "rejected")
    assert desk.notices("lina", "decided:preliminary:rejected")


@pytest.mark.requirement("R24")
async def test_security_rejects(desk: People) -> None:
    case = await desk.apply("cam1")

    await desk.reach(case, "security")
    await desk.decide(case, "security", "rejected")

    await desk.closed(case, "rejected")


@pytest.mark.requirement("R25")
async def test_the_head_of_security_refuses_to_sign(desk: People) -> None:
    case = await desk.apply("cam1")

    await desk.reach(case, "security-signature")
    await desk.decide(case, "security-signature", "refused")

    await desk.closed(case, "rejected")
    assert [one.outcome for one in desk.rows(Decision, stage="security-signature")] == ["refused"]


@pytest.mark.requirement("R22", refuses=True)
@pytest.mark.requirement("R18")
async def test_an_incomplete_application_goes_back_with_sentences(desk: People) -> None:
    case = await desk.apply("cam1", reason="看看", place_of_use="")

    await desk.correct(case, "cam1")

    assert {one.code for one in desk.rows(Finding, check="preliminary-review", severity="blocks")} == {
        "reason-too-short",
        "place-of-use-missing",
    }
    await desk.decide(case, "preliminary", "rejected")
    assert len(desk.rows(Review, stage="preliminary")) == 1
    await desk.closed(case, "rejected")


@pytest.mark.requirement("R22")
async def test_reviewers_are_reminded_and_a_review_that_is_overdue_goes_to_the_substitutes(desk: People) -> None:
    case = await desk.apply("cam1")
    review = await desk.review(case, "preliminary")
    assert desk.candidates(review) == ["zhangwei"]

    await desk.turn(hours=13)
    await desk.until(lambda _: desk.notices("zhangwei", "review-reminder"), "the first reminder")
    assert not desk.notices("wangfang", "review-escalated")
    await desk.turn(hours=12)
    await desk.until(lambda _: desk.notices("wangfang", "review-escalated"), "the escalation")
    await desk.turn(hours=13)
    await desk.until(lambda _: len(desk.notices("zhangwei", "review-reminder")) == 2, "the second reminder")

    await desk.decide(case, "preliminary", "rejected", by="wangfang")
    [decision] = desk.rows(Decision)
    assert (decision.decided_by, decision.stands_in_for) == (demo_id("wangfang"), demo_id("zhangwei"))
    await desk.closed(case, "rejected")


@pytest.mark.requirement("R22")
async def test_the_deputy_decides_where_the_head_has_drafted(desk: People) -> None:
    case = await desk.apply("cam1", by="zhangwei")

    assert desk.candidates(await desk.review(case, "preliminary")) == ["wangfang"]
    await desk.decide(case, "preliminary", "rejected")

    await desk.closed(case, "rejected")


@pytest.mark.requirement("R30")
async def test_the_storage_office_is_told_at_once(desk: People) -> None:
    case = await desk.apply("cam1")
    await desk.reach(case, "storage-release")

    assert desk.notices("hutao", "storage-prepare")
    assert desk.application(case).storage_notified_at - desk.clock.now() < timedelta(minutes=5)
    await desk.withdraw(case)
    await desk.closed(case, "withdrawn")


def no_to(*codes: str) -> dict[str, bool]:
    questions = ("reason-reasonable", "content-complete", "necessary", "narrowest")
    return {code: code not in codes for code in questions}
