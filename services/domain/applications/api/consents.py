"""Consents of joint departments: what waits for me, the form it is about, and my answer (R17)."""

from typing import Any

from fastapi import APIRouter

from services.database.tables.consents import Consent
from services.database.tables.people import Department
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.signatures.http import FormSigning, signed
from services.domain.applications import joint
from services.domain.cases import consent_queries
from services.domain.cases.consent_queries import View, Waiting
from services.web.dependencies import GivenDatabase
from services.web.errors import USUAL, Problem, problems
from services.web.identity import Acting
from services.web.schemas import Account, Answer, Identifier, Moment

router = APIRouter(prefix="/api/consents", tags=["consents"])


class ConsentDepartmentAnswer(Answer):
    id: str
    zh: str
    en: str


class WaitingConsentAnswer(Answer):
    """A consent that I may give now. ``applicant`` would be the applying department; the footage may be gone from
    ``overwrite_at`` on, and nothing is preserved before all have consented."""

    id: str
    application_id: str
    department: ConsentDepartmentAnswer
    applicant: ConsentDepartmentAnswer
    drafter: str
    asked_at: Moment
    due_at: Moment
    overwrite_at: Moment | None


class GivenAnswer(Answer):
    """One department's answer: consented, refused, or none yet."""

    department: ConsentDepartmentAnswer
    answer: str | None
    by: str | None
    at: Moment | None
    reason: str | None


class ConsentAnswer(WaitingConsentAnswer):
    """The form, as the departments are asked about it; ``form_sha256`` goes back with the answer."""

    form: dict[str, Any]
    form_sha256: str
    answer: str | None
    ended_because: str | None
    others: list[GivenAnswer]
    why_not: Problem | None


class ConsentBody(FormSigning):
    """The department agrees that the form's department is the applicant; signed over the form's hash."""


class RefusalBody(FormSigning):
    reason: Account


@router.get("", responses=problems(401))
async def list_consents(actor: Acting, database: GivenDatabase) -> list[WaitingConsentAnswer]:
    """The consents that wait for me, the first to be overwritten first."""

    def read(uow: UnitOfWork) -> list[WaitingConsentAnswer]:
        return [WaitingConsentAnswer(**_line(line)) for line in consent_queries.waiting_for(uow)]

    return await database.run(actor, read)


@router.get("/{consent_id}", responses=problems(401, 404))
async def read_consent(consent_id: Identifier, actor: Acting, database: GivenDatabase) -> ConsentAnswer:
    """One consent with the form it is about."""
    return await database.run(actor, lambda uow: _told(consent_queries.view(uow, consent_id)))


@router.post("/{consent_id}/consent", responses=signed(*USUAL))
async def consent(consent_id: Identifier, body: ConsentBody, actor: Acting, database: GivenDatabase) -> GivenAnswer:
    """Consent for my department. With the last consent the application is submitted."""

    def act(uow: UnitOfWork) -> GivenAnswer:
        return _given(*consent_queries.named(uow, joint.consent(uow, consent_id, body.proof())))

    return await database.run(actor, act)


@router.post("/{consent_id}/refuse", responses=signed(*USUAL))
async def refuse(consent_id: Identifier, body: RefusalBody, actor: Acting, database: GivenDatabase) -> GivenAnswer:
    """Refuse for my department, with a reason. The application goes back to its drafter."""

    def act(uow: UnitOfWork) -> GivenAnswer:
        return _given(*consent_queries.named(uow, joint.refuse(uow, consent_id, body.reason, body.proof())))

    return await database.run(actor, act)


def _department(row: Department) -> ConsentDepartmentAnswer:
    return ConsentDepartmentAnswer(id=row.id, zh=row.name_zh, en=row.name_en)


def _line(line: Waiting) -> dict[str, Any]:
    return {
        "id": line.consent.id,
        "application_id": line.consent.application_id,
        "department": _department(line.department),
        "applicant": ConsentDepartmentAnswer.model_validate(line.form["department"], from_attributes=False),
        "drafter": line.form["drafter"]["name"],
        "asked_at": line.consultation.asked_at,
        "due_at": line.consultation.due_at,
        "overwrite_at": line.overwrite_at,
    }


def _given(department: Department, consent: Consent, by: str | None) -> GivenAnswer:
    return GivenAnswer(
        department=_department(department),
        answer=consent.answer,
        by=by,
        at=consent.answered_at,
        reason=consent.reason,
    )


def _told(view: View) -> ConsentAnswer:
    why = view.why_not
    return ConsentAnswer(
        **_line(view.line),
        form=view.line.form,
        form_sha256=view.line.consultation.sha256,
        answer=view.line.consent.answer,
        ended_because=view.line.consultation.ended_because,
        others=[_given(*other) for other in view.others],
        why_not=None if why is None else Problem(code=why.code, zh=why.zh, en=why.en, field=why.field),
    )
