"""Why an application came back: who sent it back and what for, field by field (R22, R24)."""

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select

from services.database.tables.applications import Application
from services.database.tables.people import Person
from services.database.tables.reviews import Decision
from services.database.unit_of_work import UnitOfWork
from services.domain.applications import completeness, findings, previews
from services.domain.applications.findings import CheckFinding
from services.domain.stages.catalogue import STAGES, Question
from services.runtime.translations import Bilingual, Message, Text

# Which field a reviewer's "no" is about.
QUESTION_FIELDS = {
    "reason-reasonable": "reason",
    "content-complete": "purpose",
    "necessary": "purpose",
    "narrowest": "items",
    "rules-met": "legalBasis",
    "security-met": "wayOfUse",
    "camera-confirmed": "items",
    "clock-offset-stated": "items",
    "span-right": "items",
}


@dataclass(frozen=True)
class Objection:
    """``by`` and ``stage`` are empty where the automatic check sent the form back. ``fields``: sentences by field."""

    by: str | None
    stage: str | None
    at: datetime
    reason: str | None
    denied: tuple[Question, ...]
    findings: tuple[CheckFinding, ...]
    fields: dict[str, list[Text]] = field(default_factory=dict)


def get_objection(uow: UnitOfWork, application: Application) -> Objection | None:
    """Return what was objected to in the returned round; None where nothing was returned."""
    decision = uow.session.scalar(
        select(Decision)
        .where(
            Decision.application_id == application.id,
            Decision.matter_id.is_(None),
            Decision.round == application.round,
            Decision.outcome == "returned",
        )
        .order_by(Decision.decided_at.desc())
        .limit(1)
    )
    rows = findings.list_of_round(uow, application.id, application.round, completeness.CHECK)
    blocking = tuple(
        CheckFinding(row.code, "blocks", Bilingual(row.zh, row.en), row.item_id)
        for row in rows
        if row.severity == "blocks"
    )
    if decision is None:
        at = rows[0].found_at if rows else application.submitted_at or application.created_at
        return Objection(None, None, at, None, (), blocking, _by_field((), blocking)) if blocking else None
    questions = STAGES[decision.stage].questions
    denied = tuple(
        question for question in questions if question.yes_to_approve and not decision.answers.get(question.code, True)
    )
    by = uow.session.get_one(Person, decision.decided_by).name
    return Objection(
        by, decision.stage, decision.decided_at, decision.reason, denied, blocking, _by_field(denied, blocking)
    )


def _by_field(denied: tuple[Question, ...], blocking: tuple[CheckFinding, ...]) -> dict[str, list[Text]]:
    fields: dict[str, list[Text]] = {}
    for question in denied:
        name = QUESTION_FIELDS.get(question.code, "reason")
        fields.setdefault(name, []).append(
            Message("“{question}” was answered “No”", question=Bilingual(question.zh, question.en))
        )
    for finding in blocking:
        fields.setdefault(previews.FIELDS.get(finding.code, "items"), []).append(finding.message)
    return fields
