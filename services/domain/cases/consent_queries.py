"""Consents as people see them: what waits for somebody, one with its form, how a consultation went (R17)."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from services.database.tables.applications import Application
from services.database.tables.consents import Consent, Consultation
from services.database.tables.people import Department, Person
from services.database.unit_of_work import UnitOfWork
from services.domain.access import consents
from services.domain.applications import joint
from services.domain.applications.joint_departments import answerers
from services.domain.audit import trail as audit_trail
from services.domain.cases import queries
from services.runtime.errors import Refused

NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Waiting:
    """One line of an inbox: a consent that the acting person may give or refuse now.

    ``department`` is the one to consent; the form names the applicant. From ``overwrite_at`` on the footage may be
    gone: the process, and with it the preservation, begins with the last consent.
    """

    consent: Consent
    consultation: Consultation
    department: Department
    overwrite_at: datetime | None

    @property
    def form(self) -> dict[str, Any]:
        return self.consultation.form


@dataclass(frozen=True)
class View:
    """A consent with what the other departments said (and who, by name); ``why_not`` as for a review."""

    line: Waiting
    others: list[tuple[Department, Consent, str | None]]
    why_not: Refused | None


def waiting_for(uow: UnitOfWork) -> list[Waiting]:
    """The consents that the acting person may give now, the most pressing first."""
    query = (
        select(Consent, Consultation, Application, Department)
        .join(Department, Department.id == Consent.department_id)
        .join(Consultation, Consultation.id == Consent.consultation_id)
        .join(Application, Application.id == Consent.application_id)
        .where(Consultation.ended_at.is_(None), Consent.answer.is_(None), Consultation.due_at > uow.now)
        .order_by(Consultation.due_at, Consent.id)
    )
    mine = [
        (consent, consultation, application, department)
        for consent, consultation, application, department in uow.session.execute(query)
        if uow.actor.id in answerers(uow, application, department.id)
    ]
    footage = queries.footage(uow, [application for _, _, application, _ in mine])
    lines = [
        Waiting(consent, consultation, department, footage[application.id].overwrite_at)
        for consent, consultation, application, department in mine
    ]
    return sorted(lines, key=lambda line: (line.overwrite_at or NEVER, line.consultation.due_at))


def view(uow: UnitOfWork, consent_id: str) -> View:
    """The consent for those who may give it, or gave it; NotFound for everybody else. The look is on the trail."""
    consent, consultation, application = joint.found(uow, consent_id)
    audit_trail.record(uow, "consent-read", "consent", consent.id, application_id=application.id)
    others = [named(uow, one) for one in consents.answers(uow, consultation) if one.id != consent.id]
    why_not = joint.why_not(uow, consent, consultation, application)
    return View(_line(uow, consent, consultation, application), others, why_not)


def named(uow: UnitOfWork, consent: Consent) -> tuple[Department, Consent, str | None]:
    """A consent with its department, and the name of whoever answered."""
    by = None if consent.person_id is None else uow.session.get_one(Person, consent.person_id).name
    return uow.session.get_one(Department, consent.department_id), consent, by


def _line(uow: UnitOfWork, consent: Consent, consultation: Consultation, application: Application) -> Waiting:
    department = uow.session.get_one(Department, consent.department_id)
    return Waiting(consent, consultation, department, queries.nearest_overwrite(uow, application))
