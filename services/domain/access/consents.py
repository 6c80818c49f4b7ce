"""Consultations: the departments of a joint application say by their heads who the applicant is (R17).

A consultation is one asking of all departments on one form; a consent is one department's part in it. Both stay when a
consultation has ended, whatever came of it.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import rfc8785
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from services.database.tables.consents import Consent, Consultation
from services.database.unit_of_work import UnitOfWork

# What of a form is known only when it counts; departments consent to the rest.
UNCONSENTED_FIELDS = ("number", "round", "submittedAt", "consents")
ENDINGS = ("consented", "refused", "changed", "lapsed", "withdrawn", "closed")


def consented_part(form: dict[str, Any]) -> dict[str, Any]:
    """What the departments consent to: the form without what is known only when it counts."""
    return {name: value for name, value in form.items() if name not in UNCONSENTED_FIELDS}


def hash_form(form: dict[str, Any]) -> str:
    """SHA-256 of the canonical form (RFC 8785), of what of it is consented to."""
    return hashlib.sha256(rfc8785.dumps(consented_part(form))).hexdigest()


def get_open(uow: UnitOfWork, application_id: str) -> Consultation | None:
    """The consultation that is under way, or None."""
    return uow.session.scalar(
        select(Consultation).where(Consultation.application_id == application_id, Consultation.ended_at.is_(None))
    )


def find_consented(uow: UnitOfWork, application_id: str, sha256: str) -> Consultation | None:
    """The consultation in which every department consented to exactly this form."""
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
    """The departments' answers, those still open among them, by department, with their departments."""
    query = select(Consent).where(Consent.consultation_id == consultation.id).options(joinedload(Consent.department))
    return uow.session.scalars(query.order_by(Consent.department_id)).all()


def end_open(uow: UnitOfWork, application_id: str, because: str) -> Consultation | None:
    """End the consultation that is under way, if there is one; what was answered in it counts no more."""
    consultation = get_open(uow, application_id)
    if consultation is not None:
        consultation.ended_at, consultation.ended_because = uow.now, because
    return consultation
