"""The answer to a person who was filmed, where the case ends without footage: a notice with the reason (R3, R58)."""

from typing import Any

from sqlalchemy import select

from services.database.tables.applications import Application
from services.database.tables.documents import Document
from services.database.tables.reviews import Decision
from services.database.unit_of_work import UnitOfWork
from services.domain.applications import outsiders
from services.domain.custody import refusal_sheet
from services.domain.documents import service as document_service
from services.domain.stages.catalogue import STAGES

KIND = "refusal-notice"
REFUSED_AS = ("rejected", "footage-unavailable", "expired")
REFUSALS = ("rejected", "refused")


def close(uow: UnitOfWork, application: Application, closed_as: str) -> None:
    """Write the notice where the request of a person who was filmed ends refused, and record that it was answered."""
    if application.on_behalf != outsiders.FILMED:
        return
    if closed_as in REFUSED_AS and application.answered_at is None:
        write_notice(uow, application, closed_as)
    outsiders.record_answer(uow, application, closed_as)


def write_notice(uow: UnitOfWork, application: Application, closed_as: str) -> Document:
    """Write the notice, once: what was asked, that it is not agreed to, and why."""

    def content() -> dict[str, Any]:
        decision = _decision(uow, application.id)
        return {
            "title": refusal_sheet.TITLE,
            "application": application.number,
            "people": [outsiders.person_to_json(row) for row in outsiders.list_of(uow, application.id)],
            "askedAt": application.submitted_at.isoformat() if application.submitted_at else None,
            "answerDueAt": application.answer_due_at.isoformat() if application.answer_due_at else None,
            "purpose": application.purpose,
            "closedAs": closed_as,
            "reason": None if decision is None else decision.reason or decision.opinion,
            "stage": None if decision is None else STAGES[decision.stage].zh,
            "decidedAt": None if decision is None else decision.decided_at.isoformat(),
            "appealUntil": application.appeal_until.isoformat() if application.appeal_until else None,
            "statement": None if decision is None else decision.statement_sha256,
        }

    return document_service.write_once(uow, KIND, application.id, content, application_id=application.id)


def _decision(uow: UnitOfWork, application_id: str) -> Decision | None:
    """Return the newest decision that has refused."""
    query = select(Decision).where(
        Decision.application_id == application_id, Decision.matter_id.is_(None), Decision.outcome.in_(REFUSALS)
    )
    return uow.session.scalar(query.order_by(Decision.decided_at.desc(), Decision.id.desc()).limit(1))
