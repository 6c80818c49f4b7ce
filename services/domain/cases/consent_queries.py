"""Consents of joint departments: what waits for the actor, and one with its form (R17)."""

from datetime import datetime

from sqlalchemy import Row, select

from services.database.tables.applications import Application
from services.database.tables.consents import Consent, Consultation
from services.database.tables.people import Department
from services.database.unit_of_work import UnitOfWork
from services.domain.access import consents
from services.domain.access import queries as access_queries
from services.domain.access.policy import led_departments
from services.domain.applications import joint
from services.domain.applications.joint import answerers
from services.domain.audit import trail as audit_trail
from services.domain.cases import footage as case_footage
from services.domain.cases import queries
from services.domain.cases.schemas.consents import ConsentView, DepartmentConsent, JointDepartment, WaitingConsent
from services.web.problem import Problem


def list_waiting(uow: UnitOfWork) -> list[WaitingConsent]:
    """Return the consents that the actor may give now, the most pressing first."""
    rows = _read_waiting(uow)
    footage = case_footage.read(uow, [application for _, _, application, _ in rows])
    lines = [
        _line(consent, consultation, department, footage[application.id])
        for consent, consultation, application, department in rows
    ]
    return sorted(lines, key=lambda line: (line.overwrite_at or queries.NEVER, line.due_at))


def list_due(uow: UnitOfWork) -> list[tuple[str, datetime]]:
    """Return the ids of the consents that the actor may give now, and until when."""
    return [(consent.id, consultation.due_at) for consent, consultation, *_ in _read_waiting(uow)]


def _read_waiting(uow: UnitOfWork) -> list[Row[Consent, Consultation, Application, Department]]:
    query = (
        select(Consent, Consultation, Application, Department)
        .join(Department, Department.id == Consent.department_id)
        .join(Consultation, Consultation.id == Consent.consultation_id)
        .join(Application, Application.id == Consent.application_id)
        .where(
            Consultation.ended_at.is_(None),
            Consent.answer.is_(None),
            Consultation.due_at > uow.now,
            Consent.department_id.in_(led_departments(access_queries.load_directory(uow), uow.actor.id)),
        )
        .order_by(Consultation.due_at, Consent.id)
    )
    return [row for row in uow.session.execute(query) if uow.actor.id in answerers(uow, row[2], row[3].id)]


def get_consent(uow: UnitOfWork, consent_id: str) -> ConsentView:
    """Return the consent for those who may give it, or gave it; reading it is an event (F20).

    Raises NotFound for everybody else.
    """
    consent, consultation, application = joint.get_consent(uow, consent_id)
    audit_trail.record(uow, "consent-read", "consent", consent.id, application_id=application.id)
    refusal = joint.refusal_for(uow, consent, consultation, application)
    department = uow.session.get_one(Department, consent.department_id)
    line = _line(consent, consultation, department, case_footage.read(uow, [application])[application.id])
    return ConsentView(
        **dict(line),
        form=consultation.form,
        form_sha256=consultation.sha256,
        ended_because=consultation.ended_because,
        own=answer_of(uow, consent),
        others=[answer_of(uow, other) for other in consents.list_answers(uow, consultation) if other.id != consent.id],
        why_not=Problem.of(refusal) if refusal is not None else None,
    )


def answer_of(uow: UnitOfWork, consent: Consent) -> DepartmentConsent:
    """Return what a department answered, with the name of the person who did."""
    names = access_queries.get_names(uow, [consent.person_id])
    return DepartmentConsent(
        department=_department(uow.session.get_one(Department, consent.department_id)),
        answer=consent.answer,
        by=names[consent.person_id] if consent.person_id is not None else None,
        at=consent.answered_at,
        reason=consent.reason,
    )


def _line(
    consent: Consent, consultation: Consultation, department: Department, footage: case_footage.Footage
) -> WaitingConsent:
    form = consultation.form
    return WaitingConsent(
        id=consent.id,
        application_id=consent.application_id,
        department=_department(department),
        applicant=JointDepartment.model_validate(form["department"]),
        drafter=form["drafter"]["name"],
        asked_at=consultation.asked_at,
        due_at=consultation.due_at,
        overwrite_at=footage.overwrite_at,
        about=footage.about,
    )


def _department(row: Department) -> JointDepartment:
    return JointDepartment(id=row.id, zh=row.name_zh, en=row.name_en)
