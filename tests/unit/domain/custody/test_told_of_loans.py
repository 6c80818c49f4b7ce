"""Who answers for a loan is told of what goes wrong with it: the department's head, and the head of Security."""

from datetime import timedelta

import pytest
from review_desk import ReviewDesk

from services.database.tables.applications import Application
from services.database.tables.custody import HandOver
from services.database.tables.notices import Notice
from services.database.tables.people import Post
from services.database.unit_of_work import UnitOfWork
from services.domain.cameras import measurements
from services.domain.custody import hand_overs, violations
from services.domain.notifications import service as notification_service
from services.domain.notifications.texts import get_text

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
    desk.run(notification_service.mark_done, "return", subject_id=hand_over.id)
    assert told(desk, "department-overdue") == set()


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
