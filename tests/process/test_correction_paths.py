"""Correction: rounds, the time that is over, the correction that was there before it, and withdrawing."""

import pytest
from case_people import DRAFTER, OpenDesk, People, unheard

from services.database.tables.applications import Application, Item, Revision
from services.database.tables.documents import Document
from services.database.tables.masters import Master
from services.database.tables.preservations import Preservation
from services.database.tables.reviews import Decision, Review
from services.demo.organisation import demo_id
from services.domain.applications import service as application_service
from services.domain.process import messages
from services.runtime.errors import Refused

pytestmark = pytest.mark.slow


@pytest.mark.zeebe
@pytest.mark.requirement("R22")
async def test_the_department_returns_and_security_returns_and_the_third_round_goes_to_the_archive(
    desk: People,
) -> None:
    case = await desk.apply("cam1", "dark")

    await desk.decide(case, "preliminary", "returned", reason="请说明为何需要第二项")
    await desk.correct(case, "cam1", "gate")
    await desk.reach(case, "security")
    await desk.decide(case, "security", "returned", reason="请缩小范围")
    await desk.correct(case, "gate")
    await desk.accept(case)

    assert [item.camera_id for item in desk.items(case)] == [demo_id("gate")]
    assert {(one.camera_id, one.dropped_in_round) for one in desk.rows(Item)} == {
        (demo_id("cam1"), 2),
        (demo_id("dark"), 1),
        (demo_id("gate"), None),
    }
    assert [one.round for one in desk.rows(Revision)] == [0, 1, 2]
    assert sorted(one.round for one in desk.rows(Decision, stage="preliminary")) == [0, 1, 2]
    [form] = desk.rows(Document, kind="application-form")
    assert form.number == f"{desk.application(case).number}/2"
    assert len(desk.rows(Master)) == 1
    await desk.returned(case)


@pytest.mark.zeebe
@pytest.mark.requirement("R22", refuses=True)
async def test_an_application_that_is_not_corrected_expires(desk: People) -> None:
    case = await desk.apply("cam1")

    await desk.decide(case, "preliminary", "returned")
    await desk.turn(days=7, minutes=5)

    await desk.closed(case, "expired")
    with pytest.raises(Refused, match="not returned"):
        await desk.as_person(DRAFTER, application_service.correct, case, desk.form("cam1"))


@pytest.mark.zeebe
@pytest.mark.requirement("R22")
async def test_a_correction_that_came_before_the_time_was_over_wins_though_its_message_did_not_arrive(
    desk: People,
) -> None:
    case = await desk.apply("cam1")
    await desk.decide(case, "preliminary", "returned")
    await desk.turn(days=6, hours=23)
    correct = unheard(messages.APPLICATION_CORRECTED, application_service.correct)
    await desk.as_person(DRAFTER, correct, case, desk.form("gate"))

    await desk.turn(hours=1)
    await desk.accept(case)

    await desk.entered("Event_CorrectionFound")
    assert [item.camera_id for item in desk.items(case)] == [demo_id("gate")]
    await desk.returned(case)


@pytest.mark.zeebe
@pytest.mark.requirement("R31", "R33")
async def test_a_release_that_is_returned_leads_to_a_correction_and_to_every_decision_anew(desk: People) -> None:
    case = await desk.apply("cam1")

    await desk.reach(case, "storage-release")
    await desk.decide(case, "storage-release", "returned", reason="画面不是所申请的位置，应为南门摄像头")
    await desk.correct(case, "gate")
    await desk.accept(case)

    stages = sorted((one.round, one.stage) for one in desk.rows(Decision) if one.stage != "receipt")
    assert [stage for round_, stage in stages if round_ == 1] == [
        "preliminary",
        "security",
        "security-signature",
        "storage-release",
    ]
    assert len(desk.rows(Document, kind="application-form")) == 2
    await desk.returned(case)


@pytest.mark.zeebe
@pytest.mark.requirement("R22")
async def test_an_application_may_be_returned_again_and_again_and_then_rejected(desk: People) -> None:
    case = await desk.apply("cam1")

    for _ in range(3):
        await desk.decide(case, "preliminary", "returned")
        await desk.correct(case, "cam1")
    await desk.decide(case, "preliminary", "rejected")

    await desk.closed(case, "rejected")
    assert len(desk.rows(Review)) == 4


@pytest.mark.zeebe
async def test_withdrawing_in_approval(a_desk: OpenDesk) -> None:
    async with a_desk(rules={"preservation": "always"}) as desk:
        case = await desk.apply("cam1", "gate")
        await desk.until(lambda _: len(desk.rows(Preservation)) == 2, "the preservation")
        await desk.review(case, "preliminary")

        await desk.withdraw(case)

        await desk.closed(case, "withdrawn")


@pytest.mark.zeebe
async def test_withdrawing_while_the_footage_is_being_preserved(a_desk: OpenDesk) -> None:
    async with a_desk(rules={"preservation": "always"}) as desk:
        case = await desk.apply("cam1", "gate", "yard")
        await desk.review(case, "preliminary")

        await desk.withdraw(case)

        await desk.closed(case, "withdrawn")


@pytest.mark.zeebe
async def test_withdrawing_in_correction(a_desk: OpenDesk) -> None:
    async with a_desk(rules={"preservation": "always"}) as desk:
        case = await desk.apply("cam1")
        await desk.decide(case, "preliminary", "returned")
        await desk.until(lambda uow: uow.session.get_one(Application, case).correction_until, "the return")

        await desk.withdraw(case)

        await desk.closed(case, "withdrawn")
        with pytest.raises(Refused):
            await desk.as_person(DRAFTER, application_service.correct, case, desk.form("cam1"))


@pytest.mark.zeebe
async def test_withdrawing_before_the_release(desk: People) -> None:
    case = await desk.apply("cam1")
    await desk.reach(case, "storage-release")

    await desk.withdraw(case)

    await desk.closed(case, "withdrawn")
    assert desk.rows(Master) == []


@pytest.mark.zeebe
async def test_after_a_withdrawal_masters_wait_for_their_disposal_under_their_locks(desk: People) -> None:
    case = await desk.apply("cam1", "yard")
    await desk.reach(case, "partial-footage")
    assert len(desk.rows(Master)) == 2

    await desk.withdraw(case)

    await desk.closed(case, "withdrawn")
    assert all(master.awaits_disposal for master in desk.rows(Master))
    if desk.broker is not None:
        return  # a broker's own timers are not turned so far
    await desk.turn(days=64)
    await desk.keep_locks()
    assert all(master.discarded_at for master in desk.rows(Master))
    assert list(desk.container.store.list_keys("masters")) == []


@pytest.mark.zeebe
async def test_nothing_is_withdrawn_after_the_hand_over(desk: People) -> None:
    case = await desk.apply("cam1")
    await desk.reach(case, "receipt")

    with pytest.raises(Refused, match="Decline or return"):
        await desk.withdraw(case)
    await desk.accept(case)
    with pytest.raises(Refused, match="Decline or return"):
        await desk.withdraw(case)

    await desk.returned(case)
