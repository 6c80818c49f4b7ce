"""Consultations and consents: the departments of a joint application agree on the applicant (R17).

Both stay when a consultation has ended, whatever its outcome.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id, reference
from services.database.tables.applications import Application
from services.database.tables.people import Department, Person

RUNNING = text("ended_at IS NULL")


class Consultation(Base):
    """One question to all departments about one form; open while ``ended_at`` is empty.

    ``form`` is what is consented to and ``sha256`` its hash (canonical JSON).
    """

    __tablename__ = "consultations"
    __table_args__ = (Index("ix_consultations_open", "due_at", sqlite_where=RUNNING, postgresql_where=RUNNING),)

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
    ended_because: Mapped[str | None]  # consented, refused, changed, lapsed, withdrawn, closed

    application: Mapped[Application] = reference()


class Consent(Base):
    """One department's answer; ``answer`` is consented or refused, with the signature of the person who gave it."""

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

    consultation: Mapped[Consultation] = reference()
    department: Mapped[Department] = reference()
    person: Mapped[Person | None] = reference()
