"""What the case waits for from the person who reads it."""

from services.domain.access import policy as access_policy
from services.domain.access import queries as access_queries
from services.domain.applications import joint
from services.domain.applications import service as application_service
from services.domain.cases.rows import CaseRows
from services.domain.cases.schemas.case import NextAct
from services.domain.custody import heads, naming, suspensions
from services.domain.process import permissions


def of_case(rows: CaseRows) -> list[NextAct]:
    """List what the actor may do now for the case, the most pressing first."""
    application = rows.application
    if application.closed_at is not None or application.withdrawn_at is not None:
        return []
    return [*_as_applicant(rows), *_questions(rows), *_consents(rows), *_reviews(rows), *_as_custodian(rows)]


def may_withdraw(rows: CaseRows) -> bool:
    """Return whether the actor may withdraw the application now."""
    application = rows.application
    copied = {row.item.id for row in rows.items if row.copy is not None}
    ready = application_service.copies_ready([row.item for row in rows.items], copied)
    return (
        application.withdrawn_at is None
        and is_own(rows)
        and application_service.withdrawal_refusal(
            application, handed_over=rows.head.hand_over is not None, copies_ready=ready
        )
        is None
    )


def may_name_custodian(rows: CaseRows) -> bool:
    """Return whether the actor may name another custodian now: from the filing until the copies are accepted."""
    application = rows.application
    number = permissions.form_number(application)
    filed = any(document.kind == "application-form" and document.number == number for document in rows.documents)
    return (
        filed
        and application.correction_until is None
        and naming.is_open(rows.uow, application, rows.head.hand_over)
        and naming.may_name(rows.uow, application)
    )


def may_return_in_place(rows: CaseRows) -> bool:
    """Return whether the actor may return the copies now in the place of a custodian who has left."""
    hand_over = rows.head.hand_over
    return hand_over is not None and suspensions.is_held(hand_over) and heads.stands_in(rows.uow, hand_over)


def are_departments_asked(rows: CaseRows) -> bool:
    """Return whether the form waits for joint departments: it is theirs to answer, and not the applicant's turn."""
    return any(consultation.ended_at is None for consultation, _, _ in rows.consents)


def _as_applicant(rows: CaseRows) -> list[NextAct]:
    application = rows.application
    if not is_own(rows) or are_departments_asked(rows):
        return []
    if application.submitted_at is None:
        return [NextAct(kind="submit", subject_id=application.id)]
    if application.correction_until is not None:
        return [NextAct(kind="correct", subject_id=application.id, due_at=application.correction_until)]
    return []


def is_own(rows: CaseRows) -> bool:
    """Return whether the actor is on the applicant's side, and may correct and withdraw."""
    return application_service.is_of_applicant(rows.uow, rows.application)


def _consents(rows: CaseRows) -> list[NextAct]:
    uow = rows.uow
    return [
        NextAct(kind="consent", subject_id=consent.id, due_at=consultation.due_at)
        for consultation, consent, department in rows.consents
        if consultation.ended_at is None and consultation.due_at > uow.now and consent.answer is None
        if uow.actor.id in joint.answerers(uow, rows.application, department.id)
    ]


def _questions(rows: CaseRows) -> list[NextAct]:
    """Return the first question that waits for the applicant's answer, due when its review is."""
    due = {row.review.id: row.review.due_at for row in rows.reviews}
    waiting = [question for question in rows.questions if question.may_answer]
    return [
        NextAct(kind="answer", subject_id=question.id, stage=question.stage, due_at=due[question.review_id])
        for question in waiting[:1]
    ]


def _reviews(rows: CaseRows) -> list[NextAct]:
    uow = rows.uow
    waiting = [row for row in rows.reviews if row.review.closed_at is None and row.review.stage != "receipt"]
    if not waiting:
        return []
    directory, facts = access_queries.load_directory(uow), access_queries.load_facts(uow, rows.application.id)
    return [
        NextAct(
            kind="confirm" if row.proposed else "decide",
            subject_id=row.review.id,
            stage=row.review.stage,
            due_at=row.review.due_at,
        )
        for row in waiting
        if access_policy.refusal_for(directory, facts, row.review, uow.actor.id, second=row.proposed) is None
    ]


def _as_custodian(rows: CaseRows) -> list[NextAct]:
    hand_over = rows.head.hand_over
    if hand_over is None or hand_over.custodian_id != rows.uow.actor.id or hand_over.ended_at is not None:
        return []
    if hand_over.accepted_at is None:
        offered = hand_over.declined_at is None
        return [NextAct(kind="accept", subject_id=hand_over.id, due_at=hand_over.take_up_until)] if offered else []
    if hand_over.returned_at is None and hand_over.lost_at is None:
        return [NextAct(kind="return", subject_id=hand_over.id, due_at=hand_over.due_at)]
    return []
