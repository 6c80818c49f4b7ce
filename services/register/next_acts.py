"""What the case waits for from the person who looks at it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import select

from services.register import decisions, duties, joint_departments, submissions
from services.register.applications import Application
from services.register.consents import Consent, Consultation
from services.register.custody import HandOver
from services.register.reviews import Review
from services.register.unit import Unit
from services.runtime.errors import NotFound

Kind = Literal["hand-in", "correct", "consent", "decide", "confirm", "accept", "give-back"]


@dataclass(frozen=True)
class NextAct:
    """One act that the acting person may do now. ``subject_id`` is that of the application, review, consent or
    hand-over that it is about; ``stage`` is the review's, ``due_at`` when it has to be done."""

    kind: Kind
    subject_id: str
    stage: str | None = None
    due_at: datetime | None = None


def of_case(unit: Unit, application: Application) -> list[NextAct]:
    """What the acting person may do now for the case, the most pressing first."""
    if application.closed_at is not None or application.withdrawn_at is not None:
        return []
    return [
        *_as_applicant(unit, application),
        *_consents(unit, application),
        *_reviews(unit, application),
        *_as_custodian(unit, application),
    ]


def _as_applicant(unit: Unit, application: Application) -> list[NextAct]:
    if not is_own(unit, application):
        return []
    if application.submitted_at is None:
        return [NextAct("hand-in", application.id)]
    if application.correction_until is not None:
        return [NextAct("correct", application.id, due_at=application.correction_until)]
    return []


def is_own(unit: Unit, application: Application) -> bool:
    """Whether the acting person is on the applicant's side, and may correct and withdraw."""
    try:
        submissions.own(unit, application.id)
    except NotFound:
        return False
    return True


def may_withdraw(unit: Unit, application: Application) -> bool:
    """Whether the acting person may withdraw the application now."""
    withdrawn = application.withdrawn_at is not None
    return not withdrawn and is_own(unit, application) and submissions.why_not_withdraw(unit, application) is None


def _consents(unit: Unit, application: Application) -> list[NextAct]:
    query = (
        select(Consent, Consultation)
        .join(Consultation, Consultation.id == Consent.consultation_id)
        .where(
            Consent.application_id == application.id,
            Consultation.ended_at.is_(None),
            Consultation.due_at > unit.now,
            Consent.answer.is_(None),
        )
    )
    return [
        NextAct("consent", consent.id, due_at=consultation.due_at)
        for consent, consultation in unit.session.execute(query)
        if unit.actor.id in joint_departments.answerers(unit, application, consent.department_id)
    ]


def _reviews(unit: Unit, application: Application) -> list[NextAct]:
    query = select(Review).where(
        Review.application_id == application.id, Review.closed_at.is_(None), Review.stage != "receipt"
    )
    acts = []
    for review in unit.session.scalars(query):
        second = decisions.open_proposal(unit, review) is not None
        if duties.why_not(unit, review, unit.actor.id, second=second) is None:
            acts.append(NextAct("confirm" if second else "decide", review.id, review.stage, review.due_at))
    return acts


def _as_custodian(unit: Unit, application: Application) -> list[NextAct]:
    hand_over = unit.session.scalar(select(HandOver).where(HandOver.application_id == application.id))
    if hand_over is None or hand_over.custodian_id != unit.actor.id or hand_over.ended_at is not None:
        return []
    if hand_over.accepted_at is None:
        offered = hand_over.declined_at is None
        return [NextAct("accept", hand_over.id, due_at=hand_over.take_up_until)] if offered else []
    if hand_over.returned_at is None and hand_over.lost_at is None:
        return [NextAct("give-back", hand_over.id, due_at=hand_over.due_at)]
    return []
