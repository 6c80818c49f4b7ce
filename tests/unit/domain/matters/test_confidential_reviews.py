"""A review of a matter that not everybody sees who sees the case: nothing of it gets to the applicant's side."""

from collections.abc import Iterator

import pytest
from loan_matter import LoanDesk, lent
from portal_client import Portal
from prepared_desk import prepared_desk
from review_desk import ReviewDesk

from services.database.tables.notices import Notice
from services.database.tables.reviews import ApplicantQuestion
from services.database.unit_of_work import UnitOfWork
from services.domain.access.violations import KINDS
from services.domain.audit import trail as audit_trail
from services.domain.cases import inbox
from services.domain.cases import queries as case_queries
from services.domain.matters import queries as matter_queries
from services.domain.matters.violations import acts, tasks
from services.domain.matters.violations.assessment import Assessment
from services.domain.reviews import questions
from services.domain.reviews import tasks as review_tasks
from services.runtime.errors import NotFound, Refused

LEAK = Assessment("severe", "violation-management", suspend_person=True, referral_asked=True)
STAGE, TEXT = "violation-management", "泄露的录像是谁从他的电脑上看到的？"


def leaked(desk: ReviewDesk) -> dict[str, str]:
    """A loan whose copy was leaked, as Security has recorded; the custodian has replied, and management decides."""
    ids = lent(desk)
    loan = LoanDesk(desk, ids)
    ids["matter_id"] = loan.ask("violation", "security-head", violationKind="leak")
    desk.run(tasks.assess, ids["matter_id"], loan.instance)
    desk.run(tasks.serve, ids["matter_id"], LEAK)
    desk.run(acts.reply, ids["matter_id"], "当时在医院。", by="keeper")
    return {**ids, "review_id": loan.open(ids["matter_id"], STAGE)}


@pytest.fixture
def leak(any_database_url: str) -> Iterator[LoanDesk]:
    desk, ids = prepared_desk(any_database_url, leaked)
    yield LoanDesk(desk, ids)
    desk.close()


def store_question(leak: LoanDesk) -> str:
    """A question as an earlier release let the manager ask it; its id."""

    def act(uow: UnitOfWork) -> str:
        question = ApplicantQuestion(
            review_id=leak.ids["review_id"],
            application_id=leak.application_id,
            asked_by="manager",
            asked_at=uow.now,
            text=TEXT,
        )
        uow.session.add(question)
        uow.session.flush()
        audit_trail.record(
            uow,
            "applicant-asked",
            "review",
            leak.ids["review_id"],
            application_id=leak.application_id,
            stage=STAGE,
            question=question.id,
            text=TEXT,
        )
        return question.id

    return leak.desk.run(act, by="manager")


@pytest.mark.requirement("R2", refuses=True)
async def test_no_question_about_a_matter_goes_to_the_applicant(leak: LoanDesk) -> None:
    review_id = leak.ids["review_id"]
    async with Portal(leak.desk) as portal:
        manager = await portal.signed_in("manager")
        answer = await manager.post(f"/api/reviews/{review_id}/questions", json={"text": TEXT})
        assert (answer.status_code, answer.json()["code"]) == (409, "matter-not-asked"), answer.text
        assert "applicant" in answer.json()["en"]
        page = await manager.get(f"/reviews/{review_id}")
        assert f"/reviews/{review_id}/questions" not in page.text
        drafter = await portal.signed_in("drafter")
        for address in (f"/cases/{leak.application_id}", f"/api/cases/{leak.application_id}"):
            shown = await drafter.get(address)
            assert shown.status_code == 200
            assert TEXT not in shown.text
    assert leak.desk.all(ApplicantQuestion, review_id=review_id) == []
    assert leak.desk.all(Notice, code="applicant-asked", subject_id=review_id) == []


@pytest.mark.requirement("R2", refuses=True)
def test_what_an_earlier_release_let_somebody_ask_is_neither_shown_nor_answered(leak: LoanDesk) -> None:
    question_id = store_question(leak)
    for by in ("drafter", "head", "keeper"):
        case = leak.desk.run(case_queries.get_case, leak.application_id, by=by)
        assert [question.stage for question in case.applicant_questions] == ["storage-release"]
        assert TEXT not in case.model_dump_json()
    for by in ("drafter", "head"):
        with pytest.raises(NotFound):
            leak.desk.run(questions.answer, leak.application_id, question_id, "不知道。", by=by)


@pytest.mark.requirement("R2", refuses=True)
def test_who_sees_the_case_and_not_the_violation_reads_none_of_its_reviews(leak: LoanDesk) -> None:
    """The case's time line names the review; the head of the department and the accused see the violation."""
    desk, review_id = leak.desk, leak.ids["review_id"]
    assert desk.run(case_queries.get_case, leak.application_id, by="drafter").number
    with pytest.raises(NotFound):
        desk.run(matter_queries.get, leak.ids["matter_id"], by="drafter")
    for act in (inbox.get_review, review_tasks.claim, lambda uow, one: questions.ask(uow, one, TEXT)):
        with pytest.raises(NotFound):
            desk.run(act, review_id, by="drafter")
    for by in ("head", "keeper", "security-head", "manager"):
        view = desk.run(inbox.get_review, review_id, by=by)
        assert view.matter is not None
        assert view.matter.kind in KINDS
    with pytest.raises(Refused):
        desk.run(review_tasks.claim, review_id, by="head")
