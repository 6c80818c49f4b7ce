"""Who answers for a loan is told of what goes wrong with it: the department's head, and the head of Security."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from loan_matter import LoanDesk
from loan_matter import lent as lent_out
from prepared_desk import prepared_desk
from review_desk import ReviewDesk

from services.database.tables.applications import Application
from services.database.tables.custody import HandOver
from services.database.tables.notices import Notice
from services.database.tables.people import Post
from services.database.unit_of_work import UnitOfWork
from services.domain.cameras import measurements
from services.domain.custody import hand_overs, use_period, violations
from services.domain.notifications import service
from services.domain.notifications.texts import codes_of, get_text

DAY = timedelta(days=1)
REVIEWERS = {"reviewer", "reviewer2", "supervisor"}


def lent(desk: ReviewDesk, **changes: object) -> HandOver:
    """A loan that is due in ten days."""
    application_id = desk.submitted(**changes)
    now = desk.clock.now()
    desk.offered(application_id, accepted_at=now, due_at=now + 10 * DAY)
    return desk.the(HandOver, application_id=application_id)


def violated(desk: ReviewDesk, hand_over: HandOver, kind: str) -> None:
    def act(uow: UnitOfWork) -> None:
        violations.open_once(uow, uow.session.get_one(HandOver, hand_over.id), kind, {})

    desk.run(act)


def reminded(desk: ReviewDesk, hand_over: HandOver) -> None:
    desk.run(hand_overs.remind, hand_over.application_id, hand_over.id, next(desk.keys))


def told(desk: ReviewDesk, code: str) -> set[str]:
    return {notice.person_id for notice in desk.all(Notice, code=code) if notice.done_at is None}


@pytest.mark.requirement("R45", "R48", "R51")
@pytest.mark.parametrize("kind", violations.KINDS)
def test_both_heads_are_told_of_each_violation(desk: ReviewDesk, kind: str) -> None:
    hand_over = lent(desk)
    for _ in range(2):
        violated(desk, hand_over, kind)

    assert told(desk, f"violation-{kind}") == {"keeper", "head", "security-head", *REVIEWERS}
    assert len(desk.all(Notice, code=f"violation-{kind}")) == 6
    assert get_text(f"violation-{kind}").work == "violation"


@pytest.mark.parametrize("kind", violations.KINDS)
def test_where_a_head_is_missing_the_deputy_is_told(desk: ReviewDesk, kind: str) -> None:
    def end(uow: UnitOfWork) -> None:
        for post in uow.session.query(Post).filter(Post.kind == "head", Post.department_id.in_(("works", "security"))):
            post.until = uow.now

    desk.run(end)
    violated(desk, lent(desk), kind)

    assert told(desk, f"violation-{kind}") == {"keeper", "deputy", "security-deputy", *REVIEWERS}


@pytest.mark.requirement("R2")
def test_nobody_whom_the_case_concerns_learns_of_it(desk: ReviewDesk) -> None:
    subjects = ("head", "security-head", "reviewer", "supervisor")
    hand_over = lent(desk, subject_ids=subjects)
    violated(desk, hand_over, "overdue")
    desk.clock.turn(11 * DAY)
    reminded(desk, hand_over)

    assert told(desk, "violation-overdue") == {"keeper", "deputy", "security-deputy", "reviewer2"}
    assert told(desk, "department-overdue") == {"deputy"}
    desk.run(
        lambda uow: setattr(uow.session.get_one(Application, hand_over.application_id), "subject_ids", ["operator"])
    )
    desk.run(measurements.notify_storage, "preservation-failed", application_id=hand_over.application_id)
    assert told(desk, "preservation-failed") == {"operator2"}


@pytest.mark.requirement("R51")
def test_after_the_due_date_the_head_is_reminded_with_the_custodian(desk: ReviewDesk) -> None:
    hand_over = lent(desk)
    desk.clock.turn(9 * DAY)
    reminded(desk, hand_over)
    assert (told(desk, "return-due-soon"), told(desk, "department-overdue")) == ({"keeper"}, set())

    for _ in range(2):
        desk.clock.turn(DAY)
        reminded(desk, hand_over)

    assert told(desk, "return-overdue") == {"keeper"}
    assert [notice.person_id for notice in desk.all(Notice, code="department-overdue")] == ["head", "head"]


@pytest.fixture
def loan(any_database_url: str) -> Iterator[LoanDesk]:
    prepared, ids = prepared_desk(any_database_url, lent_out)
    yield LoanDesk(prepared, ids)
    prepared.close()


def asked_back(desk: ReviewDesk) -> dict[str, set[str]]:
    """Whom a notice that is not done asks for the return, by its code."""
    return {code: told(desk, code) for code in codes_of("return") if told(desk, code)}


def late(loan: LoanDesk, *in_their_place: str) -> None:
    """An hour after the due date the custodian, or who is told in their place too, is reminded and suspended."""
    loan.desk.clock.turn(15 * DAY + timedelta(hours=1))
    reminded(loan.desk, loan.loan)
    loan.desk.run(hand_overs.suspend, loan.application_id, loan.loan.id)
    assert asked_back(loan.desk) == {
        "return-overdue": {"keeper", *in_their_place},
        "department-overdue": {"head"},
        "access-suspended": {"keeper", *in_their_place},
    }


@pytest.mark.requirement("R30", "R50", "R51")
def test_copies_that_may_be_kept_longer_are_overdue_for_nobody(loan: LoanDesk) -> None:
    late(loan)
    matter_id = loan.ask("extension", dueAt=loan.later(7))
    loan.agreed(matter_id, ("extension", "reviewer"))
    assert asked_back(loan.desk)["return-overdue"] == {"keeper"}  # until it is in effect
    loan.apply(matter_id)
    assert asked_back(loan.desk) == {}


@pytest.mark.requirement("R30", "R51")
def test_days_that_are_given_back_end_what_was_asked_and_a_date_that_stays_does_not(loan: LoanDesk) -> None:
    desk, hand_over_id = loan.desk, loan.loan.id
    late(loan)

    def give_back(uow: UnitOfWork, since: timedelta) -> None:
        use_period.give_back(uow, uow.session.get_one(HandOver, hand_over_id), uow.now - since, because="cleared")

    desk.run(give_back, timedelta())
    assert asked_back(desk)["return-overdue"] == {"keeper"}
    desk.run(give_back, 4 * DAY)
    assert asked_back(desk) == {}
    reminded(desk, loan.loan)
    assert asked_back(desk) == {}  # twice in twelve hours is once
    desk.clock.turn(DAY)
    reminded(desk, loan.loan)
    desk.run(give_back, timedelta())
    assert asked_back(desk) == {"return-due-soon": {"keeper"}}


@pytest.mark.requirement("R30", "R47", "R51")
@pytest.mark.parametrize("away", [False, True])
def test_who_has_handed_the_copies_on_is_asked_for_them_no_more(loan: LoanDesk, away: bool) -> None:
    if away:
        loan.desk.away("keeper")
    late(loan, *(["head"] if away else []))
    loan.desk.run(service.notify, "head", "custodian-leaves", application_id=loan.application_id)
    matter_id = loan.ask("custody-transfer", "head", toPersonId="drafter")
    loan.agreed(matter_id, ("custody-receipt", "drafter"))
    loan.apply(matter_id)
    assert [one.code for one in loan.desk.all(Notice, code="custodian-leaves") if one.done_at is None] == []
    assert asked_back(loan.desk) == {"return-overdue": {"drafter"}, "department-overdue": {"head"}}


@pytest.mark.requirement("R51")
@pytest.mark.parametrize(("days", "code"), [(1, None), (13, "return-due-soon")])
def test_who_gets_copies_that_are_soon_to_be_returned_is_told_at_once(
    loan: LoanDesk, days: int, code: str | None
) -> None:
    loan.desk.clock.turn(days * DAY)
    matter_id = loan.ask("custody-transfer", toPersonId="drafter")
    loan.agreed(matter_id, ("custody-receipt", "drafter"))
    loan.apply(matter_id)
    assert asked_back(loan.desk) == ({code: {"drafter"}} if code else {})


def test_a_head_who_keeps_the_copies_gets_one_reminder(desk: ReviewDesk) -> None:
    application_id = desk.submitted(custodian_id="head")
    now = desk.clock.now()
    desk.offered(application_id, accepted_at=now, due_at=now + DAY)
    hand_over = desk.the(HandOver, application_id=application_id)
    desk.run(lambda uow: setattr(uow.session.get_one(HandOver, hand_over.id), "custodian_id", "head"))
    desk.clock.turn(2 * DAY)

    reminded(desk, hand_over)

    assert told(desk, "return-overdue") == {"head"}
    assert told(desk, "department-overdue") == set()
