"""Consultations: the departments of a joint application say by their heads who the applicant is (R17).

A consultation asks all departments about one form; a consent is the answer of one department. Both stay after the
consultation has ended, whatever its result.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from services.database.tables.consents import Consent, Consultation
from services.database.unit_of_work import UnitOfWork
from services.runtime.canonical_json import hash_of

# The fields that a form gets on submission; departments consent to the rest.
UNCONSENTED_FIELDS = ("number", "round", "submittedAt", "consents", "applicableRules")


def consented_part(form: dict[str, Any]) -> dict[str, Any]:
    """Return the part that departments consent to, without ``UNCONSENTED_FIELDS``."""
    return {name: value for name, value in form.items() if name not in UNCONSENTED_FIELDS}


def hash_form(form: dict[str, Any]) -> str:
    """Hash (SHA-256) the canonical JSON (RFC 8785) of the consented part."""
    return hash_of(consented_part(form))


def get_open(uow: UnitOfWork, application_id: str) -> Consultation | None:
    """Return the open consultation, or None."""
    return uow.session.scalar(
        select(Consultation).where(Consultation.application_id == application_id, Consultation.ended_at.is_(None))
    )


def find_consented(uow: UnitOfWork, application_id: str, sha256: str) -> Consultation | None:
    """Find the consultation in which every department consented to exactly this form."""
    return uow.session.scalar(
        select(Consultation)
        .where(
            Consultation.application_id == application_id,
            Consultation.sha256 == sha256,
            Consultation.ended_because == "consented",
        )
        .order_by(Consultation.asked_at.desc())
        .limit(1)
    )


def list_answers(uow: UnitOfWork, consultation: Consultation) -> Sequence[Consent]:
    """List the departments' answers, open ones too, with their departments, by department."""
    query = select(Consent).where(Consent.consultation_id == consultation.id).options(joinedload(Consent.department))
    return uow.session.scalars(query.order_by(Consent.department_id)).all()


def end_open(uow: UnitOfWork, application_id: str, because: str) -> Consultation | None:
    """End the open consultation, if any; its answers no longer count."""
    consultation = get_open(uow, application_id)
    if consultation is not None:
        consultation.ended_at, consultation.ended_because = uow.now, because
    return consultation
