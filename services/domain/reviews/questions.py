"""What a reviewer asks the applicant while a review is open; the review's limit goes on, and the form stays as it is.

Those ask who may decide the review now, and those answer who act for the applicant. Question and answer are on the
audit trail in full, so that the evidence package has them with its events. Of a matter nobody asks: the applicant may
not even know of it. What an earlier release let somebody ask of one is neither shown to the applicant nor answered.
"""

from sqlalchemy import func, select
from sqlalchemy.orm import aliased

from services.database.tables.applications import Application
from services.database.tables.people import Person
from services.database.tables.reviews import ApplicantQuestion, Review
from services.database.unit_of_work import UnitOfWork
from services.domain.applications import service as application_service
from services.domain.audit import trail as audit_trail
from services.domain.notifications import service as notification_service
from services.domain.reviews import service, tasks
from services.domain.reviews.schemas import AskedQuestion
from services.domain.reviews.service import refused_missing
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message

MOST_QUESTIONS = 20  # of one review
ASKER, ANSWERER = aliased(Person), aliased(Person)


def ask(uow: UnitOfWork, review_id: str, text: str) -> ApplicantQuestion:
    """Ask the applicant, as somebody who may decide the review; Refused for everybody else, and once it is decided."""
    review = tasks.lock_open(uow, review_id)
    if review.stage == "receipt":
        raise Refused("receipt-elsewhere", "Accept or decline the copies on the hand-over page.")
    if review.matter_id is not None:
        raise Refused(
            "matter-not-asked",
            "This review is about a matter, and a question here goes to the applicant of the case: nothing was sent. "
            "Decide by what the matter has, or give what is missing as your reason.",
        )
    service.require_no_proposal(uow, review)
    tasks.require_may_decide(uow, review)
    text = _checked(text, Message("Enter your question."))
    count = select(func.count()).select_from(ApplicantQuestion).where(ApplicantQuestion.review_id == review.id)
    if (uow.session.scalar(count) or 0) >= MOST_QUESTIONS:
        raise Refused(
            "too-many-questions",
            "A review can have at most {most} questions: decide the review or return the form.",
            most=MOST_QUESTIONS,
        )
    question = ApplicantQuestion(
        review_id=review.id, application_id=review.application_id, asked_by=uow.actor.id, asked_at=uow.now, text=text
    )
    uow.session.add(question)
    uow.session.flush()
    audit_trail.record(
        uow,
        "applicant-asked",
        "review",
        review.id,
        application_id=review.application_id,
        stage=review.stage,
        question=question.id,
        text=text,
    )
    drafter_id = uow.session.get_one(Application, review.application_id).drafter_id
    notification_service.notify(
        uow, drafter_id, "applicant-asked", application_id=review.application_id, subject_id=review.id
    )
    return question


def answer(uow: UnitOfWork, application_id: str, question_id: str, text: str) -> ApplicantQuestion:
    """Answer for the applicant, once, while the review is open. NotFound for who does not act for the applicant."""
    application_service.get_own(uow, application_id)
    question = uow.session.get(ApplicantQuestion, question_id)
    if question is None or question.application_id != application_id or _is_of_matter(uow, question):
        raise NotFound(Message("question"), question_id)
    try:
        review = tasks.lock_open(uow, question.review_id)
    except Refused as refusal:
        if refusal.code not in ("review-closed", "no-longer-asked"):
            raise
        raise Refused("review-closed", "The review is closed: its questions can no longer be answered.") from refusal
    application_service.get_own(uow, application_id)  # others may have acted while this unit waited for the locks
    uow.session.refresh(question)
    if question.answered_at is not None:
        raise Refused("answered-already", "This question is already answered.")
    if question.asked_by == uow.actor.id:
        raise Refused(
            "own-question", "You asked this question: another person must answer it for the applicant.", status=403
        )
    question.answer = _checked(text, Message("Enter your answer."))
    question.answered_by, question.answered_at = uow.actor.id, uow.now
    audit_trail.record(
        uow,
        "applicant-answered",
        "review",
        review.id,
        application_id=application_id,
        stage=review.stage,
        question=question.id,
        text=question.answer,
    )
    uow.session.flush()
    unanswered = select(ApplicantQuestion.id).where(
        ApplicantQuestion.review_id == review.id, ApplicantQuestion.answered_at.is_(None)
    )
    if uow.session.scalar(unanswered.limit(1)) is None:
        notification_service.mark_done(uow, "question", subject_id=review.id)
    notification_service.notify(
        uow, question.asked_by, "applicant-answered", application_id=application_id, subject_id=review.id
    )
    return question


def list_of_application(uow: UnitOfWork, application: Application) -> list[AskedQuestion]:
    """List what reviewers of the application have asked, in all rounds, oldest first; one statement."""
    query = (
        select(ApplicantQuestion, Review, ASKER.name, ANSWERER.name)
        .join(Review, Review.id == ApplicantQuestion.review_id)
        .join(ASKER, ASKER.id == ApplicantQuestion.asked_by)
        .outerjoin(ANSWERER, ANSWERER.id == ApplicantQuestion.answered_by)
        .where(ApplicantQuestion.application_id == application.id, Review.matter_id.is_(None))
        .order_by(ApplicantQuestion.asked_at, ApplicantQuestion.id)
    )
    rows = uow.session.execute(query).all()
    running = application.closed_at is None and application.withdrawn_at is None
    own = bool(rows) and running and application_service.is_of_applicant(uow, application)
    return [
        AskedQuestion(
            id=question.id,
            review_id=review.id,
            stage=review.stage,
            round=review.round,
            asked_by=asker,
            asked_at=question.asked_at,
            text=question.text,
            answered_by=answerer,
            answered_at=question.answered_at,
            answer=question.answer,
            may_answer=own
            and review.closed_at is None
            and question.answered_at is None
            and question.asked_by != uow.actor.id,
        )
        for question, review, asker, answerer in rows
    ]


def _is_of_matter(uow: UnitOfWork, question: ApplicantQuestion) -> bool:
    return uow.session.get_one(Review, question.review_id).matter_id is not None


def _checked(text: str, missing: Message) -> str:
    text = text.strip()
    if not text:
        raise refused_missing("text", missing)
    return text
