"""Violations on the engine: every way through their process, on the clock of the engine."""

from datetime import timedelta

import pytest
from case_people import CUSTODIAN, People
from test_matters_at_work import ask, ended

from services.database.tables.documents import Document
from services.database.tables.holds import Hold
from services.database.tables.matters import Matter
from services.database.tables.notices import Notice
from services.database.tables.outbox import OutboxMessage
from services.database.tables.people import Person
from services.database.tables.reviews import Review
from services.database.tables.violations import Sanction, Violation
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.signatures.given import Proof
from services.domain.matters.violations import acts
from services.domain.reviews import service as review_service
from services.domain.reviews.given_judgements import GivenSanction, Judgement
from services.domain.stages.catalogue import STAGES

pytestmark = [pytest.mark.slow, pytest.mark.zeebe]

WARNING = Judgement(sanctions=(GivenSanction("warning"),), loss=False, referral=False)
PACKAGE = "cd" * 32


async def judge(
    desk: People, matter_id: str, outcome: str | None = None, judgement: Judgement = WARNING, stage: str | None = None
) -> str:
    """Wait for the review of this stage, of any one without it, and decide it as the first who may; its stage."""

    def open_one(uow: UnitOfWork) -> Review | None:
        query = uow.session.query(Review).filter_by(matter_id=matter_id, closed_at=None)
        return (query.filter_by(stage=stage) if stage else query).one_or_none()

    review = await desk.until(open_one, f"the stage {stage or 'of any kind'} of the violation")
    given, login = STAGES[review.stage], desk.candidates(review)[0]
    outcome = outcome or given.favourable
    await desk.as_person(
        login,
        review_service.decide,
        review.id,
        outcome=outcome,
        answers={question.code: True for question in given.questions},
        reason="经核实。" if outcome in given.reason_for else None,
        opinion="同意。" if given.opinion_needed else None,
        proof=Proof(desk.rows(Matter, id=matter_id)[0].facts_sha256, f"demo-{login}"),
        judgement=judgement if outcome == given.favourable else Judgement(),
    )
    return str(review.stage)


async def served(desk: People, matter_id: str) -> Violation:
    await desk.until(lambda _: desk.rows(Violation, matter_id=matter_id)[0].served_at, "the facts to be served")
    violation: Violation = desk.rows(Violation, matter_id=matter_id)[0]
    return violation


async def overdue(desk: People, case: str) -> str:
    """Turn the clock past the grace; the matter's id."""
    await desk.turn(days=8, hours=1)
    await desk.until(lambda _: desk.rows(Violation, application_id=case), "the violation")
    return str(desk.rows(Violation, application_id=case)[0].matter_id)


def handler(desk: People, matter_id: str) -> str:
    """The login of somebody who was told to hand the evidence over."""
    told = desk.rows(Notice, code="violation-refer", subject_id=matter_id)
    (person,) = {notice.person_id for notice in told[:1]}
    return str(desk.look(lambda uow: _login(uow, person)))


def _login(uow: UnitOfWork, person_id: str) -> str:
    return uow.session.get_one(Person, person_id).login


@pytest.mark.requirement("R48", "R51", "R65", "R66", "R67")
async def test_a_leak_is_referred_before_the_loss_is_made_good(desk: People) -> None:
    case = await desk.apply("cam1", requested_use_days=5)
    await desk.accept(case)
    matter_id = await ask(desk, case, "violation", by="zhaoqiang", violationKind="leak")
    await served(desk, matter_id)
    await desk.as_person(CUSTODIAN, acts.reply, matter_id, "误发，已追回。")

    grave = Judgement(
        sanctions=(GivenSanction("reprimand"), GivenSanction("fine", amount="500")), loss=True, referral=True
    )
    assert await judge(desk, matter_id, judgement=grave) == "violation-management"
    await judge(desk, matter_id, "approved", Judgement(), stage="legal-sanction")
    await judge(desk, matter_id, judgement=Judgement(authority="公安机关"), stage="referral")
    await desk.until(lambda _: desk.rows(Hold, matter_id=matter_id), "the hold")
    await desk.until(lambda _: desk.rows(Notice, code="violation-refer", subject_id=matter_id), "the notice")
    by = handler(desk, matter_id)
    await desk.turn(days=7, hours=1)
    await desk.until(lambda _: len(desk.rows(Notice, code="violation-refer", subject_id=matter_id)) > 1, "a reminder")
    await desk.as_person(
        by,
        acts.record_referral,
        matter_id,
        authority="公安机关",
        handed_at=desk.clock.now(),
        receipt="收字一号",
        package_sha256=PACKAGE,
        unknown_package_because="由公安机关封存时一并制作。",
    )
    await desk.turn(days=31)
    await desk.until(lambda _: desk.rows(Notice, code="violation-settlement-due", subject_id=matter_id), "a reminder")
    await desk.as_person(by, acts.settle, matter_id, account="已赔偿", amount="500.00")

    await ended(desk, matter_id, "settled")
    assert {row.kind for row in desk.rows(Document, subject_id=matter_id)} == {"violation", "referral"}


@pytest.mark.requirement("R51", "R65", "R66")
async def test_an_overdue_copy_comes_back_while_its_violation_goes_on(desk: People) -> None:
    case = await desk.apply("cam1", requested_use_days=5)
    await desk.accept(case)
    matter_id = await overdue(desk, case)
    violation = await served(desk, matter_id)
    await desk.returned(case)
    assert desk.rows(Matter, id=matter_id)[0].closed_at is None

    assert violation.reply_until is not None
    await desk.turn(days=5, hours=1)  # nobody replies
    declined = Judgement(sanctions=(GivenSanction("warning"), GivenSanction("dismissal")), loss=False, referral=False)
    await judge(desk, matter_id, judgement=declined)
    await judge(desk, matter_id, "rejected", stage="legal-sanction")
    await ended(desk, matter_id, "upheld")
    assert {row.kind: row.dropped_because for row in desk.rows(Sanction, matter_id=matter_id)} == {
        "warning": None,
        "dismissal": "legal-rejected",
    }


@pytest.mark.requirement("R65")
async def test_a_violation_that_is_unfounded_gives_the_days_back_and_the_timers_run_anew(desk: People) -> None:
    case = await desk.apply("cam1", requested_use_days=5)
    loan = await desk.accept(case)
    matter_id = await overdue(desk, case)
    await served(desk, matter_id)
    await desk.as_person(CUSTODIAN, acts.reply, matter_id, "当时在医院。")
    await judge(desk, matter_id, "unfounded")
    await ended(desk, matter_id, "cleared")
    assert desk.hand_over(case).due_at > loan.due_at + timedelta(days=2)
    await desk.returned(case)


@pytest.mark.requirement("R67")
async def test_what_is_not_referred_after_all_is_closed(desk: People) -> None:
    case = await desk.apply("cam1", requested_use_days=5)
    await desk.accept(case)
    matter_id = await overdue(desk, case)
    await served(desk, matter_id)
    await desk.as_person(CUSTODIAN, acts.reply, matter_id, "忘记归还。")
    asked = Judgement(sanctions=(GivenSanction("warning"),), loss=False, referral=True)
    await judge(desk, matter_id, judgement=asked)
    await judge(desk, matter_id, "rejected", stage="referral")
    await ended(desk, matter_id, "upheld")
    assert not desk.rows(Hold, matter_id=matter_id)


@pytest.mark.requirement("R65", "R66")
async def test_an_appeal_that_management_grants_clears_the_violation(desk: People) -> None:
    case = await desk.apply("cam1", requested_use_days=5)
    await desk.accept(case)
    matter_id = await ask(desk, case, "violation", by="zhaoqiang", violationKind="finding")
    await served(desk, matter_id)
    await desk.as_person(CUSTODIAN, acts.reply, matter_id, "当时在医院。")
    await judge(desk, matter_id)
    await ended(desk, matter_id, "upheld")

    appeal_id = await ask(desk, case, "appeal", violationId=matter_id)
    await judge(desk, appeal_id, judgement=Judgement())

    await ended(desk, appeal_id, "applied")
    assert desk.rows(Violation, matter_id=matter_id)[0].closed_as == "cleared"
    assert all(row.revoked_at for row in desk.rows(Sanction))
    await desk.returned(case)


@pytest.mark.requirement("R66", "R67")
async def test_an_appeal_that_is_granted_before_the_referral_is_decided_ends_the_process(desk: People) -> None:
    case = await desk.apply("cam1", requested_use_days=5)
    await desk.accept(case)
    matter_id = await ask(desk, case, "violation", by="zhaoqiang", violationKind="finding")
    await served(desk, matter_id)
    await desk.as_person(CUSTODIAN, acts.reply, matter_id, "当时在医院。")
    asked = Judgement(sanctions=(GivenSanction("warning"),), loss=True, referral=True)
    await judge(desk, matter_id, judgement=asked)
    await desk.until(lambda _: desk.rows(Review, matter_id=matter_id, stage="referral"), "the question to Legal")

    appeal_id = await ask(desk, case, "appeal", violationId=matter_id)
    await judge(desk, appeal_id, judgement=Judgement())

    await ended(desk, appeal_id, "applied")
    await ended(desk, matter_id, "cleared")
    [review] = desk.rows(Review, matter_id=matter_id, stage="referral")
    assert (review.closed_at is not None, review.closed_because) == (True, "matter-cleared")
    await desk.until(
        lambda _: all(row.settled_at for row in desk.rows(OutboxMessage, matter_id=matter_id)),
        "the end of the violation's process",
    )
    await desk.returned(case)


@pytest.mark.requirement("R66", "R67")
async def test_an_appeal_ends_the_process_that_waits_for_the_money(desk: People) -> None:
    case = await desk.apply("cam1", requested_use_days=5)
    await desk.accept(case)
    matter_id = await ask(desk, case, "violation", by="zhaoqiang", violationKind="leak")
    await served(desk, matter_id)
    await desk.as_person(CUSTODIAN, acts.reply, matter_id, "当时在医院。")
    await judge(desk, matter_id, judgement=Judgement(sanctions=(GivenSanction("warning"),), loss=True, referral=False))
    await desk.quiet()
    await desk.entered("Task_AwaitSettlement")

    appeal_id = await ask(desk, case, "appeal", violationId=matter_id)
    await judge(desk, appeal_id, judgement=Judgement())

    await ended(desk, appeal_id, "applied")
    await desk.until(lambda _: "violation" not in desk.trace.running.values(), "the end of the process")
    await ended(desk, matter_id, "cleared")
    await desk.returned(case)
