"""Custody and return: receipt, reminders, the due date, the grace, loss, changed dates, inspection."""

from datetime import timedelta

import pytest
from case_people import CUSTODIAN, DRAFTER, People, unheard

from services.database.tables.copies import Copy, Grant
from services.database.tables.custody import HandOver
from services.database.tables.masters import Master
from services.database.tables.returns import ArchiveEntry, Inspection
from services.database.tables.reviews import Decision, Review
from services.database.tables.suspensions import Suspension
from services.database.tables.violations import Violation
from services.database.unit_of_work import UnitOfWork
from services.demo.organisation import demo_id
from services.domain.custody import grants, hand_overs, naming, suspensions, use_period
from services.domain.process.messages import REVIEW_DECIDED
from services.runtime.errors import Refused

pytestmark = [pytest.mark.slow, pytest.mark.zeebe]


def suspended(desk: People) -> list[str]:
    return [row.cause for row in desk.rows(Suspension, lifted_at=None)]


def reminders(desk: People) -> int:
    return len(desk.notices(CUSTODIAN, "return-due-soon")) + len(desk.notices(CUSTODIAN, "return-overdue"))


@pytest.mark.requirement("R46")
async def test_a_hand_over_that_is_declined_discards_the_copies(desk: People) -> None:
    case = await desk.apply("cam1", "gate")

    await desk.decline(case)

    await desk.closed(case, "copy-not-taken-up")
    assert len(desk.rows(Copy)) == 2
    assert desk.rows(Grant) == []


@pytest.mark.requirement("R46", refuses=True)
async def test_a_custodian_who_is_named_while_the_copies_wait_accepts_them_in_the_same_review(desk: People) -> None:
    case = await desk.apply("cam1", requested_use_days=5)
    review = await desk.reach(case, "receipt")
    await desk.turn(days=6)

    named = {"reason": "原保管人病假，由申请人签收。"}
    await desk.as_person("zhangwei", naming.name, case, demo_id(DRAFTER), **named)

    assert desk.candidates(review) == [DRAFTER]
    with pytest.raises(Refused):
        await desk.accept(case)
    loan = await desk.accept(case, by=DRAFTER)
    assert (loan.custodian_id, [row.id for row in desk.rows(Review, stage="receipt")]) == (
        demo_id(DRAFTER),
        [review.id],
    )
    await desk.turn(days=2)
    assert desk.hand_over(case).ended_at is None, "the time to take up ends nothing that was accepted"
    assert not desk.trace.incidents


@pytest.mark.requirement("R46", refuses=True)
async def test_copies_that_are_not_taken_up_in_time_are_discarded(desk: People) -> None:
    case = await desk.apply("cam1")
    await desk.reach(case, "receipt")

    await desk.turn(days=3)
    await desk.until(lambda _: desk.notices(CUSTODIAN, "review-reminder"), "the reminder of the receipt")
    await desk.turn(days=4, minutes=5)

    await desk.closed(case, "copy-not-taken-up")
    with pytest.raises(Refused):
        await desk.as_person(CUSTODIAN, grants.check, desk.rows(Copy)[0].id, "view")


@pytest.mark.requirement("R46")
async def test_copies_that_were_accepted_in_time_are_in_use_though_their_message_did_not_arrive(desk: People) -> None:
    case = await desk.apply("cam1")
    await desk.reach(case, "receipt")
    await desk.turn(days=6, hours=23)
    await desk.as_person(
        CUSTODIAN,
        unheard(REVIEW_DECIDED, hand_overs.accept),
        desk.hand_over(case).id,
        conditions_version=desk.database.rules.policy_version,
        proof=desk.proof(case, CUSTODIAN),
    )

    await desk.turn(hours=2)

    await desk.entered("Flow_AcceptedMeanwhile")
    await desk.returned(case)


@pytest.mark.requirement("R51", refuses=True)
@pytest.mark.requirement("R49")
async def test_reminders_come_daily_from_three_days_before_then_access_stops_then_it_is_a_violation(
    desk: People,
) -> None:
    case = await desk.apply("cam1", requested_use_days=10)
    accepted = await desk.accept(case)
    [copy] = desk.rows(Copy)
    assert accepted.due_at - accepted.accepted_at.replace(microsecond=0) == timedelta(days=10)

    await desk.turn(days=6, hours=23)
    assert reminders(desk) == 0
    await desk.turn(hours=1, minutes=1)
    await desk.until(lambda _: reminders(desk) == 1, "the first reminder")
    for count in (2, 3):
        await desk.turn(days=1)
        await desk.until(lambda _, count=count: reminders(desk) == count, f"reminder {count}")
    await desk.as_person(CUSTODIAN, grants.check, copy.id, "view")
    await desk.turn(days=1)
    await desk.until(lambda _: suspended(desk), "the suspension")
    with pytest.raises(Refused, match="use period has ended"):
        await desk.as_person(CUSTODIAN, grants.check, copy.id, "view")
    assert suspended(desk) == ["use-period-over"]
    assert desk.rows(Violation) == []
    await desk.turn(days=3)
    await desk.until(lambda _: desk.rows(Violation), "the violation")
    await desk.until(lambda _: desk.notices(CUSTODIAN, "return-overdue"), "a reminder that says it is late")

    await desk.returned(case)
    [violation] = desk.rows(Violation)
    assert violation.kind == "overdue"
    [inspection] = desk.rows(Inspection)
    assert "returned-late" in {finding["code"] for finding in inspection.findings}


@pytest.mark.requirement("R51")
async def test_a_return_within_the_grace_is_late_and_no_violation(desk: People) -> None:
    case = await desk.apply("cam1", requested_use_days=2)
    await desk.accept(case)

    await desk.turn(days=3)
    await desk.until(lambda _: suspended(desk), "the suspension")

    await desk.returned(case)
    assert desk.rows(Violation) == []


@pytest.mark.requirement("R50")
async def test_a_changed_use_period_opens_access_again_with_timers_of_its_own(desk: People) -> None:
    case = await desk.apply("cam1", requested_use_days=5)
    await desk.accept(case)
    [copy] = desk.rows(Copy)
    await desk.turn(days=5, minutes=1)
    await desk.until(lambda _: suspended(desk), "the suspension")

    desk.look(extend, desk.hand_over(case).id, 10)
    await desk.turn(seconds=1)
    await desk.until(lambda _: not suspended(desk), "the resumption")

    await desk.as_person(CUSTODIAN, grants.check, copy.id, "view")
    before = reminders(desk)
    await desk.turn(days=6)
    await desk.as_person(CUSTODIAN, grants.check, copy.id, "view")
    assert reminders(desk) == before
    await desk.turn(days=1, hours=1)
    await desk.until(lambda _: reminders(desk) == before + 1, "the reminder before the new date")
    await desk.turn(days=3)
    await desk.until(lambda _: suspended(desk), "the second suspension")
    await desk.returned(case)
    assert desk.rows(Violation) == []


def extend(uow: UnitOfWork, hand_over_id: str, days: int) -> None:
    """What an extension will do (R50)."""
    hand_over = uow.session.get_one(HandOver, hand_over_id)
    use_period.change_due_date(uow, hand_over, uow.now + timedelta(days=days), because="extension")


@pytest.mark.requirement("R44", "R51", refuses=True)
async def test_the_timer_of_the_grace_goes_by_the_longer_one_after_a_freeze(desk: People) -> None:
    case = await desk.apply("cam1", requested_use_days=5)
    await desk.accept(case)
    hand_over_id = desk.hand_over(case).id
    await desk.turn(days=4)
    desk.look(freeze, hand_over_id)
    await desk.turn(days=60)  # the longest use period is over meanwhile, and the grace with it
    desk.look(lift, hand_over_id)
    await desk.turn(seconds=1)
    await desk.until(lambda _: "use-period-over" in suspended(desk), "the suspension by the new timer")

    await desk.turn(days=2, hours=23)
    assert desk.rows(Violation) == []
    await desk.turn(hours=1)
    await desk.until(lambda _: desk.rows(Violation), "the violation")
    assert [one.kind for one in desk.rows(Violation)] == ["overdue"]
    await desk.returned(case)


def freeze(uow: UnitOfWork, hand_over_id: str) -> None:
    """What a problem report does."""
    suspensions.open_once(uow, uow.session.get_one(HandOver, hand_over_id), suspensions.PROBLEM)


def lift(uow: UnitOfWork, hand_over_id: str) -> None:
    """What the answer to a problem report does."""
    use_period.lift_freeze(uow, uow.session.get_one(HandOver, hand_over_id))


@pytest.mark.requirement("R48")
async def test_a_loss_ends_the_loan_with_a_violation_and_keeps_the_master(desk: People) -> None:
    case = await desk.apply("cam1", "gate")
    await desk.accept(case)

    await desk.report_loss(case)

    await desk.closed(case, "copy-lost")
    assert [one.kind for one in desk.rows(Violation)] == ["loss"]
    assert len(desk.rows(Master)) == 2
    with pytest.raises(Refused, match="reported lost"):
        await desk.give_back(case)


@pytest.mark.requirement("R38", "R39", "R40")
async def test_the_storage_office_inspects_the_return_where_the_custodian_chose_it(desk: People) -> None:
    case = await desk.apply("cam1")
    await desk.accept(case)

    await desk.give_back(case, return_to="storage")
    review = await desk.review(case, "return-inspection")
    assert desk.candidates(review) == ["guotao"]
    await desk.decide(case, "return-inspection")

    await desk.closed(case, "footage-re-archived")
    [entry] = desk.rows(ArchiveEntry)
    [master] = desk.rows(Master)
    assert entry.in_order
    assert entry.dispose_after == master.dispose_after
    assert entry.dispose_after - entry.archived_at.replace(microsecond=0) == timedelta(days=365)


@pytest.mark.requirement("R40")
async def test_important_footage_is_kept_longer_in_both_places(desk: People) -> None:
    case = await desk.apply("cam2")
    await desk.accept(case)

    await desk.returned(case)

    [entry] = desk.rows(ArchiveEntry)
    assert entry.dispose_after - entry.archived_at.replace(microsecond=0) == timedelta(days=730)


@pytest.mark.requirement("R39", "R48")
async def test_a_discrepancy_at_the_return_is_a_violation_and_ends_in_dispute(desk: People) -> None:
    case = await desk.apply("cam1", "gate")
    await desk.accept(case)
    await desk.give_back(case)

    answers = {"all-accounted": False, "media-intact": True, "right-footage": True}
    await desk.decide(case, "return-inspection", "discrepancy", answers=answers)

    await desk.closed(case, "return-disputed")
    assert [one.kind for one in desk.rows(Violation)] == ["discrepancy"]
    assert not desk.rows(ArchiveEntry)[0].in_order


@pytest.mark.requirement("R61")
async def test_everybody_who_decided_is_somebody_else(desk: People) -> None:
    case = await desk.apply("cam2")
    await desk.accept(case)
    await desk.returned(case)

    deciders = [one.decided_by for one in desk.rows(Decision)]
    assert len(deciders) == len(set(deciders)) == 7
    assert demo_id("lina") not in deciders
