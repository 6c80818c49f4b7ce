"""Consultations: the departments of a joint application say by their heads who the applicant is (R17).

A consultation is one asking of all departments on one form; a consent is one department's part in it. Both stay when a
consultation has ended, whatever came of it.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import rfc8785
from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import Mapped, mapped_column

from services.register.base import Base, new_id
from services.register.unit import Unit

# What of a form is known only when it counts; departments consent to the rest.
LATER = ("number", "round", "submittedAt", "consents")
ENDINGS = ("consented", "refused", "changed", "lapsed", "withdrawn", "closed")


class Consultation(Base):
    """Open while ``ended_at`` is empty; ``form`` is what is consented to and ``sha256`` its hash (canonical JSON)."""

    __tablename__ = "consultations"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"), index=True)
    round: Mapped[int]  # that the form is for, once all have consented
    asked_by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    asked_at: Mapped[datetime]
    due_at: Mapped[datetime]
    reminded_at: Mapped[datetime | None]
    form: Mapped[dict[str, Any]]
    sha256: Mapped[str]
    ended_at: Mapped[datetime | None]
    ended_because: Mapped[str | None]  # one of ENDINGS


class Consent(Base):
    """One department's answer; ``answer`` is consented or refused, with the signature of whoever gave it."""

    __tablename__ = "consents"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    consultation_id: Mapped[str] = mapped_column(ForeignKey("consultations.id"), index=True)
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"), index=True)
    department_id: Mapped[str] = mapped_column(ForeignKey("departments.id"), index=True)
    answer: Mapped[str | None]
    person_id: Mapped[str | None] = mapped_column(ForeignKey("people.id"), index=True)
    answered_at: Mapped[datetime | None]
    reason: Mapped[str | None]
    statement_sha256: Mapped[str | None]
    signature: Mapped[dict[str, Any] | None]


def subject(form: dict[str, Any]) -> dict[str, Any]:
    """What the departments consent to: the form without what is known only when it counts."""
    return {name: value for name, value in form.items() if name not in LATER}


def hash_of(form: dict[str, Any]) -> str:
    """SHA-256 of the canonical form (RFC 8785), of what of it is consented to."""
    return hashlib.sha256(rfc8785.dumps(subject(form))).hexdigest()


def open_of(unit: Unit, application_id: str) -> Consultation | None:
    """The consultation that is under way, or None."""
    return unit.session.scalar(
        select(Consultation).where(Consultation.application_id == application_id, Consultation.ended_at.is_(None))
    )


def agreed_on(unit: Unit, application_id: str, sha256: str) -> Consultation | None:
    """The consultation in which every department consented to exactly this form."""
    return unit.session.scalar(
        select(Consultation)
        .where(
            Consultation.application_id == application_id,
            Consultation.sha256 == sha256,
            Consultation.ended_because == "consented",
        )
        .order_by(Consultation.asked_at.desc())
        .limit(1)
    )


def answers(unit: Unit, consultation: Consultation) -> Sequence[Consent]:
    """The departments' answers, those still open among them, by department."""
    return unit.session.scalars(
        select(Consent).where(Consent.consultation_id == consultation.id).order_by(Consent.department_id)
    ).all()


def end_open(unit: Unit, application_id: str, because: str) -> Consultation | None:
    """End the consultation that is under way, if there is one; what was answered in it counts no more."""
    consultation = open_of(unit, application_id)
    if consultation is not None:
        consultation.ended_at, consultation.ended_because = unit.now, because
    return consultation
