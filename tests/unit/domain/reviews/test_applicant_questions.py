"""What a reviewer asks the applicant while a review is open: who asks, who answers, what stays on record."""

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from review_desk import ReviewDesk

from services.database.tables.applications import Application
from services.database.tables.audit import AuditEvent
from services.database.tables.notices import Notice
from services.database.tables.reviews import ApplicantQuestion, Review
from services.domain.access import queries as access_queries
from services.domain.applications import forms
from services.domain.applications import service as application_service
from services.domain.notifications import queries as notice_queries
from services.domain.reviews import questions, tasks
from services.evidence import case_file
from services.runtime.errors import NotFound, Refused

ASKED, ANSWERED = "货物是从哪一个门运出的？", "三号门，运出时间约为十点。"


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


def at_security(desk: ReviewDesk, **changes: object) -> tuple[str, str]:
    application_id = desk.submitted(**changes)
    desk.decide(desk.opened(application_id, "preliminary"), "head")
    return application_id, desk.opened(application_id, "security")


def asked(desk: ReviewDesk, review_id: str, by: str = "reviewer", text: str = ASKED) -> str:
    return desk.run(lambda uow: questions.ask(uow, review_id, text).id, by=by)


def refusal_of(desk: ReviewDesk, *call: object, by: str) -> str:
    with pytest.raises((Refused, NotFound)) as refused:
        desk.run(*call, by=by)  # type: ignore[arg-type]  # an act and its arguments
    return "not-found" if isinstance(refused.value, NotFound) else refused.value.code


def open_notices(desk: ReviewDesk, person_id: str) -> list[str]:
    return [line.code for line in desk.run(notice_queries.list_own, unread_only=True, by=person_id)]


@pytest.mark.requirement("R22", "R24")
def test_a_question_and_its_answer_are_on_record_and_change_neither_form_nor_limit(desk: ReviewDesk) -> None:
    application_id, review_id = at_security(desk)
    due_at, form = desk.the(Review, id=review_id).due_at, desk.form_sha256(review_id)
    desk.clock.turn(timedelta(hours=1))

    question_id = asked(desk, review_id)
    assert open_notices(desk, "drafter")[0] == "applicant-asked"
    desk.clock.turn(timedelta(hours=1))
    desk.run(questions.answer, application_id, question_id, f"  {ANSWERED} ", by="drafter")

    [line] = desk.run(lambda uow: questions.list_of_application(uow, uow.session.get_one(Application, application_id)))
    assert (line.stage, line.asked_by, line.text) == ("security", "reviewer", ASKED)
    assert (line.answered_by, line.answer) == ("drafter", ANSWERED)
    assert line.answered_at is not None
    assert line.answered_at - line.asked_at == timedelta(hours=1)
    assert "applicant-asked" not in open_notices(desk, "drafter")
    assert open_notices(desk, "reviewer")[0] == "applicant-answered"
    review = desk.the(Review, id=review_id)
    assert (review.due_at, review.closed_at, review.claimed_by) == (due_at, None, None)
    assert desk.form_sha256(review_id) == form
    assert ASKED not in json.dumps(
        desk.run(lambda uow: forms.to_json(uow, uow.session.get_one(Application, application_id))), ensure_ascii=False
    )
    desk.decide(review_id, "reviewer")


@pytest.mark.requirement("R24", verb="recorded")
def test_the_trail_and_so_the_evidence_package_has_both_in_full(desk: ReviewDesk) -> None:
    application_id, review_id = at_security(desk)
    question_id = asked(desk, review_id)
    desk.run(questions.answer, application_id, question_id, ANSWERED, by="drafter")

    events = desk.run(lambda uow: case_file.list_events(uow, application_id, []))

    told = {event.action: (event.actor_id, json.loads(event.entry)["detail"]) for event in events}
    of_it = {"stage": "security", "question": question_id}
    assert told["applicant-asked"] == ("reviewer", {**of_it, "text": ASKED})
    assert told["applicant-answered"] == ("drafter", {**of_it, "text": ANSWERED})
    # what is signed stays what it was
    assert desk.all(AuditEvent, action="review-decided", subject_id=review_id) == []


@pytest.mark.requirement("R22", "R24", refuses=True)
@pytest.mark.parametrize(
    ("by", "code"),
    [
        ("drafter", "was-applicant"),
        ("head", "was-preliminary"),
        ("security-head", "not-yet"),
        ("admin", "not-found"),
        ("operator", "not-found"),
        ("supervisor", "not-yours"),
    ],
)
def test_only_who_may_decide_asks(desk: ReviewDesk, by: str, code: str) -> None:
    _, review_id = at_security(desk)

    assert refusal_of(desk, questions.ask, review_id, ASKED, by=by) == code

    assert desk.all(ApplicantQuestion) == []


@pytest.mark.requirement("R24", refuses=True)
def test_nobody_asks_what_is_claimed_decided_or_closed(desk: ReviewDesk) -> None:
    application_id, review_id = at_security(desk)
    desk.run(tasks.claim, review_id, by="reviewer2")
    assert refusal_of(desk, questions.ask, review_id, ASKED, by="reviewer") == "claimed"
    desk.decide(review_id, "reviewer2")
    assert refusal_of(desk, questions.ask, review_id, ASKED, by="reviewer2") == "review-closed"
    desk.decide(desk.opened(application_id, "security-signature"), "security-head")
    desk.classed(application_id, second_person=True)
    release = desk.opened(application_id, "storage-release")
    desk.decide(release, "operator")

    # it is decided, and the second person confirms or disagrees
    for operator in ("operator", "operator2"):
        assert refusal_of(desk, questions.ask, release, ASKED, by=operator) == "second-person-needed"
    desk.offered(application_id)
    receipt = desk.opened(application_id, "receipt")
    assert refusal_of(desk, questions.ask, receipt, ASKED, by="keeper") == "receipt-elsewhere"
    assert desk.all(ApplicantQuestion) == []


@pytest.mark.requirement("R16", "R55", refuses=True)
@pytest.mark.parametrize("by", ["keeper", "reviewer", "security-head", "supervisor", "admin", "operator", "manager"])
def test_only_the_applicants_side_answers(desk: ReviewDesk, by: str) -> None:
    application_id, review_id = at_security(desk)
    question_id = asked(desk, review_id)

    assert refusal_of(desk, questions.answer, application_id, question_id, ANSWERED, by=by) == "not-found"

    assert desk.the(ApplicantQuestion).answer is None


def test_the_head_answers_for_the_department_but_not_what_the_head_asked(desk: ReviewDesk) -> None:
    application_id = desk.submitted()
    own = asked(desk, desk.opened(application_id, "preliminary"), by="head")
    assert refusal_of(desk, questions.answer, application_id, own, ANSWERED, by="head") == "own-question"
    desk.run(questions.answer, application_id, own, ANSWERED, by="drafter")
    desk.decide(desk.the(Review, stage="preliminary").id, "head")
    question_id = asked(desk, desk.opened(application_id, "security"))

    desk.run(questions.answer, application_id, question_id, ANSWERED, by="head")

    assert desk.the(ApplicantQuestion, id=question_id).answered_by == "head"
    # an answer is no duty: the head still decides what the head has decided before
    assert "head" not in desk.run(access_queries.load_facts, application_id).done["applicant"]


def test_whom_the_case_concerns_neither_answers_nor_reads(desk: ReviewDesk) -> None:
    application_id = desk.submitted(subject_ids=("head",))
    question_id = asked(desk, desk.opened(application_id, "preliminary"), by="deputy")

    assert refusal_of(desk, questions.answer, application_id, question_id, ANSWERED, by="head") == "not-found"


def test_it_is_answered_once_and_while_the_review_is_open(desk: ReviewDesk) -> None:
    application_id, review_id = at_security(desk)
    first, second = asked(desk, review_id), asked(desk, review_id)
    other_id = desk.submitted()
    assert refusal_of(desk, questions.answer, other_id, first, ANSWERED, by="drafter") == "not-found"
    assert refusal_of(desk, questions.answer, application_id, "none", ANSWERED, by="drafter") == "not-found"
    desk.run(questions.answer, application_id, first, ANSWERED, by="drafter")
    assert "applicant-asked" in open_notices(desk, "drafter")  # the other still waits
    assert refusal_of(desk, questions.answer, application_id, first, "anders", by="head") == "answered-already"

    desk.decide(review_id, "reviewer")

    assert refusal_of(desk, questions.answer, application_id, second, ANSWERED, by="drafter") == "review-closed"
    assert "applicant-asked" not in open_notices(desk, "drafter")
    assert "applicant-answered" not in open_notices(desk, "reviewer")
    assert desk.the(ApplicantQuestion, id=first).answer == ANSWERED


def test_nobody_answers_of_a_withdrawn_application(desk: ReviewDesk) -> None:
    application_id, review_id = at_security(desk)
    question_id = asked(desk, review_id)
    desk.run(application_service.withdraw, application_id, "不再需要", by="drafter")

    assert refusal_of(desk, questions.answer, application_id, question_id, ANSWERED, by="drafter") == "withdrawn"
    assert refusal_of(desk, questions.ask, review_id, ASKED, by="reviewer") == "withdrawn"
    [line] = desk.run(
        lambda uow: questions.list_of_application(uow, uow.session.get_one(Application, application_id)), by="drafter"
    )
    assert not line.may_answer


def test_a_blank_question_and_too_many_are_refused(desk: ReviewDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "MOST_QUESTIONS", 2)
    application_id, review_id = at_security(desk)
    assert refusal_of(desk, questions.ask, review_id, " \n", by="reviewer") == "missing"
    first = asked(desk, review_id)
    assert refusal_of(desk, questions.answer, application_id, first, "", by="drafter") == "missing"
    asked(desk, review_id)

    assert refusal_of(desk, questions.ask, review_id, ASKED, by="reviewer") == "too-many-questions"


def test_who_stands_in_for_an_absent_drafter_is_told_too(desk: ReviewDesk) -> None:
    _, review_id = at_security(desk)
    desk.away("drafter")

    asked(desk, review_id)

    assert {notice.person_id for notice in desk.all(Notice, code="applicant-asked")} == {"drafter", "head"}
