"""A claimed review is given to another candidate: by whom, to whom, and who is told."""

import json
from collections.abc import Iterator

import pytest
from review_desk import ReviewDesk

from services.database.tables.audit import AuditEvent
from services.database.tables.notices import Notice
from services.database.tables.reviews import Review
from services.domain.reviews import assignment, tasks
from services.runtime.errors import NotFound, Refused


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


def claimed(desk: ReviewDesk, stage: str, by: str, **changes: object) -> str:
    review_id = desk.opened(desk.submitted(**changes), stage)
    desk.run(tasks.claim, review_id, by=by)
    return review_id


def refusal_of(desk: ReviewDesk, review_id: str, person_id: str, by: str) -> str:
    with pytest.raises((Refused, NotFound)) as refused:
        desk.run(assignment.reassign, review_id, person_id, by=by)
    return "not-found" if isinstance(refused.value, NotFound) else refused.value.code


@pytest.mark.requirement("R24", refuses=True)
@pytest.mark.parametrize("by", ["security-head", "security-deputy"])
def test_the_head_and_the_deputy_give_it_to_another_candidate_who_is_told(desk: ReviewDesk, by: str) -> None:
    review_id = claimed(desk, "security", "reviewer")

    desk.run(assignment.reassign, review_id, "reviewer2", by=by)

    assert desk.the(Review, id=review_id).claimed_by == "reviewer2"
    event = desk.the(AuditEvent, action="review-reassigned")
    detail = {"stage": "security", "claimed_by": "reviewer", "given_to": "reviewer2"}
    assert (event.actor_id, event.subject_id, json.loads(event.entry)["detail"]) == (by, review_id, detail)
    [told] = desk.all(Notice, code="review-assigned")
    assert (told.person_id, told.subject_id) == ("reviewer2", review_id)
    with pytest.raises(Refused) as kept:
        desk.decide(review_id, "reviewer")
    assert kept.value.code == "claimed"
    desk.decide(review_id, "reviewer2")
    assert desk.the(Notice, code="review-assigned").done_at is not None


@pytest.mark.requirement("R24", refuses=True)
@pytest.mark.parametrize(
    ("by", "code"),
    [
        ("reviewer", "not-the-head"),
        ("reviewer2", "not-the-head"),
        ("inspector", "not-found"),
        ("supervisor", "not-the-head"),
        ("head", "not-the-head"),  # of the applicant's department
        ("deputy", "not-the-head"),
        ("drafter", "was-applicant"),
        ("board-head", "not-found"),
        ("admin", "not-found"),
    ],
)
def test_nobody_else_gives_it_away(desk: ReviewDesk, by: str, code: str) -> None:
    review_id = claimed(desk, "security", "reviewer")

    assert refusal_of(desk, review_id, "reviewer2", by) == code

    assert desk.the(Review, id=review_id).claimed_by == "reviewer"
    assert desk.all(AuditEvent, action="review-reassigned") == []


@pytest.mark.requirement("R24", refuses=True)
def test_it_is_given_to_none_but_a_candidate(desk: ReviewDesk) -> None:
    review_id = claimed(desk, "security", "reviewer", subject_ids=("inspector",))
    desk.away("reviewer2")

    # one who is away, has the claim, stands in, drafted it, is of another office, is nobody
    for person_id in ("reviewer2", "reviewer", "security-head", "drafter", "operator", "nobody"):
        assert refusal_of(desk, review_id, person_id, "security-head") == "not-a-candidate"

    assert desk.all(Notice, code="review-assigned") == []


@pytest.mark.requirement("R24", refuses=True)
def test_what_nobody_has_claimed_or_is_decided_is_given_to_nobody(desk: ReviewDesk) -> None:
    review_id = desk.opened(desk.submitted(), "security")
    assert refusal_of(desk, review_id, "reviewer2", "security-head") == "not-claimed"
    desk.decide(review_id, "reviewer")
    assert refusal_of(desk, review_id, "reviewer2", "security-head") == "review-closed"
    assert refusal_of(desk, "none", "reviewer2", "security-head") == "not-found"


@pytest.mark.requirement("R24", refuses=True)
def test_a_head_on_the_applicants_side_has_no_say_in_who_decides(desk: ReviewDesk) -> None:
    drafted = desk.opened(desk.submitted(by="security-head", custodian_id="reviewer2"), "security")
    desk.run(tasks.claim, drafted, by="reviewer")
    concerned = claimed(desk, "security", "reviewer", subject_ids=("security-head",))

    assert refusal_of(desk, drafted, "reviewer2", "security-head") == "was-applicant"
    assert refusal_of(desk, concerned, "reviewer2", "security-head") == "not-found"


@pytest.mark.requirement("R22", refuses=True)
def test_a_deputy_takes_nothing_from_the_head(desk: ReviewDesk) -> None:
    desk.post("reviewer", "head", "works")
    review_id = claimed(desk, "preliminary", "head")
    assert refusal_of(desk, review_id, "reviewer", "deputy") == "not-the-head"

    desk.run(assignment.reassign, review_id, "reviewer", by="head")

    assert desk.the(Review, id=review_id).claimed_by == "reviewer"


@pytest.mark.requirement("R34", refuses=True)
def test_a_release_that_waits_for_its_second_person_stays_where_it_is(desk: ReviewDesk) -> None:
    desk.post("keeper", "head", "storage")
    application_id = desk.submitted(by="head", custodian_id="deputy")
    desk.classed(application_id, second_person=True)
    review_id = desk.opened(application_id, "storage-release")
    desk.run(tasks.claim, review_id, by="operator")
    desk.decide(review_id, "operator")

    assert refusal_of(desk, review_id, "operator2", "keeper") == "second-person-needed"


@pytest.mark.requirement("R46", refuses=True)
def test_a_receipt_is_its_custodians_alone(desk: ReviewDesk) -> None:
    application_id = desk.submitted()
    desk.offered(application_id)
    review_id = desk.opened(application_id, "receipt")

    assert refusal_of(desk, review_id, "drafter", "head") == "not-the-head"
