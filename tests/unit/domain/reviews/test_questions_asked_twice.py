"""A question that the engine asks twice, or beforehand: there is one answer, and a "no" stands."""

from collections.abc import Iterator

import pytest
from review_desk import ReviewDesk

from services.database.tables.applications import Application
from services.database.tables.audit import AuditEvent
from services.database.tables.outbox import OutboxMessage
from services.database.tables.reviews import Decision, Review
from services.database.unit_of_work import UnitOfWork
from services.domain.process import permissions
from services.domain.process.permissions import CaseState
from services.domain.reviews import filing, tasks
from services.domain.reviews.classification import Classification
from services.domain.reviews.scopes import Granting
from services.domain.stages.catalogue import STAGES
from services.runtime.errors import NotPermitted, Refused

CLASS = Classification("ordinary", False, False, False, 30)
BY = {
    "preliminary": "head",
    "security": "reviewer",
    "security-signature": "security-head",
    "management": "manager",
    "storage-release": "operator",
    "partial-footage": "reviewer",
    "return-inspection": "inspector",
}
NO = [(stage, outcome) for stage in BY for outcome in STAGES[stage].outcomes if outcome != STAGES[stage].favourable]


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


def state(desk: ReviewDesk, application_id: str) -> CaseState:
    return desk.run(permissions.lock, application_id, "look")


@pytest.mark.requirement("R22", "R29", refuses=True)
@pytest.mark.parametrize(("stage", "outcome"), NO)
def test_a_no_closes_what_else_asks_the_same(stage: str, outcome: str, desk: ReviewDesk) -> None:
    application_id = desk.submitted()
    first, second = desk.opened(application_id, stage), desk.opened(application_id, stage)

    desk.decide(first, BY[stage], outcome)

    with pytest.raises(Refused) as refused:
        desk.decide(second, BY[stage])
    assert refused.value.code == "review-closed"
    assert desk.the(Review, id=second).closed_because == f"answered:{first}"
    assert desk.the(AuditEvent, action="review-closed").subject_id == second
    assert [decision.outcome for decision in desk.all(Decision)] == [outcome]


def test_the_process_that_waits_with_either_question_hears_the_answer(desk: ReviewDesk) -> None:
    application_id = desk.submitted()
    reviews = [desk.opened(application_id, "preliminary") for _ in range(3)]

    desk.decide(reviews[1], "head")

    told = {one.correlation_key: one.variables for one in desk.all(OutboxMessage, name="review-decided")}
    assert told == {review: {"decision": "approved"} for review in reviews}


def test_the_questions_of_other_cases_and_stages_stay_open(desk: ReviewDesk) -> None:
    application_id, other = desk.submitted(), desk.submitted()
    decided = desk.opened(application_id, "preliminary")
    kept = {desk.opened(application_id, "security"), desk.opened(other, "preliminary")}

    desk.decide(decided, "head")

    assert {review.id for review in desk.all(Review, closed_at=None)} == kept


@pytest.mark.requirement("R22", "R29", refuses=True)
@pytest.mark.parametrize("outcome", ["rejected", "returned"])
def test_what_was_asked_beforehand_is_answered_no_more_after_a_no(outcome: str, desk: ReviewDesk) -> None:
    application_id = desk.submitted()
    first, beforehand = desk.opened(application_id, "preliminary"), desk.opened(application_id, "security")
    desk.decide(first, "head", outcome)

    for act in (lambda: desk.decide(beforehand, "reviewer"), lambda: desk.run(tasks.claim, beforehand, by="reviewer")):
        with pytest.raises(Refused) as refused:
            act()
        assert refused.value.code == "no-longer-asked"


@pytest.mark.requirement("R25", "R50", refuses=True)
def test_security_grants_nothing_else_after_its_head_has_signed(desk: ReviewDesk) -> None:
    application_id = desk.submitted()
    desk.decide(desk.opened(application_id, "preliminary"), "head")
    desk.decide(desk.opened(application_id, "security"), "reviewer", granting=Granting(use_period_days=3))
    again = desk.opened(application_id, "security")
    desk.decide(desk.opened(application_id, "security-signature"), "security-head")

    with pytest.raises(Refused) as refused:
        desk.decide(again, "reviewer2", granting=Granting(use_period_days=20))

    assert refused.value.code == "no-longer-asked"
    assert desk.the(Application, id=application_id).granted_use_days == 3


@pytest.mark.requirement("R29", refuses=True)
@pytest.mark.parametrize("order", [("rejected", "approved"), ("approved", "rejected")])
def test_of_two_answers_to_one_question_the_no_counts_in_any_order(order: tuple[str, str], desk: ReviewDesk) -> None:
    """As a database of an earlier version may have them."""
    application_id = desk.submitted()
    desk.approved(application_id)
    [decision] = desk.all(Decision, stage="preliminary")
    second = desk.opened(application_id, "preliminary")

    def answer_twice(uow: UnitOfWork) -> None:
        known = uow.session.get_one(Decision, decision.id)
        values = {column.name: getattr(known, column.name) for column in Decision.__table__.columns}
        later = {"id": "later", "review_id": second, "decided_at": uow.now, "outcome": order[1]}
        known.outcome = order[0]
        uow.session.add(Decision(**{**values, **later}))

    desk.clock.turn(desk.rules.notify_limit)
    desk.run(answer_twice)

    found = state(desk, application_id)
    assert found.rejected_in("approval") == "preliminary"
    assert not found.has_ended_with("preliminary")
    assert "rejected" in desk.run(lambda uow: permissions.releases(uow, permissions.lock(uow, application_id, "look")))
    with pytest.raises(NotPermitted, match="preliminary has not ended"):
        desk.run(filing.file, application_id, CLASS)
